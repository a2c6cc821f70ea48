use crate::wire::error::DecodeError;

/// What an extension stands for in JSON.
pub(super) enum Extension {
    Undefined,
    /// Milliseconds since the epoch.
    Date(i64),
}

impl Extension {
    /// Type 0 is what clients' encoder writes for `undefined` (one byte) and, before MessagePack had a type for it, for
    /// dates (eight bytes, milliseconds). Type -1 is MessagePack's timestamp.
    pub(super) fn read(kind: i8, data: &[u8]) -> Result<Extension, DecodeError> {
        match (kind, data) {
            (0, [_]) => Ok(Extension::Undefined),
            (0, data) => {
                let milliseconds = data.try_into().map_err(|_| DecodeError::UnsupportedMsgpack)?;
                Ok(Extension::Date(i64::from_be_bytes(milliseconds)))
            }
            (-1, data) => timestamp(data).map(Extension::Date).ok_or(DecodeError::UnsupportedMsgpack),
            _ => Err(DecodeError::UnsupportedMsgpack),
        }
    }
}

/// Seconds, with nanoseconds or without, to milliseconds.
fn timestamp(data: &[u8]) -> Option<i64> {
    let (seconds, nanoseconds) = match data.len() {
        4 => (i64::from(u32::from_be_bytes(data.try_into().ok()?)), 0),
        8 => {
            let both = u64::from_be_bytes(data.try_into().ok()?);
            (i64::try_from(both & ((1 << 34) - 1)).ok()?, u32::try_from(both >> 34).ok()?)
        }
        12 => {
            let (nanoseconds, seconds) = data.split_at(4);
            (i64::from_be_bytes(seconds.try_into().ok()?), u32::from_be_bytes(nanoseconds.try_into().ok()?))
        }
        _ => return None,
    };
    seconds.checked_mul(1000)?.checked_add(i64::from(nanoseconds / 1_000_000))
}

/// A date as `JSON.stringify` writes it, in quotes; null beyond what a JavaScript date holds.
pub(super) fn write_date(out: &mut Vec<u8>, milliseconds: i64) {
    /// 100 million days to either side of the epoch.
    const DATE_MAX: i64 = 8_640_000_000_000_000;
    if !(-DATE_MAX..=DATE_MAX).contains(&milliseconds) {
        out.extend_from_slice(b"null");
        return;
    }
    let (days, time) = (milliseconds.div_euclid(86_400_000), milliseconds.rem_euclid(86_400_000));
    let (year, month, day) = civil(days);
    let year = match year {
        0..=9999 => format!("{year:04}"),
        _ => format!("{year:+07}"),
    };
    let (hours, minutes, seconds) = (time / 3_600_000, time / 60_000 % 60, time / 1000 % 60);
    let text =
        format!("\"{year}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z\"", time % 1000);
    out.extend_from_slice(text.as_bytes());
}

/// Year, month and day of a day counted from the epoch. Years here begin in March, so that leap days end them.
fn civil(days: i64) -> (i64, i64, i64) {
    const DAYS_OF_400_YEARS: i64 = 146_097;
    /// From 1 March of the year 0 to the epoch.
    const EPOCH: i64 = 719_468;
    let days = days + EPOCH;
    let (era, day) = (days.div_euclid(DAYS_OF_400_YEARS), days.rem_euclid(DAYS_OF_400_YEARS));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_javascript_does() {
        for (milliseconds, text) in [
            (0, "\"1970-01-01T00:00:00.000Z\""),
            (-1, "\"1969-12-31T23:59:59.999Z\""),
            (951_782_400_000, "\"2000-02-29T00:00:00.000Z\""),
            (1_704_067_199_123, "\"2023-12-31T23:59:59.123Z\""),
            (253_402_300_800_000, "\"+010000-01-01T00:00:00.000Z\""),
            (-62_198_755_200_000, "\"-000001-01-01T00:00:00.000Z\""),
            (8_640_000_000_000_000, "\"+275760-09-13T00:00:00.000Z\""),
            (-8_640_000_000_000_000, "\"-271821-04-20T00:00:00.000Z\""),
            (i64::MAX, "null"),
            (i64::MIN, "null"),
        ] {
            let mut out = Vec::new();
            write_date(&mut out, milliseconds);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn the_three_timestamps_are_read() {
        assert_eq!(timestamp(&[0, 0, 0, 2]), Some(2000));
        assert_eq!(timestamp(&((5_000_000_u64 << 34) | 3).to_be_bytes()), Some(3005));
        let mut long = 7_000_000_u32.to_be_bytes().to_vec();
        long.extend((-1_i64).to_be_bytes());
        assert_eq!(timestamp(&long), Some(-993));
        assert_eq!(timestamp(&[0xff; 12]), Some(3294));
        assert_eq!(timestamp(&[0x7f; 12]), None);
        assert_eq!(timestamp(&[0; 5]), None);
    }
}
