//! Chunks of an HTTP/1.1 body (RFC 9112, section 7.1).

use bytes::{Buf, Bytes};

/// What stands before the bytes of a chunk, at most: sixteen digits and a line end.
pub(crate) const HEAD_BYTES_MAX: usize = 18;

/// The chunk that ends a body.
pub(crate) const LAST: &[u8] = b"0\r\n\r\n";

/// What stands behind them.
pub(crate) const LINE_END: &[u8] = b"\r\n";

/// Makes one chunk of what lies in `bytes` behind [`HEAD_BYTES_MAX`] bytes of any kind, of which there must be some: an empty chunk
/// ends the body.
pub(crate) fn close(mut bytes: Vec<u8>) -> Bytes {
    debug_assert!(bytes.len() > HEAD_BYTES_MAX);
    let mut rest = bytes.len() - HEAD_BYTES_MAX;
    let mut start = HEAD_BYTES_MAX - LINE_END.len();
    bytes[start..HEAD_BYTES_MAX].copy_from_slice(LINE_END);
    while rest > 0 {
        start -= 1;
        bytes[start] = b"0123456789abcdef"[rest % 16];
        rest /= 16;
    }
    bytes.extend_from_slice(LINE_END);
    let mut chunk = Bytes::from(bytes);
    chunk.advance(start);
    chunk
}

/// A chunk with these bytes; nothing if there are none.
pub(crate) fn of(bytes: &[u8]) -> Bytes {
    if bytes.is_empty() {
        return Bytes::new();
    }
    let mut chunk = Vec::with_capacity(HEAD_BYTES_MAX + bytes.len() + LINE_END.len());
    chunk.resize(HEAD_BYTES_MAX, 0);
    chunk.extend_from_slice(bytes);
    close(chunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_says_how_long_it_is() {
        assert_eq!(of(b""), "");
        assert_eq!(of(b"a"), "1\r\na\r\n");
        assert_eq!(of(&[b'x'; 16]), [b"10\r\n", &[b'x'; 16][..], b"\r\n"].concat());
        let long = of(&vec![b'x'; 0x0012_3456]);
        assert_eq!((&long[..8], long.len()), (&b"123456\r\n"[..], 8 + 0x0012_3456 + 2));
    }
}
