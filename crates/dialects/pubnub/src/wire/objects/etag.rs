//! `If-Match`: an object is changed only if it is the one that was read.

/// Which eTags a request may meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// Whatever it is, if there is one.
    Any,
    /// One of these.
    OneOf(Vec<Box<str>>),
}

/// How many eTags are looked at. Clients send one.
const TAGS_MAX: usize = 16;

impl IfMatch {
    /// Reads the value of the header: with or without quotes, as clients copy what they found in an object.
    pub(crate) fn parse(header: &str) -> IfMatch {
        if header.trim() == "*" {
            return IfMatch::Any;
        }
        let tag = |tag: &str| {
            let tag = tag.trim();
            let tag = tag.strip_prefix("W/").unwrap_or(tag);
            tag.trim_matches('"').into()
        };
        IfMatch::OneOf(header.split(',').take(TAGS_MAX).map(tag).collect())
    }

    /// Whether an object may be changed that has this one.
    pub(crate) fn is_met_by(&self, etag: Option<&str>) -> bool {
        match (self, etag) {
            (IfMatch::Any, etag) => etag.is_some(),
            (IfMatch::OneOf(tags), Some(etag)) => tags.iter().any(|tag| **tag == *etag),
            (IfMatch::OneOf(_), None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_come_with_quotes_or_without() {
        for header in ["AbC", "\"AbC\"", "W/\"AbC\"", " \"x\" , \"AbC\""] {
            let if_match = IfMatch::parse(header);
            assert!(if_match.is_met_by(Some("AbC")), "{header}");
            assert!(!if_match.is_met_by(Some("other")) && !if_match.is_met_by(None), "{header}");
        }
        assert!(IfMatch::parse("*").is_met_by(Some("x")) && !IfMatch::parse(" * ").is_met_by(None));
        assert!(!IfMatch::parse("").is_met_by(Some("x")));
    }
}
