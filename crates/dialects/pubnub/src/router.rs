//! Which route a request is for, by its raw path: names may contain an encoded slash.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// One part of a route's pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'p> {
    /// This text.
    Literal(&'p str),
    /// One segment, whatever it is: `{name}`.
    Name(&'p str),
    /// All that is left, slashes included, at least one character: `{*name}`.
    Rest(&'p str),
}

/// What a path has where its route's pattern has a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Captures(Vec<(&'static str, Box<str>)>);

impl Captures {
    /// What stands at `{name}`, decoded. Empty if the pattern has no such name.
    pub(crate) fn of(&self, name: &str) -> &str {
        self.0.iter().find(|(other, _)| *other == name).map_or("", |(_, value)| value)
    }
}

/// Whether a raw path is of a pattern like `/v2/history/{sub}/{*rest}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    No,
    /// It is, but a segment is not UTF-8.
    NotUtf8,
    Yes(Captures),
}

/// Compares a raw path with a pattern. A slash at the end of the path does not count.
pub(crate) fn matches(pattern: &'static str, path: &str) -> Match {
    let Some(mut rest) = path.strip_prefix('/') else { return Match::No };
    let mut raw: Vec<(&'static str, &str)> = Vec::new();
    let mut parts = parts(pattern).peekable();
    while let Some(part) = parts.next() {
        if let Part::Rest(name) = part {
            if rest.is_empty() {
                return Match::No;
            }
            raw.push((name, rest));
            rest = "";
            break;
        }
        let (segment, after) = rest.split_once('/').unwrap_or((rest, ""));
        match part {
            Part::Literal(text) if text != segment => return Match::No,
            Part::Name(_) if segment.is_empty() => return Match::No,
            Part::Name(name) => raw.push((name, segment)),
            Part::Literal(_) | Part::Rest(_) => {}
        }
        if parts.peek().is_some() && after.is_empty() {
            return Match::No;
        }
        rest = after;
    }
    if !rest.is_empty() {
        return Match::No;
    }
    let decode = |(name, text)| Some((name, decode(text)?.into()));
    raw.into_iter().map(decode).collect::<Option<_>>().map_or(Match::NotUtf8, |all| Match::Yes(Captures(all)))
}

fn parts(pattern: &'static str) -> impl Iterator<Item = Part<'static>> {
    pattern.split('/').skip(1).map(|part| {
        let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        match name.map(|name| name.strip_prefix('*').ok_or(name)) {
            None => Part::Literal(part),
            Some(Ok(name)) => Part::Rest(name),
            Some(Err(name)) => Part::Name(name),
        }
    })
}

/// A segment in the clear, if it is UTF-8.
fn decode(segment: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(segment).decode_utf8().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn captured(pattern: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
        match matches(pattern, path) {
            Match::Yes(Captures(all)) => {
                Some(all.into_iter().map(|(name, text)| (name, text.into())).collect())
            }
            Match::No | Match::NotUtf8 => None,
        }
    }

    #[test]
    fn segments_are_captured_and_decoded() {
        let publish = "/publish/{pub}/{sub}/0/{channel}/0/{*json}";
        let all = captured(publish, "/publish/p/s/0/a%2Fb%20%23%C3%BC/0/%22x%2Fy/z%22").unwrap();
        let expected = [("pub", "p"), ("sub", "s"), ("channel", "a/b #ü"), ("json", "\"x/y/z\"")]
            .map(|(n, v)| (n, v.into()));
        assert_eq!(all, expected);
        for path in
            ["/publish/p/s/0/a/0", "/publish/p/s/0/a/0/", "/publish/p/s/1/a/0/1", "/publish/p/s", "/", ""]
        {
            assert_eq!(captured(publish, path), None, "{path}");
        }
    }

    #[test]
    fn a_slash_at_the_end_does_not_count_and_more_does() {
        assert!(captured("/time/0", "/time/0").is_some());
        assert!(captured("/time/0", "/time/0/").is_some());
        assert!(captured("/time/0", "/time/0//").is_none());
        assert!(captured("/time/0", "/time/0/1").is_none());
        assert!(captured("/time/0", "/time").is_none());
        assert!(captured("/a/{b}", "/a//").is_none());
        assert_eq!(matches("/a/{b}", "/a/%ff"), Match::NotUtf8);
    }

    proptest! {
        #[test]
        fn nothing_panics_and_what_is_encoded_comes_back(path: String, name in "[^\u{0}]{1,20}") {
            for pattern in ["/a/{b}", "/{a}/{b}/{*c}", "/"] {
                matches(pattern, &path);
            }
            let encoded = percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC);
            let path = format!("/a/{encoded}/c");
            prop_assert_eq!(captured("/a/{b}/c", &path), Some(vec![("b", name)]));
        }
    }
}
