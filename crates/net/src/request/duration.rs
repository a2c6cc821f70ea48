//! Durations as clients write them.

use std::time::Duration;

/// The most digits of a duration, so that none overflows.
const DIGITS_MAX: usize = 9;

/// What a duration has to look like, as a regular expression for the OpenAPI document.
pub const PATTERN: &str = "^[0-9]{1,9}(ms|s|m|h|d)?$";

/// The text is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a duration is 1 to 9 digits with ms, s, m, h or d, like 25s, or plain milliseconds")]
pub struct InvalidDuration;

/// Parses `250ms`, `25s`, `10m`, `1h`, `2d`, or plain milliseconds.
///
/// # Errors
/// It is none of that.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    let digits_end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    if digits.is_empty() || digits.len() > DIGITS_MAX {
        return Err(InvalidDuration);
    }
    let number: u64 = digits.parse().map_err(|_| InvalidDuration)?;
    match unit {
        "" | "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number * 60)),
        "h" => Ok(Duration::from_secs(number * 3600)),
        "d" => Ok(Duration::from_secs(number * 86_400)),
        _ => Err(InvalidDuration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_and_junk_is_refused() {
        for (text, millis) in [
            ("0", 0),
            ("2000", 2000),
            ("250ms", 250),
            ("25s", 25_000),
            ("10m", 600_000),
            ("1h", 3_600_000),
            ("2d", 172_800_000),
            ("999999999d", 999_999_999 * 86_400_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for junk in ["", "s", "-1s", "+1s", "1.5s", "1 s", "1S", "1w", "1sm", "1000000000", "٣s"] {
            assert_eq!(parse(junk), Err(InvalidDuration), "{junk}");
        }
    }
}
