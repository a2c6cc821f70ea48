//! Headers of files that are downloaded, and errors of uploads.

use std::ops::Range;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What of a file is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    All,
    Part(Range<u64>),
    /// Nothing that there is.
    Unsatisfiable,
}

/// Reads `Range` (RFC 9110, 14.2) for a file of `size` bytes. What is no range of bytes, and several of them, are answered with all of it.
pub(crate) fn range(header: &str, size: u64) -> Asked {
    let Some((unit, ranges)) = header.split_once('=') else { return Asked::All };
    if !unit.trim().eq_ignore_ascii_case("bytes") || ranges.contains(',') {
        return Asked::All;
    }
    let Some((first, last)) = ranges.trim().split_once('-') else { return Asked::All };
    let range = match (number(first), number(last)) {
        (Number::Is(first), Number::Is(last)) if first > last => return Asked::All,
        (Number::Is(first), Number::Is(last)) => first..last.saturating_add(1).min(size),
        (Number::Is(first), Number::None) => first..size,
        (Number::None, Number::Is(count)) => size.saturating_sub(count)..size,
        _ => return Asked::All,
    };
    if range.is_empty() { Asked::Unsatisfiable } else { Asked::Part(range) }
}

enum Number {
    None,
    Is(u64),
    Wrong,
}

fn number(text: &str) -> Number {
    let text = text.trim();
    if text.is_empty() {
        return Number::None;
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Number::Wrong;
    }
    // One of more digits than fit is as good as the highest.
    Number::Is(text.parse().unwrap_or(u64::MAX))
}

/// Whether `If-None-Match` names this tag (RFC 9110, 13.1.2).
pub(crate) fn names_tag(header: &str, tag: &str) -> bool {
    let weakly = |one: &str| one.trim().trim_start_matches("W/") == tag;
    header.trim() == "*" || header.split(',').any(weakly)
}

/// A header that makes browsers save a file instead of showing it (RFC 6266), with its name whatever is in that.
pub(crate) fn disposition(name: &str) -> String {
    let plain = |letter: char| match letter {
        'A'..='Z' | 'a'..='z' | '0'..='9' | ' ' | '.' | '-' | '_' => letter,
        _ => '_',
    };
    let ascii: String = name.chars().map(plain).take(FALLBACK_CHARACTERS_MAX).collect();
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{}", utf8_percent_encode(name, &NO_ATTRIBUTE))
}

/// How much of a name clients see that do not know `filename*`.
const FALLBACK_CHARACTERS_MAX: usize = 100;

/// What is not an `attr-char` (RFC 8187, 3.2.1).
const NO_ATTRIBUTE: AsciiSet = NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// What a file is said to be: what its client says, if no browser does anything with it but show or play it.
pub(crate) fn served_type(said: Option<&str>) -> &'static str {
    let said = said.unwrap_or_default();
    let essence = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    HARMLESS.iter().find(|harmless| **harmless == essence).unwrap_or(&"application/octet-stream")
}

/// Types that neither run anything nor change how a page looks. No HTML, SVG, script or style sheet.
const HARMLESS: &[&str] = &[
    "application/json",
    "application/pdf",
    "application/zip",
    "audio/aac",
    "audio/flac",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "audio/webm",
    "image/avif",
    "image/bmp",
    "image/gif",
    "image/heic",
    "image/jpeg",
    "image/png",
    "image/tiff",
    "image/webp",
    "text/csv",
    "text/plain",
    "video/mp4",
    "video/mpeg",
    "video/ogg",
    "video/quicktime",
    "video/webm",
];

/// Whether a text can be kept as what a file is said to be.
pub(crate) fn is_content_type(text: &str) -> bool {
    text.len() <= 255
        && text.contains('/')
        && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

/// Why an upload is refused, as it is told: `<Error><Code>…</Code><Message>…</Message></Error>`.
pub(crate) fn upload_error(code: &str, message: &str) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>");
    escape(code, &mut text);
    text.push_str("</Code><Message>");
    escape(message, &mut text);
    text.push_str("</Message></Error>");
    text
}

fn escape(text: &str, out: &mut String) {
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_of_one_part() {
        for (header, expected) in [
            ("bytes=0-3", Asked::Part(0..4)),
            ("bytes=4-", Asked::Part(4..10)),
            ("Bytes = 4-99", Asked::Part(4..10)),
            ("bytes=-3", Asked::Part(7..10)),
            ("bytes=-99", Asked::Part(0..10)),
            ("bytes=9-99999999999999999999999", Asked::Part(9..10)),
            ("bytes=-0", Asked::Unsatisfiable),
            ("bytes=10-", Asked::Unsatisfiable),
            ("bytes=99999999999999999999999-", Asked::Unsatisfiable),
            ("bytes=3-1", Asked::All),
            ("bytes=0-1,3-4", Asked::All),
            ("bytes=-", Asked::All),
            ("bytes=+1-2", Asked::All),
            ("lines=0-3", Asked::All),
            ("bytes", Asked::All),
        ] {
            assert_eq!(range(header, 10), expected, "{header}");
        }
        assert_eq!(range("bytes=0-", 0), Asked::Unsatisfiable);
    }

    #[test]
    fn tags_are_compared_weakly() {
        assert!(names_tag("\"a\", W/\"b\"", "\"b\"") && names_tag("*", "\"b\""));
        assert!(!names_tag("\"a\"", "\"b\"") && !names_tag("", "\"b\""));
    }

    #[test]
    fn any_name_can_stand_in_a_header() {
        assert_eq!(
            disposition("a\"\r\nSet-Cookie: x; ü.txt"),
            "attachment; filename=\"a___Set-Cookie_ x_ _.txt\"; filename*=UTF-8''a%22%0D%0ASet-Cookie%3A%20x%3B%20%C3%BC.txt"
        );
    }

    #[test]
    fn nothing_that_runs_is_served_as_such() {
        assert_eq!(served_type(Some("image/PNG; x=y")), "image/png");
        for said in
            ["text/html", "image/svg+xml", "text/javascript", "text/css", "multipart/x-mixed-replace", ""]
        {
            assert_eq!(served_type(Some(said)), "application/octet-stream", "{said}");
        }
    }

    #[test]
    fn errors_are_xml() {
        assert_eq!(
            upload_error("EntityTooLarge", "a<b>&\n"),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>EntityTooLarge</Code><Message>a&lt;b&gt;&amp; </Message></Error>"
        );
    }

    proptest! {
        #[test]
        fn no_range_is_beyond_the_file(header in "bytes=[0-9-]{0,25}", any: String, size in 0..100u64) {
            for header in [header, any] {
                if let Asked::Part(part) = range(&header, size) {
                    prop_assert!(part.start < part.end && part.end <= size);
                }
            }
        }

        #[test]
        fn every_disposition_is_a_header(name: String) {
            prop_assert!(http::HeaderValue::from_str(&disposition(&name)).is_ok());
        }
    }
}
