//! Content coding of HTTP answers that are all there (RFC 9110, 8.4). Streams are never compressed.

use std::cmp::Reverse;
use std::io::Write;

use bytes::Bytes;

/// A compression of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentEncoding {
    /// zstd (RFC 8878).
    Zstd,
    /// br (RFC 7932).
    Brotli,
    /// gzip (RFC 1952).
    Gzip,
    /// deflate, which is zlib (RFC 1950).
    Deflate,
}

impl ContentEncoding {
    /// The word for it in headers.
    pub fn as_str(self) -> &'static str {
        match self {
            ContentEncoding::Zstd => "zstd",
            ContentEncoding::Brotli => "br",
            ContentEncoding::Gzip => "gzip",
            ContentEncoding::Deflate => "deflate",
        }
    }
}

/// A weight in thousandths.
pub type Weight = u16;

/// Elements of a header looked at; what comes after is as if it were not there.
const ELEMENTS_MAX: usize = 64;

/// The compression of those offered that `Accept-Encoding` asks for, if any: the one of the highest weight, of equals the first.
pub fn negotiate(accept_encoding: Option<&str>, offers: &[ContentEncoding]) -> Option<ContentEncoding> {
    let accepted = accept_encoding?;
    let weight = |name: &str| {
        let of = |wanted: &str| {
            weighted(accepted)
                .find(|(element, _)| element.eq_ignore_ascii_case(wanted))
                .map(|(_, weight)| weight)
        };
        of(name).or_else(|| if name == "gzip" { of("x-gzip") } else { None }).or_else(|| of("*")).unwrap_or(0)
    };
    let weighed = offers.iter().map(|offer| (weight(offer.as_str()), *offer));
    let wanted = weighed.filter(|(weight, _)| *weight > 0);
    wanted.min_by_key(|(weight, _)| Reverse(*weight)).map(|(_, offer)| offer)
}

/// The elements of a list header with their weights (RFC 9110, 12.4.2), without other parameters.
pub fn weighted(header: &str) -> impl Iterator<Item = (&str, Weight)> {
    header.split(',').take(ELEMENTS_MAX).map(|element| {
        let mut parts = element.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts
            .filter_map(|part| part.split_once('='))
            .find(|(key, _)| key.trim_end().eq_ignore_ascii_case("q"))
            .map_or(1000, |(_, value)| weight(value.trim_start()));
        (name, weight)
    })
}

/// A q-value in thousandths; what is not one counts as zero, so that it is not taken for a wish.
fn weight(value: &str) -> Weight {
    match value.parse::<f32>() {
        Ok(value) if (0.0..=1.0).contains(&value) => (value * 1000.0).round() as Weight,
        _ => 0,
    }
}

/// From so many bytes on the work is done on another thread, so that the worker's connections do not wait for it.
const ELSEWHERE_MIN: usize = 64 * 1024;

/// Compresses an answer, or gives it back as it is if that does not make it smaller.
pub async fn compress(encoding: ContentEncoding, bytes: Bytes) -> (Bytes, Option<ContentEncoding>) {
    let original = bytes.clone();
    let compressed = if bytes.len() < ELSEWHERE_MIN {
        compressed(encoding, &bytes).ok()
    } else {
        let work = tokio::task::spawn_blocking(move || compressed(encoding, &bytes));
        work.await.ok().and_then(Result::ok)
    };
    match compressed {
        Some(compressed) if compressed.len() < original.len() => (compressed.into(), Some(encoding)),
        _ => (original, None),
    }
}

/// The levels cost about as much time as each other, and little: answers are made once for each request.
fn compressed(encoding: ContentEncoding, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    match encoding {
        ContentEncoding::Zstd => zstd::bulk::compress(bytes, 3),
        ContentEncoding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(5));
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        ContentEncoding::Deflate => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(5));
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        ContentEncoding::Brotli => {
            let mut out = Vec::new();
            let mut writer = brotli::CompressorWriter::new(&mut out, 4096, 4, 20);
            writer.write_all(bytes)?;
            writer.flush()?;
            drop(writer);
            Ok(out)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ContentEncoding::{Brotli, Deflate, Gzip, Zstd};
    use super::*;
    use proptest::prelude::*;
    use std::io::Read;

    const ALL: [ContentEncoding; 4] = [Zstd, Brotli, Gzip, Deflate];

    #[test]
    fn accept_encoding_by_table() {
        for (accept, expected) in [
            (None, None),
            (Some(""), None),
            (Some("identity"), None),
            (Some("gzip"), Some(Gzip)),
            (Some("x-gzip"), Some(Gzip)),
            (Some("gzip, deflate, br, zstd"), Some(Zstd)),
            (Some("gzip, deflate, br"), Some(Brotli)),
            (Some("gzip, deflate"), Some(Gzip)),
            (Some("GZIP;q=1.0, br;q=0.5"), Some(Gzip)),
            (Some("gzip;q=0"), None),
            (Some("*"), Some(Zstd)),
            (Some("*;q=0.5, zstd;q=0, gzip;q=0.6"), Some(Gzip)),
            (Some("deflate"), Some(Deflate)),
            (Some("br;q=2"), None),
        ] {
            assert_eq!(negotiate(accept, &ALL), expected, "{accept:?}");
        }
        assert_eq!(negotiate(Some("br, deflate;q=0.5"), &[Gzip, Deflate]), Some(Deflate));
        assert_eq!(negotiate(Some("gzip"), &[]), None);
    }

    proptest! {
        #[test]
        fn any_header_is_survived(header in "[a-z*/;=,q0-9. ]{0,60}", any in any::<String>()) {
            for header in [&header, &any] {
                let _ = negotiate(Some(header), &ALL);
            }
        }
    }

    fn decompressed(encoding: ContentEncoding, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match encoding {
            Zstd => out = zstd::bulk::decompress(bytes, 10 << 20).unwrap(),
            Gzip => _ = flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap(),
            Deflate => _ = flate2::read::ZlibDecoder::new(bytes).read_to_end(&mut out).unwrap(),
            Brotli => _ = brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out).unwrap(),
        }
        out
    }

    #[tokio::test]
    async fn what_is_compressed_is_the_same_here_and_elsewhere() {
        for length in [2000, ELSEWHERE_MIN + 1] {
            let text: Bytes = "antiphon ".bytes().cycle().take(length).collect();
            for encoding in ALL {
                let (bytes, used) = compress(encoding, text.clone()).await;
                assert_eq!(used, Some(encoding));
                assert!(bytes.len() < 500, "{encoding:?}");
                assert_eq!(decompressed(encoding, &bytes), text, "{encoding:?}");
            }
        }
    }

    #[tokio::test]
    async fn what_does_not_get_smaller_stays() {
        let bytes = Bytes::from_static(b"x");
        assert_eq!(compress(Gzip, bytes.clone()).await, (bytes, None));
    }
}
