use bytes::Bytes;

/// So much more than is needed does no harm, and costs less than a copy.
const EXCESS_BYTES: usize = 512;

/// A part of what came, for longer than that: whoever keeps a little is not to keep all of it.
///
/// # Panics
/// If it is no part of it.
pub(crate) fn kept(whole: &Bytes, part: &[u8]) -> Bytes {
    if whole.len() > 2 * part.len() + EXCESS_BYTES {
        Bytes::copy_from_slice(part)
    } else {
        whole.slice_ref(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_part_does_not_keep_the_whole() {
        let whole = Bytes::from(vec![7; 10_000]);
        assert!(whole.as_ptr_range().contains(&kept(&whole, &whole[1..6000]).as_ptr()));
        let part = kept(&whole, &whole[1..3]);
        assert_eq!(part, [7, 7][..]);
        drop(whole);
        assert!(part.is_unique());
    }
}
