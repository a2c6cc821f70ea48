//! What the fuzz targets `proxy_header` and `forwarded` run, and with them the tests that replay their corpora.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};

use crate::proxy::header::{HEADER_BYTES_MAX, Origin, decode};
use crate::{ForwardedHeader, Proxies};

/// The first bytes of a proxy's connection.
///
/// # Panics
/// If the outcome depends on how the bytes are cut, or waiting for more has no end.
pub fn proxy_header(data: &[u8]) {
    let whole = decode(data);
    for end in 0..data.len() {
        match decode(&data[..end]) {
            Ok(None) => assert!(end < HEADER_BYTES_MAX),
            // Nothing that comes later changes what is decided.
            decided => return assert_eq!(decided, whole, "{end} of {} bytes", data.len()),
        }
    }
    match whole {
        Ok(Some((origin, len))) => {
            assert!(len <= data.len() && len <= HEADER_BYTES_MAX);
            if let Origin::Client { source, destination, .. } = origin {
                assert_eq!(source.is_ipv4(), destination.is_ipv4());
            }
        }
        Ok(None) => assert!(data.len() < HEADER_BYTES_MAX),
        Err(_) => {}
    }
}

/// What a client sends in the header that proxies add to.
///
/// # Panics
/// If what it sends decides whose address is taken.
pub fn forwarded(data: &[u8]) {
    let [last, sent @ ..] = data else { return };
    let client = IpAddr::from([203, 0, 113, *last]);
    let trusted = vec!["10.0.0.0/8".parse().expect("it is a range")];
    for (forwarded, name, added) in [
        (ForwardedHeader::XForwardedFor, "x-forwarded-for", client.to_string()),
        (ForwardedHeader::Forwarded, "forwarded", format!("for={client};proto=https")),
    ] {
        let proxies = Proxies { trusted: trusted.clone(), forwarded, ..Proxies::default() };
        let joined = [sent, b", ", added.as_bytes()].concat();
        for lines in [vec![joined.as_slice()], vec![sent, added.as_bytes()]] {
            let mut headers = HeaderMap::new();
            for line in lines {
                let Ok(value) = HeaderValue::from_bytes(line) else { return };
                headers.append(name, value);
            }
            let told = proxies.client(&headers, [10, 0, 0, 1].into()).and_then(|told| told.address);
            assert_eq!(told.map(|address| address.ip()), Some(client));
            assert_eq!(proxies.client(&headers, client), None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    fn replay(corpus: &str, target: fn(&[u8])) -> usize {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(corpus);
        let entries = std::fs::read_dir(corpus).expect("the corpus is part of the repository");
        let paths = entries.map(|entry| entry.expect("a readable directory").path());
        paths.map(|path| target(&std::fs::read(path).expect("a readable file"))).count()
    }

    #[test]
    fn the_corpora_do_no_harm() {
        assert!(replay("proxy_header", super::proxy_header) > 0);
        assert!(replay("forwarded", super::forwarded) > 0);
    }
}
