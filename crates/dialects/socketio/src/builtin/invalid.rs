use std::borrow::Cow;

use antiphon_net::problem::{Problem, ProblemKind};

/// The arguments of a built-in event are not what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Invalid {
    parameter: Option<&'static str>,
    detail: Cow<'static, str>,
}

impl Invalid {
    /// A member that has to be there.
    pub(super) const fn missing(parameter: &'static str) -> Invalid {
        Invalid { parameter: Some(parameter), detail: Cow::Borrowed("is missing") }
    }

    /// A member, and what it has to be.
    pub(super) fn new(parameter: &'static str, what: impl Into<Cow<'static, str>>) -> Invalid {
        Invalid { parameter: Some(parameter), detail: what.into() }
    }

    /// An argument that is not of the shape.
    pub(super) fn body(error: &serde_json::Error) -> Invalid {
        Invalid { parameter: None, detail: error.to_string().into() }
    }

    #[cfg(test)]
    pub(super) fn parameter(&self) -> Option<&str> {
        self.parameter
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Problem {
        match invalid.parameter {
            Some(name) => {
                let detail = format!("{name} {}", invalid.detail);
                Problem::new(ProblemKind::InvalidParameter, detail).with_parameter(name)
            }
            None => Problem::new(ProblemKind::InvalidBody, invalid.detail),
        }
    }
}
