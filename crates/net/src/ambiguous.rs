use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http::{Response, StatusCode};

use crate::handshake::plain;

/// Refuses a head that two servers in a row could read in different ways, and closes the connection behind it: what follows could
/// be a request to one of them and a body to the other.
///
/// hyper refuses lengths that are not one length, and lengths beside a `Transfer-Encoding`. It does not look at a second `Host`
/// (RFC 9112, section 3.2), and takes whatever ends in `chunked` for that alone (section 6.1).
pub(crate) fn refuse_ambiguous(headers: &HeaderMap) -> Option<Response<Bytes>> {
    let (status, text) = why(headers)?;
    let mut response = plain(status, text);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    Some(response)
}

/// Whether a head is such a one.
pub(crate) fn is_ambiguous(headers: &HeaderMap) -> bool {
    why(headers).is_some()
}

fn why(headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
    if headers.get_all(HOST).iter().nth(1).is_some() {
        return Some((StatusCode::BAD_REQUEST, "Host is given twice"));
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    match (codings.next(), codings.next()) {
        (None, _) => None,
        (Some(coding), None) if is_chunked(coding) => None,
        _ => Some((StatusCode::NOT_IMPLEMENTED, "the only Transfer-Encoding that is taken is chunked, once")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    #[test]
    fn two_readings_are_refused_and_one_is_not() {
        for (given, refused) in [
            (&[][..], None),
            (&[("host", "a")], None),
            (&[("host", "a"), ("host", "a")], Some(400)),
            (&[("transfer-encoding", "chunked")], None),
            (&[("transfer-encoding", " Chunked ")], None),
            (&[("transfer-encoding", "gzip, chunked")], Some(501)),
            (&[("transfer-encoding", "chunked, chunked")], Some(501)),
            (&[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")], Some(501)),
            (&[("transfer-encoding", "identity")], Some(501)),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in given {
                headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            let response = refuse_ambiguous(&headers);
            assert_eq!(response.as_ref().map(|response| response.status().as_u16()), refused, "{given:?}");
            assert!(response.is_none_or(|response| response.headers()[CONNECTION] == "close"));
        }
    }
}
