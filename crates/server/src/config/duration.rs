use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration as StdDuration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The most digits of a duration, so that none overflows.
const DIGITS_MAX: usize = 9;

/// From the largest, so that a duration is written with the largest unit that leaves no rest.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// How long something takes or lasts, as people write it: `250ms`, `25s`, `10m`, `1h`, `2d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Duration(pub(crate) StdDuration);

/// How long something is kept: a duration, or `forever`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Age {
    /// Its time comes.
    For(Duration),
    /// It does not.
    Forever,
}

/// The text is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a duration is a whole number with ms, s, m, h or d, like \"250ms\" or \"25s\"")]
pub(crate) struct InvalidDuration;

/// The text is neither a duration nor `forever`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give a duration like \"10m\" or \"7d\", or \"forever\"")]
pub(crate) struct InvalidAge;

impl Duration {
    pub(crate) const fn from_millis(millis: u64) -> Duration {
        Duration(StdDuration::from_millis(millis))
    }

    pub(crate) const fn from_secs(secs: u64) -> Duration {
        Duration(StdDuration::from_secs(secs))
    }

    pub(crate) const fn from_days(days: u64) -> Duration {
        Duration::from_secs(days * 86_400)
    }
}

impl Age {
    /// The duration; none is for ever.
    pub(crate) fn limit(self) -> Option<StdDuration> {
        match self {
            Age::For(duration) => Some(duration.0),
            Age::Forever => None,
        }
    }
}

impl FromStr for Duration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Duration, InvalidDuration> {
        let digits_end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
        let (digits, unit) = text.split_at(digits_end);
        if digits.is_empty() || digits.len() > DIGITS_MAX {
            return Err(InvalidDuration);
        }
        let number: u64 = digits.parse().map_err(|_| InvalidDuration)?;
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(InvalidDuration)?;
        Ok(Duration::from_millis(number * millis))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        if millis == 0 {
            return f.write_str("0s");
        }
        let (unit, size) = UNITS
            .iter()
            .find(|(_, size)| millis.is_multiple_of(u128::from(*size)))
            .expect("every number of milliseconds is a multiple of one");
        write!(f, "{}{unit}", millis / u128::from(*size))
    }
}

impl FromStr for Age {
    type Err = InvalidAge;

    fn from_str(text: &str) -> Result<Age, InvalidAge> {
        match text {
            "forever" => Ok(Age::Forever),
            text => text.parse().map(Age::For).map_err(|_| InvalidAge),
        }
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Age::For(duration) => duration.fmt(f),
            Age::Forever => f.write_str("forever"),
        }
    }
}

impl TryFrom<String> for Duration {
    type Error = InvalidDuration;

    fn try_from(text: String) -> Result<Duration, InvalidDuration> {
        text.parse()
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> String {
        duration.to_string()
    }
}

impl TryFrom<String> for Age {
    type Error = InvalidAge;

    fn try_from(text: String) -> Result<Age, InvalidAge> {
        text.parse()
    }
}

impl From<Age> for String {
    fn from(age: Age) -> String {
        age.to_string()
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "title": "duration", "pattern": "^[0-9]{1,9}(ms|s|m|h|d)$" })
    }

    fn inline_schema() -> bool {
        true
    }
}

impl JsonSchema for Age {
    fn schema_name() -> Cow<'static, str> {
        "Age".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "title": "duration or \"forever\"",
            "pattern": "^([0-9]{1,9}(ms|s|m|h|d)|forever)$",
        })
    }

    fn inline_schema() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, millis, written) in [
            ("0s", 0, "0s"),
            ("0d", 0, "0s"),
            ("250ms", 250, "250ms"),
            ("1500ms", 1500, "1500ms"),
            ("2000ms", 2000, "2s"),
            ("25s", 25_000, "25s"),
            ("10m", 600_000, "10m"),
            ("60m", 3_600_000, "1h"),
            ("7d", 604_800_000, "7d"),
            ("999999999d", 999_999_999 * 86_400_000, "999999999d"),
        ] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration, Duration::from_millis(millis), "{text}");
            assert_eq!(duration.to_string(), written);
        }
        for junk in ["", "s", "10", "-1s", "1.5s", "1 s", "1S", "1w", "1000000000s", "forever"] {
            assert_eq!(junk.parse::<Duration>(), Err(InvalidDuration), "{junk}");
        }
    }

    #[test]
    fn ages_may_be_forever() {
        assert_eq!("forever".parse(), Ok(Age::Forever));
        assert_eq!("7d".parse(), Ok(Age::For(Duration::from_days(7))));
        assert_eq!("never".parse::<Age>(), Err(InvalidAge));
        assert_eq!(Age::Forever.limit(), None);
    }
}
