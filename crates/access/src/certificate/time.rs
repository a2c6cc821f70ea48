//! The times of a certificate (RFC 5280, 4.1.2.5): in UTC, and to the second.

use antiphon_model::Timestamp;

use super::der;
use super::info::MalformedCertificate;

/// A time before 1970 is 1970.
pub(super) fn read((tag, content): (u8, &[u8])) -> Result<Timestamp, MalformedCertificate> {
    let (year, rest) = match tag {
        der::UTC_TIME => {
            let (year, rest) = digits::<2>(content)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        der::GENERALIZED_TIME => digits::<4>(content)?,
        _ => return Err(MalformedCertificate),
    };
    let (month, rest) = digits::<2>(rest)?;
    let (day, rest) = digits::<2>(rest)?;
    let (hour, rest) = digits::<2>(rest)?;
    let (minute, rest) = digits::<2>(rest)?;
    let (second, rest) = digits::<2>(rest)?;
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (hour, minute, second) <= (23, 59, 60)
        && minute < 60
        && second <= 60;
    if !in_range || rest != b"Z" {
        return Err(MalformedCertificate);
    }
    let seconds = ((days_since_epoch(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Ok(Timestamp(u64::try_from(seconds).unwrap_or(0) * Timestamp::PER_SECOND))
}

fn digits<const N: usize>(text: &[u8]) -> Result<(i64, &[u8]), MalformedCertificate> {
    let (digits, rest) = text.split_first_chunk::<N>().ok_or(MalformedCertificate)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(MalformedCertificate);
    }
    Ok((digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')), rest))
}

/// Of a date of the Gregorian calendar. Years are counted from March, so that the day that leap years have is their last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    // 719,468 days lie between the first of March of the year 0 and 1970.
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_time_are_read() {
        for (tag, text, seconds) in [
            (der::UTC_TIME, "700101000000Z", 0),
            (der::UTC_TIME, "010909014640Z", 1_000_000_000),
            (der::UTC_TIME, "491231235959Z", 2_524_607_999),
            (der::UTC_TIME, "500101000000Z", 0),
            (der::GENERALIZED_TIME, "20000229120000Z", 951_825_600),
            (der::GENERALIZED_TIME, "20380119031408Z", 1 << 31),
            (der::GENERALIZED_TIME, "21000301000000Z", 4_107_542_400),
            (der::GENERALIZED_TIME, "99991231235959Z", 253_402_300_799),
        ] {
            assert_eq!(
                read((tag, text.as_bytes())),
                Ok(Timestamp(seconds * Timestamp::PER_SECOND)),
                "{text}"
            );
        }
        for text in [
            "",
            "700101000000",
            "7001010000Z",
            "701301000000Z",
            "700100000000Z",
            "700101240000Z",
            "70-101000000Z",
        ] {
            assert_eq!(read((der::UTC_TIME, text.as_bytes())), Err(MalformedCertificate), "{text}");
        }
        assert_eq!(read((der::UTF8, b"700101000000Z")), Err(MalformedCertificate));
    }
}
