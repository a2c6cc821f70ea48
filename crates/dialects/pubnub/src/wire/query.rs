//! The query of a request: form-urlencoded, unknown parameters ignored, and some that are repeated.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The parameters of a query, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(Box<str>, Box<str>)>);

/// How many parameters are looked at. What comes after them is ignored: clients send some fifteen.
const PARAMETERS_MAX: usize = 256;

impl Query {
    /// Splits a query. Every text is one; a parameter that is not UTF-8 is none that anybody asks for.
    pub(crate) fn parse(text: &str) -> Query {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).take(PARAMETERS_MAX);
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?.into(), decode(value)?.into()))
        };
        Query(pairs.filter_map(pair).collect())
    }

    /// A parameter; the first, if it is repeated.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| **key == *name).map(|(_, value)| &**value)
    }

    /// As [`Query::one`]; none also if there is nothing in it.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.one(name).filter(|value| !value.is_empty())
    }

    /// A parameter as often as it is there.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| **key == *name).map(|(_, value)| &**value)
    }

    /// Whether a parameter says yes: `1`, `true` or `True`.
    pub(crate) fn says_yes(&self, name: &str) -> bool {
        self.one(name).is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
    }

    /// Whether a parameter says no: `0`, `false` or `False`.
    pub(crate) fn says_no(&self, name: &str) -> bool {
        self.one(name).is_some_and(|value| value == "0" || value.eq_ignore_ascii_case("false"))
    }

    /// A parameter that is a number in plain decimal digits; none if it is not there or not one.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        let value = self.filled(name)?;
        // `parse` alone would also take a sign.
        value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok()).flatten()
    }
}

/// Decodes a form-urlencoded text, in which `+` is a space.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('+') {
        return percent_decode_str(text).decode_utf8().ok();
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
    Some(Cow::Owned(decoded.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parameters_are_decoded_and_may_be_repeated() {
        let query =
            Query::parse("a=1&sort=x%3Aasc&b=%22x+y%2Bz%22&&sort=y&c&%ff=1&d=%ff&n=12&s=+1&t=True&f=0");
        assert_eq!(query.one("a"), Some("1"));
        assert_eq!(query.one("b"), Some("\"x y+z\""));
        assert_eq!((query.one("c"), query.filled("c")), (Some(""), None));
        assert_eq!(query.one("d"), None);
        assert_eq!(query.all("sort").collect::<Vec<_>>(), ["x:asc", "y"]);
        assert_eq!((query.number("n"), query.number("s"), query.number("b")), (Some(12), None, None));
        assert!(query.says_yes("a") && query.says_yes("t") && !query.says_yes("f") && !query.says_yes("x"));
        assert!(query.says_no("f") && !query.says_no("a") && !query.says_no("x"));
    }

    proptest! {
        #[test]
        fn every_text_is_a_query(text in "[a-c=&%+0-9f]{0,40}", any in any::<String>()) {
            for text in [text, any] {
                let query = Query::parse(&text);
                let _ = (query.one("a"), query.number("b"), query.says_yes("c"), query.all("").count());
            }
        }
    }
}
