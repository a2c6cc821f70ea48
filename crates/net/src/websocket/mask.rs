//! The masking of client payloads, RFC 6455 section 5.3.

/// Masks or unmasks `bytes` in place; `mask[0]` applies to the first of them.
///
/// Whole words and no index arithmetic: the compiler turns the loop into vector instructions.
pub(super) fn apply(bytes: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip([a, b, c, d, a, b, c]) {
        *byte ^= mask;
    }
}

/// The mask as it applies to what follows `bytes` masked bytes.
pub(super) fn advance(mask: [u8; 4], bytes: usize) -> [u8; 4] {
    let mut rotated = mask;
    rotated.rotate_left(bytes % 4);
    rotated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_and_split_agrees_with_the_definition() {
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        for length in 0..40_usize {
            let clear: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let defined: Vec<u8> = clear.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]).collect();
            for split in 0..=length {
                let mut masked = clear.clone();
                let (head, tail) = masked.split_at_mut(split);
                apply(head, mask);
                apply(tail, advance(mask, split));
                assert_eq!(masked, defined, "length {length}, split {split}");
            }
        }
    }
}
