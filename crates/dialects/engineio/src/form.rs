//! `application/x-www-form-urlencoded`: queries, and what JSONP clients post.

use std::borrow::Cow;

/// A value whose escapes do not make UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotUtf8;

/// The pairs of a form, names and values still escaped.
pub(crate) fn pairs(form: &str) -> impl Iterator<Item = (&str, &str)> {
    form.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// The last value of a name, as the reference server takes it.
pub(crate) fn last<'a>(form: &'a str, name: &str) -> Option<Result<Cow<'a, str>, NotUtf8>> {
    pairs(form).filter(|(key, _)| *key == name).last().map(|(_, value)| decoded(value))
}

/// Undoes `+` and percent-encoding; a `%` that begins no escape stands for itself.
pub(crate) fn decoded(value: &str) -> Result<Cow<'_, str>, NotUtf8> {
    if !value.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Ok(Cow::Borrowed(value));
    }
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'+', _) => out.push(b' '),
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            (byte, _) => out.push(*byte),
        }
    }
    String::from_utf8(out).map(Cow::Owned).map_err(|_| NotUtf8)
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        for (escaped, plain) in
            [("a", "a"), ("a+b", "a b"), ("%e2%82%AC", "€"), ("%", "%"), ("%4", "%4"), ("%zz", "%zz")]
        {
            assert_eq!(decoded(escaped).as_deref(), Ok(plain), "{escaped}");
        }
        assert_eq!(decoded("%ff"), Err(NotUtf8));
    }

    #[test]
    fn the_last_of_a_name_counts() {
        assert_eq!(last("a=1&b=2&a=3", "a"), Some(Ok("3".into())));
        assert_eq!(last("a", "a"), Some(Ok("".into())));
        assert_eq!(last("ab=1&&", "a"), None);
    }
}
