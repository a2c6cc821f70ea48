//! Lists of channels and groups as they stand in paths and queries.

use std::sync::Arc;

use antiphon_model::{ChannelFlags, ChannelId, InvalidChannelName};

/// What the name of a channel's presence events ends with.
pub(crate) const PRESENCE_SUFFIX: &str = "-pnpres";

/// The names of a decoded list: a lone comma is none, and empty ones do not count. Duplicates stay.
pub(crate) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|name| !name.is_empty())
}

/// The names of a decoded list, each once, in their order.
pub(crate) fn unique(text: &str) -> Vec<&str> {
    let mut seen = std::collections::HashSet::new();
    list(text).filter(|name| seen.insert(*name)).collect()
}

/// A channel by the name that a client gives it.
///
/// # Errors
/// No channel can be called that.
pub(crate) fn channel(name: &str) -> Result<Arc<ChannelId>, InvalidChannelName> {
    ChannelId::new(name, ChannelFlags::NONE).map(Arc::new)
}

/// What stands before `.*` in `a.*` and `a.b.*`; none for every other name, which is a channel's own.
pub(crate) fn wildcard_prefix(name: &str) -> Option<&str> {
    let prefix = name.strip_suffix(".*")?;
    let segments = prefix.split('.').count();
    let plain = !prefix.contains('*') && prefix.split('.').all(|segment| !segment.is_empty());
    (plain && segments <= WILDCARD_SEGMENTS_MAX).then_some(prefix)
}

/// How many segments may stand before the asterisk.
const WILDCARD_SEGMENTS_MAX: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_comma_is_nothing_and_duplicates_count() {
        assert_eq!(list(",").count(), 0);
        assert_eq!(list("").count(), 0);
        assert_eq!(list("a,,b,a").collect::<Vec<_>>(), ["a", "b", "a"]);
        assert_eq!(unique("a,,b,a"), ["a", "b"]);
    }

    #[test]
    fn wildcards_have_one_or_two_segments() {
        for (name, prefix) in [
            ("a.*", Some("a")),
            ("a.b.*", Some("a.b")),
            ("a.b.c.*", None),
            ("*", None),
            (".*", None),
            ("a..*", None),
            ("*.*", None),
            ("a*", None),
            ("a.*.b", None),
            ("a.*.*", None),
            ("a.b", None),
        ] {
            assert_eq!(wildcard_prefix(name), prefix, "{name}");
        }
    }
}
