use std::borrow::Cow;
use std::ops::Range;

/// What JSON is made of. Strings and keys are as written, quotes included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonToken<'a> {
    /// `[`.
    OpenArray,
    /// `{`.
    OpenObject,
    /// The end of either.
    Close,
    /// The name of a member.
    Key(&'a str),
    /// A string that is a value.
    String(&'a str),
    /// A number, `true`, `false` or `null`.
    Scalar(&'a str),
}

/// The tokens of a JSON value, and where each stands. Needs neither a stack nor memory; the text has to be valid JSON, of
/// other text it makes something that ends.
#[derive(Clone, Debug)]
pub struct JsonTokens<'a> {
    json: &'a str,
    at: usize,
}

impl<'a> JsonTokens<'a> {
    /// The tokens of `json`.
    pub fn new(json: &'a str) -> JsonTokens<'a> {
        JsonTokens { json, at: 0 }
    }

    /// Moves on to the first byte for which `skipped` does not hold.
    fn skip(&mut self, skipped: impl Fn(u8) -> bool) -> Option<u8> {
        let bytes = self.json.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            if !skipped(*byte) {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    /// Moves behind the string that begins here.
    fn skip_string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.skip(|byte| byte != b'"' && byte != b'\\') {
            self.at += if byte == b'"' { 1 } else { 2 };
            if byte == b'"' {
                return;
            }
        }
    }

    fn slice(&self, start: usize) -> &'a str {
        self.json.get(start..self.at).unwrap_or_default()
    }
}

impl<'a> Iterator for JsonTokens<'a> {
    type Item = (Range<usize>, JsonToken<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.skip(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':'))?;
        let start = self.at;
        if first == b'"' {
            self.skip_string();
            let range = start..self.at;
            let string = self.slice(start);
            // Only a key is followed by a colon.
            let is_key = self.skip(|byte| byte.is_ascii_whitespace()) == Some(b':');
            return Some((range, if is_key { JsonToken::Key(string) } else { JsonToken::String(string) }));
        }
        self.at += 1;
        let token = match first {
            b'[' => JsonToken::OpenArray,
            b'{' => JsonToken::OpenObject,
            b']' | b'}' => JsonToken::Close,
            _ => {
                self.skip(|byte| !matches!(byte, b',' | b']' | b'}') && !byte.is_ascii_whitespace());
                JsonToken::Scalar(self.slice(start))
            }
        };
        Some((start..self.at, token))
    }
}

/// What a string token or a key says; `None` if it has an unpaired surrogate.
pub fn unescape_json(string: &str) -> Option<Cow<'_, str>> {
    if string.contains('\\') {
        return serde_json::from_str(string).ok().map(Cow::Owned);
    }
    string.get(1..string.len().checked_sub(1)?).map(Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_told_apart() {
        let json = r#" {"a\"}" : [1 ,true,"x:"], "b":{}} "#;
        let tokens: Vec<_> = JsonTokens::new(json).map(|(_, token)| token).collect();
        let expected = [
            JsonToken::OpenObject,
            JsonToken::Key(r#""a\"}""#),
            JsonToken::OpenArray,
            JsonToken::Scalar("1"),
            JsonToken::Scalar("true"),
            JsonToken::String("\"x:\""),
            JsonToken::Close,
            JsonToken::Key("\"b\""),
            JsonToken::OpenObject,
            JsonToken::Close,
            JsonToken::Close,
        ];
        assert_eq!(tokens, expected);
        assert_eq!(unescape_json(r#""a\u0062""#).unwrap(), "ab");
        assert_eq!(unescape_json(r#""\ud800""#), None);
    }

    #[test]
    fn what_is_not_json_ends() {
        for text in ["\"", "\"\\", "[\"a", "é", "\\", "}]", "tru"] {
            assert!(JsonTokens::new(text).count() < 4, "{text}");
        }
    }
}
