//! Several runs of bytes in one column: each after its length, in four bytes of which the lowest is the first.

/// The bytes of one length.
const LENGTH_BYTES: usize = size_of::<u32>();

/// Puts parts together.
pub(super) fn join<'a>(parts: impl Iterator<Item = &'a [u8]> + Clone) -> Vec<u8> {
    let mut joined = Vec::with_capacity(parts.clone().map(|part| LENGTH_BYTES + part.len()).sum());
    for part in parts {
        // SQLite takes no column of four gigabytes: one that is cut off here is refused there.
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        joined.extend_from_slice(&length.to_le_bytes());
        joined.extend_from_slice(part);
    }
    joined
}

/// Takes parts that were put together apart; `None` if they were not. Each is where it stands in `joined`.
pub(super) fn split(joined: &[u8]) -> Option<Vec<std::ops::Range<usize>>> {
    let (mut parts, mut at) = (Vec::new(), 0);
    while at < joined.len() {
        let (length, _) = joined[at..].split_first_chunk::<LENGTH_BYTES>()?;
        let start = at + LENGTH_BYTES;
        let end = start.checked_add(u32::from_le_bytes(*length) as usize)?;
        if end > joined.len() {
            return None;
        }
        parts.push(start..end);
        at = end;
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_apart_as_they_were_put_together() {
        for parts in [vec![], vec![&b""[..]], vec![b"a", b"", b"bcd"]] {
            let joined = join(parts.iter().copied());
            let apart = split(&joined).unwrap();
            assert_eq!(apart.into_iter().map(|part| &joined[part]).collect::<Vec<_>>(), parts);
        }
    }

    #[test]
    fn what_was_not_put_together_does_not_come_apart() {
        for bad in [&[1][..], &[0, 0, 0], &[2, 0, 0, 0, 7], &[255; 4], &[0, 0, 0, 0, 9]] {
            assert_eq!(split(bad), None, "{bad:?}");
        }
    }
}
