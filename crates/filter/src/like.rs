//! `LIKE`: `*` stands for any run of characters, and `\*` for a star.

/// Whether a text is like a pattern. Takes time in proportion to both lengths at worst, never more.
pub(crate) fn is_like(text: &str, pattern: &str) -> bool {
    let pieces = pieces(pattern);
    let Some((first, rest)) = pieces.split_first() else { return text.is_empty() };
    let text = text.to_ascii_lowercase();
    let Some((last, middle)) = rest.split_last() else { return text == *first };
    let Some(mut text) = text.strip_prefix(&**first) else { return false };
    for piece in middle {
        match text.find(&**piece) {
            Some(at) => text = &text[at + piece.len()..],
            None => return false,
        }
    }
    text.ends_with(&**last)
}

/// What stands between the stars, in lower case.
pub(crate) fn pieces(pattern: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        let piece = match character {
            '*' => {
                pieces.push(String::new());
                continue;
            }
            '\\' if characters.peek().is_some_and(|next| ['*', '\\'].contains(next)) => characters.next(),
            character => Some(character),
        };
        let last = pieces.last_mut().into_iter();
        last.zip(piece).for_each(|(last, character)| last.push(character.to_ascii_lowercase()));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_run() {
        for (text, pattern, expected) in [
            ("", "", true),
            ("", "*", true),
            ("abc", "abc", true),
            ("ABC", "abC", true),
            ("ÄB", "äb", false),
            ("abc", "ab", false),
            ("abc", "a*", true),
            ("abc", "*c", true),
            ("abc", "*b*", true),
            ("abc", "a*b*c", true),
            ("abc", "a*c*b", false),
            ("aa", "a*a", true),
            ("a", "a*a", false),
            ("a*c", r"a\*c", true),
            ("abc", r"a\*c", false),
            (r"a\c", r"a\\c", true),
            (r"a\c", r"a\c", true),
            ("100%_", "100%_", true),
            ("1000", "100%", false),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "*a*a*a*a*a*a*a*a*c", false),
        ] {
            assert_eq!(is_like(text, pattern), expected, "{text} LIKE {pattern}");
        }
    }
}
