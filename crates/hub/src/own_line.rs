use std::ops::{Deref, DerefMut};

/// A value on cache lines that nothing else is on.
///
/// For what one thread writes while others use what would lie beside it: the line would go to and fro between their cores. 128 bytes,
/// because processors fetch lines of 64 in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct OwnLine<T>(pub T);

impl<T> Deref for OwnLine<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for OwnLine<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_no_line() {
        let [a, b] = [OwnLine(1_u8), OwnLine(2)];
        assert_eq!((*a, *b), (1, 2));
        assert_eq!(std::mem::size_of_val(&[a, b]), 256);
        assert_eq!(std::mem::align_of::<OwnLine<u8>>(), 128);
    }
}
