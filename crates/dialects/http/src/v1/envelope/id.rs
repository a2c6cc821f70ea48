use crate::wire::{json, message};

/// The name that a client gives to a request, for the answer to carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    Number(u64),
    Text(Box<str>),
}

impl Id {
    /// 2 to the 53rd: up to there every language's numbers are exact.
    pub(crate) const NUMBER_MAX: u64 = 1 << 53;
    pub(crate) const TEXT_BYTES_MAX: usize = 64;

    /// Writes it as the JSON it came as.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Id::Number(number) => message::write_digits(*number, out),
            Id::Text(text) => json::write_string(text, out),
        }
    }
}
