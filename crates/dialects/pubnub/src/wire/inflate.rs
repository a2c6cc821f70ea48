//! Compressed bodies. What says that it is gzip may be zlib, and the other way round: its first bytes tell.

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};

/// The body cannot be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InflateError {
    /// It is not what it says.
    #[error("the body is not gzip, zlib or deflate")]
    Broken,
    /// It becomes longer than bodies may be.
    #[error("the body has at most {0} bytes")]
    TooLong(usize),
}

/// Decompresses a body up to `bytes_max`.
///
/// # Errors
/// It is broken, or becomes longer.
pub(crate) fn inflate(body: &[u8], bytes_max: usize) -> Result<Bytes, InflateError> {
    let mut out = Vec::new();
    // One more tells whether there is more.
    let limit = (bytes_max as u64).saturating_add(1);
    let read = match body {
        [0x1f, 0x8b, ..] => GzDecoder::new(body).take(limit).read_to_end(&mut out),
        [cmf, flg, ..] if cmf & 0xf == 8 && (u16::from(*cmf) << 8 | u16::from(*flg)) % 31 == 0 => {
            ZlibDecoder::new(body).take(limit).read_to_end(&mut out)
        }
        _ => DeflateDecoder::new(body).take(limit).read_to_end(&mut out),
    };
    read.map_err(|_| InflateError::Broken)?;
    if out.len() > bytes_max {
        return Err(InflateError::TooLong(bytes_max));
    }
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;
    use std::io::Write as _;

    fn each(text: &[u8]) -> [Vec<u8>; 3] {
        let (mut gzip, mut zlib, mut raw) = (
            GzEncoder::new(Vec::new(), Compression::fast()),
            ZlibEncoder::new(Vec::new(), Compression::fast()),
            DeflateEncoder::new(Vec::new(), Compression::fast()),
        );
        gzip.write_all(text).unwrap();
        zlib.write_all(text).unwrap();
        raw.write_all(text).unwrap();
        [gzip.finish().unwrap(), zlib.finish().unwrap(), raw.finish().unwrap()]
    }

    #[test]
    fn the_first_bytes_say_what_it_is() {
        for body in each(b"{\"text\":\"hi\"}") {
            assert_eq!(inflate(&body, 100).unwrap(), "{\"text\":\"hi\"}");
            assert_eq!(inflate(&body[..body.len() - 5], 100), Err(InflateError::Broken));
        }
    }

    #[test]
    fn a_bomb_does_not_go_off() {
        for body in each(&vec![b'x'; 10_000_000]) {
            assert_eq!(inflate(&body, 1000), Err(InflateError::TooLong(1000)));
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = inflate(&body, 1000);
        }
    }
}
