use std::borrow::Cow;

use antiphon_net::problem::{Problem, ProblemKind};

use super::Id;

/// A member is not what it has to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{member}: {reason}")]
pub(crate) struct Invalid {
    /// Which, as `channels[3].since`.
    member: Cow<'static, str>,
    /// What it has to be.
    reason: Cow<'static, str>,
}

impl Invalid {
    pub(crate) fn new(member: &'static str, reason: impl Into<Cow<'static, str>>) -> Invalid {
        Invalid { member: member.into(), reason: reason.into() }
    }

    pub(crate) fn missing(member: &'static str) -> Invalid {
        Invalid::new(member, "is missing")
    }

    /// An element of a list that is not what it has to be as a whole.
    pub(crate) fn element(reason: impl Into<Cow<'static, str>>) -> Invalid {
        Invalid::new("", reason)
    }

    /// The same, of an element of the list `list`.
    pub(crate) fn within(self, list: &str, index: usize) -> Invalid {
        let dot = if self.member.is_empty() { "" } else { "." };
        Invalid { member: format!("{list}[{index}]{dot}{}", self.member).into(), ..self }
    }
}

/// A text is not a message of the subprotocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// It is not one JSON object.
    #[error("the message is not a JSON object: {0}")]
    NotAnObject(Box<str>),
    /// A member is missing, given twice, or not what it has to be.
    #[error("{invalid}")]
    Member {
        /// The message's id, if that can be read.
        id: Option<Id>,
        /// Which, and why.
        invalid: Invalid,
    },
}

impl Malformed {
    pub(crate) fn id(&self) -> Option<&Id> {
        match self {
            Malformed::NotAnObject(_) => None,
            Malformed::Member { id, .. } => id.as_ref(),
        }
    }
}

impl From<&Malformed> for Problem {
    fn from(malformed: &Malformed) -> Problem {
        let detail = malformed.to_string();
        match malformed {
            Malformed::NotAnObject(_) => Problem::new(ProblemKind::InvalidBody, detail),
            Malformed::Member { invalid, .. } => {
                Problem::new(ProblemKind::InvalidParameter, detail).with_parameter(invalid.member.clone())
            }
        }
    }
}
