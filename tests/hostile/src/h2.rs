//! HTTP/2 frames, as they are written by one who need not keep to the rules (RFC 9113), with headers that are never compressed (RFC 7541).

/// With what a client begins.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// The flag of the last frame of a stream.
pub(crate) const END_STREAM: u8 = 0x1;
/// The flag of the last frame of a block of headers.
pub(crate) const END_HEADERS: u8 = 0x4;
/// The flag of an answer to settings and pings.
pub(crate) const ACK: u8 = 0x1;

/// How many bytes of flow control a stream begins with.
pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;

/// A frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend_from_slice(&[kind, flags]);
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Settings.
pub(crate) fn settings(values: &[(u16, u32)]) -> Vec<u8> {
    let pairs = values.iter().flat_map(|(name, value)| {
        let mut pair = name.to_be_bytes().to_vec();
        pair.extend_from_slice(&value.to_be_bytes());
        pair
    });
    frame(SETTINGS, 0, 0, &pairs.collect::<Vec<u8>>())
}

/// A header that is neither compressed nor remembered.
pub(crate) fn header(name: &str, value: &str) -> Vec<u8> {
    let mut field = vec![0];
    for text in [name, value] {
        integer(&mut field, text.len());
        field.extend_from_slice(text.as_bytes());
    }
    field
}

/// An integer with a prefix of 7 bits, whose first bit is 0.
fn integer(into: &mut Vec<u8>, mut value: usize) {
    if value < 127 {
        return into.push(value as u8);
    }
    into.push(127);
    value -= 127;
    while value >= 128 {
        into.push(value as u8 | 128);
        value >>= 7;
    }
    into.push(value as u8);
}

/// The headers of a GET.
pub(crate) fn get(path: &str, accept: &str) -> Vec<u8> {
    // `:method: GET` and `:scheme: http` are in the static table.
    [vec![0x82, 0x86], header(":path", path), header(":authority", "localhost"), header("accept", accept)]
        .concat()
}

/// A whole request without a body.
pub(crate) fn request(stream: u32, path: &str, accept: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &get(path, accept))
}

/// The errors that the server named in frames of this kind, `GOAWAY` or `RST_STREAM`.
pub(crate) fn errors_in(bytes: &[u8], kind: u8) -> Vec<u32> {
    let at = if kind == GOAWAY { 4 } else { 0 };
    let error = |payload: &[u8]| Some(u32::from_be_bytes(*payload.get(at..)?.first_chunk()?));
    payloads_in(bytes, kind).into_iter().filter_map(error).collect()
}

/// What is in the whole frames of this kind.
pub(crate) fn payloads_in(mut bytes: &[u8], kind: u8) -> Vec<&[u8]> {
    let mut payloads = Vec::new();
    while let Some((head, rest)) = bytes.split_at_checked(9) {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        if head[3] == kind {
            payloads.push(payload);
        }
        bytes = rest;
    }
    payloads
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_in_appendix_c_1_of_rfc_7541() {
        let mut bytes = Vec::new();
        integer(&mut bytes, 10);
        integer(&mut bytes, 1337);
        assert_eq!(bytes, [10, 127, 0b1011_1010, 0b0000_1001]);
    }

    #[test]
    fn errors_are_found() {
        let goaway = frame(GOAWAY, 0, 0, &[0, 0, 0, 5, 0, 0, 0, 11, b'!']);
        let reset = frame(RST_STREAM, 0, 3, &[0, 0, 0, 7]);
        let bytes = [settings(&[(INITIAL_WINDOW_SIZE, 0)]), reset, goaway, vec![0, 0]].concat();
        assert_eq!(errors_in(&bytes, GOAWAY), [11]);
        assert_eq!(errors_in(&bytes, RST_STREAM), [7]);
    }
}
