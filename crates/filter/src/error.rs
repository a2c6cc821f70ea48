use std::fmt;

use crate::FILTER_BYTES_MAX;

/// A text is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct InvalidFilter {
    /// Where it stops to be one, in characters counted from 1.
    pub position: usize,
    /// What could be there, or what is wrong.
    pub problem: String,
}

impl InvalidFilter {
    pub(crate) fn too_long() -> InvalidFilter {
        InvalidFilter {
            position: FILTER_BYTES_MAX + 1,
            problem: format!("a filter has at most {FILTER_BYTES_MAX} bytes"),
        }
    }

    /// At a byte of a text.
    pub(crate) fn at(text: &str, byte: usize, problem: String) -> InvalidFilter {
        let before = text.char_indices().take_while(|(at, _)| *at < byte).count();
        InvalidFilter { position: before + 1, problem }
    }
}

impl fmt::Display for InvalidFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at character {}: {}", self.position, self.problem)
    }
}
