//! App Context: users and channels as objects, and the memberships between them.
//!
//! What a request asks to be shown is an [`Include`], what of a list it wants is in `list`, what it wants to change in `patch`; `write` has
//! the answers and the events.

pub(crate) mod etag;
pub(crate) mod list;
pub(crate) mod patch;
pub(crate) mod write;

use super::query::Query;

/// What is wrong with a request, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{location}: {message}")]
pub(crate) struct Invalid {
    /// What is wrong.
    pub(crate) message: String,
    /// Where, like `set[0].channel.id`.
    pub(crate) location: String,
    /// In what: `body` or `query`.
    pub(crate) location_type: &'static str,
}

impl Invalid {
    fn in_query(location: &str, message: impl Into<String>) -> Invalid {
        Invalid { message: message.into(), location: location.into(), location_type: "query" }
    }

    fn in_body(location: impl Into<String>, message: impl Into<String>) -> Invalid {
        Invalid { message: message.into(), location: location.into(), location_type: "body" }
    }
}

/// What is to be shown of an object or a membership, beside what always is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) custom: bool,
    pub(crate) status: bool,
    /// The type.
    pub(crate) kind: bool,
}

/// What a request asks to be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Include {
    /// Of the object or membership itself.
    pub(crate) own: Fields,
    /// Of the object on a membership's other side.
    pub(crate) related: Fields,
    /// Whether more than the id of that object is shown.
    pub(crate) related_object: bool,
}

/// The other side of a membership, as it is called on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Related {
    Channel,
    User,
}

impl Related {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Related::Channel => "channel",
            Related::User => "uuid",
        }
    }
}

impl Include {
    /// Reads `include`, joined by commas or repeated. What is not known is not included.
    pub(crate) fn parse(query: &Query, related: Option<Related>) -> Include {
        let mut include = Include::default();
        for field in query.all("include").flat_map(|fields| fields.split(',')) {
            include.add(field.trim(), related.map(Related::as_str));
        }
        include
    }

    fn add(&mut self, field: &str, related: Option<&str>) {
        let (fields, field) = match field.split_once('.') {
            Some((prefix, field)) if Some(prefix) == related => (&mut self.related, field),
            Some(_) => return,
            None if Some(field) == related => {
                self.related_object = true;
                return;
            }
            None => (&mut self.own, field),
        };
        match field {
            "custom" => fields.custom = true,
            "status" => fields.status = true,
            "type" => fields.kind = true,
            _ => {}
        }
        // Whoever wants to see what the application keeps there sees the object too.
        self.related_object |= self.related.custom;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn includes_are_joined_or_repeated() {
        let include = |query: &str, related| Include::parse(&Query::parse(query), related);
        let own = Fields { custom: true, status: true, kind: true };
        let all = Include { own, ..Include::default() };
        assert_eq!(include("include=status%2Ctype,custom", None), all);
        assert_eq!(include("include=custom&include=status, type,channel,x.custom,", None), all);
        let memberships = include("include=channel.status,channel.type,status", Some(Related::Channel));
        assert!(!memberships.related_object && memberships.related.status && memberships.own.status);
        assert!(!memberships.own.custom && !memberships.own.kind);
        assert!(include("include=uuid", Some(Related::User)).related_object);
        let custom = include("include=uuid.custom,channel", Some(Related::User));
        assert!(custom.related_object && custom.related.custom && !custom.own.custom);
        assert_eq!(include("", Some(Related::User)), Include::default());
    }

    proptest! {
        #[test]
        fn nothing_panics(query: String) {
            for related in [None, Some(Related::Channel), Some(Related::User)] {
                let _ = Include::parse(&Query::parse(&query), related);
                let _ = Include::parse(&Query::parse(&format!("include={query}")), related);
            }
        }
    }
}
