//! The query of a URL.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// A parameter of the request that is not what it has to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct InvalidParameter {
    /// Its name.
    pub name: Cow<'static, str>,
    /// What it has to be.
    pub reason: Cow<'static, str>,
}

impl InvalidParameter {
    /// Says what the parameter has to be, as a sentence whose subject is its name.
    pub fn new(name: &'static str, reason: impl Into<Cow<'static, str>>) -> InvalidParameter {
        InvalidParameter { name: name.into(), reason: reason.into() }
    }
}

/// The query of a URL, form-urlencoded. Values are decoded when they are asked for; what nobody asks for is ignored.
#[derive(Clone, Debug, Default)]
pub struct Query<'a> {
    pairs: Vec<(Cow<'a, str>, &'a str)>,
}

impl<'a> Query<'a> {
    /// Splits a query into its parameters. Every text is a query.
    pub fn parse(text: &'a str) -> Query<'a> {
        let pair = |pair: &'a str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // A name that is not UTF-8 is none that anybody asks for.
            Some((decode(name)?, value))
        };
        Query { pairs: text.split('&').filter(|pair| !pair.is_empty()).filter_map(pair).collect() }
    }

    /// A parameter that is there at most once.
    ///
    /// # Errors
    /// It is there twice, or is not UTF-8.
    pub fn one(&self, name: &'static str) -> Result<Option<Cow<'a, str>>, InvalidParameter> {
        let mut values = self.pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| *value);
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(InvalidParameter::new(name, "is given twice"));
        }
        decoded(name, value).map(Some)
    }

    /// A parameter that is there any number of times.
    ///
    /// # Errors
    /// One of them is not UTF-8, or there are more than `max`.
    pub fn all(&self, name: &'static str, max: usize) -> Result<Vec<Cow<'a, str>>, InvalidParameter> {
        let values = self.pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| *value);
        if values.clone().count() > max {
            return Err(InvalidParameter::new(name, format!("is given more than {max} times")));
        }
        values.map(|value| decoded(name, value)).collect()
    }

    /// A parameter that something can be parsed from.
    ///
    /// # Errors
    /// As [`Query::one`], or what `parse` says.
    pub fn parsed<T, E: Into<Cow<'static, str>>>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, InvalidParameter> {
        let Some(value) = self.one(name)? else { return Ok(None) };
        parse(&value).map(Some).map_err(|reason| InvalidParameter::new(name, reason))
    }

    /// `true` or `false`; false if it is not there.
    ///
    /// # Errors
    /// It is something else.
    pub fn flag(&self, name: &'static str) -> Result<Option<bool>, InvalidParameter> {
        self.parsed(name, |value| match value {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("is true or false"),
        })
    }

    /// A number within a range, in plain decimal digits.
    ///
    /// # Errors
    /// It is something else.
    pub fn number(
        &self,
        name: &'static str,
        range: std::ops::RangeInclusive<usize>,
    ) -> Result<Option<usize>, InvalidParameter> {
        self.parsed(name, |value| {
            // `parse` alone would also take a sign.
            let digits = value.bytes().all(|byte| byte.is_ascii_digit());
            let number = if digits { value.parse().ok() } else { None };
            number
                .filter(|number| range.contains(number))
                .ok_or_else(|| format!("is a number from {} to {}", range.start(), range.end()))
        })
    }

    /// A duration.
    ///
    /// # Errors
    /// It is something else.
    pub fn duration(&self, name: &'static str) -> Result<Option<std::time::Duration>, InvalidParameter> {
        self.parsed(name, |value| super::duration::parse(value).map_err(|error| error.to_string()))
    }

    /// A JSON value.
    ///
    /// # Errors
    /// It is something else.
    pub fn json(&self, name: &'static str) -> Result<Option<antiphon_model::RawJson>, InvalidParameter> {
        self.parsed(name, |value| {
            antiphon_model::RawJson::new(value.to_owned().into()).map_err(|error| error.to_string())
        })
    }
}

fn decoded<'a>(name: &'static str, value: &'a str) -> Result<Cow<'a, str>, InvalidParameter> {
    decode(value).ok_or_else(|| InvalidParameter::new(name, "is not UTF-8"))
}

/// Decodes a form-urlencoded text, in which `+` is a space.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('+') {
        return percent_decode(text.as_bytes()).decode_utf8().ok();
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode(spaced.as_bytes()).decode_utf8().ok()?;
    Some(Cow::Owned(decoded.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parameters_are_decoded() {
        let query = Query::parse("a=1&b=x+y%2Bz&&c&%64=%F0%9F%A6%80&e==&=f&%ff=g");
        assert_eq!(query.one("a").unwrap().as_deref(), Some("1"));
        assert_eq!(query.one("b").unwrap().as_deref(), Some("x y+z"));
        assert_eq!(query.one("c").unwrap().as_deref(), Some(""));
        assert_eq!(query.one("d").unwrap().as_deref(), Some("🦀"));
        assert_eq!(query.one("e").unwrap().as_deref(), Some("="));
        assert_eq!(query.one("x").unwrap(), None);
    }

    #[test]
    fn errors_name_the_parameter() {
        let query =
            Query::parse("twice=1&twice=2&bytes=%ff&flag=yes&number=0&sign=+1&wait=1w&state={&e=1&e=2&e=3");
        let reasons = [
            query.one("twice").unwrap_err(),
            query.one("bytes").unwrap_err(),
            query.flag("flag").unwrap_err(),
            query.number("number", 1..=10).unwrap_err(),
            query.number("sign", 1..=10).unwrap_err(),
            query.duration("wait").unwrap_err(),
            query.all("e", 2).unwrap_err(),
        ];
        let expected = [
            "twice: is given twice",
            "bytes: is not UTF-8",
            "flag: is true or false",
            "number: is a number from 1 to 10",
            "sign: is a number from 1 to 10",
            "wait: a duration is 1 to 9 digits with ms, s, m, h or d, like 25s, or plain milliseconds",
            "e: is given more than 2 times",
        ];
        assert_eq!(reasons.map(|reason| reason.to_string()), expected);
        assert!(query.json("state").unwrap_err().to_string().starts_with("state: not valid JSON: "));
    }

    proptest! {
        #[test]
        fn every_text_is_a_query(text in "[a-c=&%+0-9f]{0,40}", any in any::<String>()) {
            for text in [text, any] {
                let query = Query::parse(&text);
                for name in ["a", "b", "c", ""] {
                    let _ = (query.one(name), query.all(name, 3), query.flag(name), query.json(name));
                    let _ = (query.number(name, 0..=9), query.duration(name));
                }
            }
        }

        #[test]
        fn what_is_encoded_is_decoded(value in any::<String>()) {
            let encoded: String =
                percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC).collect();
            let text = format!("x=1&value={encoded}&y");
            let decoded = Query::parse(&text).one("value").unwrap();
            prop_assert_eq!(decoded.as_deref(), Some(value.as_str()));
        }
    }
}
