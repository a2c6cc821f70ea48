//! Compression of answers that are all there: polls, documents, assets. Streams are never compressed.

use std::io::Write;

use bytes::Bytes;

use crate::wire::accept::Encoding;

/// From so many bytes on the work is done on another thread, so that the worker's connections do not wait for it.
const ELSEWHERE_MIN: usize = 64 * 1024;

/// Compresses an answer, or gives it back as it is if that does not make it smaller.
pub(crate) async fn compress(encoding: Encoding, bytes: Bytes) -> (Bytes, Option<Encoding>) {
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
fn compressed(encoding: Encoding, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    match encoding {
        Encoding::Zstd => zstd::bulk::compress(bytes, 3),
        Encoding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(5));
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        Encoding::Brotli => {
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
    use super::*;
    use std::io::Read;

    fn decompressed(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match encoding {
            Encoding::Zstd => out = zstd::bulk::decompress(bytes, 10 << 20).unwrap(),
            Encoding::Gzip => _ = flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap(),
            Encoding::Brotli => _ = brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out).unwrap(),
        }
        out
    }

    #[tokio::test]
    async fn what_is_compressed_is_the_same_here_and_elsewhere() {
        for length in [2000, ELSEWHERE_MIN + 1] {
            let text: Bytes = "antiphon ".bytes().cycle().take(length).collect();
            for encoding in [Encoding::Zstd, Encoding::Gzip, Encoding::Brotli] {
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
        assert_eq!(compress(Encoding::Gzip, bytes.clone()).await, (bytes, None));
    }
}
