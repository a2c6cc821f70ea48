use std::ops::Range;

use antiphon_model::RawJson;

use super::error::DecodeError;
use super::tokens::{Token, Tokens, unescape};

/// Where JSON has an attachment taken out: `{"_placeholder":true,"num":0}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placeholder {
    pub(crate) range: Range<usize>,
    pub(crate) number: usize,
}

/// Writes a placeholder.
pub(crate) fn write(out: &mut Vec<u8>, number: usize) {
    out.extend_from_slice(b"{\"_placeholder\":true,\"num\":");
    out.extend_from_slice(number.to_string().as_bytes());
    out.push(b'}');
}

/// Finds the placeholders of `attachments` attachments, in the order in which they stand. JSON that has none is searched for
/// their name only.
///
/// # Errors
/// Not every attachment has exactly one placeholder, or one has members of other names or points nowhere.
pub(crate) fn find(json: &RawJson, attachments: usize) -> Result<Vec<Placeholder>, DecodeError> {
    if attachments == 0 && !may_have_any(json.as_str()) {
        return Ok(Vec::new());
    }
    let mut found = Vec::with_capacity(attachments);
    let mut seen = vec![false; attachments];
    let mut open: Vec<Container> = Vec::new();
    for (range, token) in Tokens::new(json.as_str()) {
        match token {
            Token::Key(key) => {
                if let Some(container) = open.last_mut() {
                    container.member(key);
                }
                continue;
            }
            Token::Close => {
                let Some(closed) = open.pop() else { continue };
                if closed.marked {
                    let number = closed.placeholder()?;
                    match seen.get_mut(number) {
                        None => return Err(DecodeError::IllegalPlaceholder),
                        Some(true) => return Err(DecodeError::DuplicatePlaceholder),
                        Some(seen) => *seen = true,
                    }
                    found.push(Placeholder { range: closed.start..range.end, number });
                }
                continue;
            }
            Token::OpenArray | Token::OpenObject | Token::String(_) | Token::Scalar(_) => {}
        }
        if let Some(container) = open.last_mut() {
            container.value(token);
        }
        if matches!(token, Token::OpenArray | Token::OpenObject) {
            open.push(Container::new(range.start));
        }
    }
    if found.len() < attachments { Err(DecodeError::MissingPlaceholder) } else { Ok(found) }
}

/// An escape may hide the name.
fn may_have_any(json: &str) -> bool {
    json.contains("_placeholder") || json.contains('\\')
}

/// What is known of an array or object so far.
struct Container {
    start: usize,
    members: usize,
    current: Member,
    marked: bool,
    number: Option<usize>,
}

#[derive(Clone, Copy)]
enum Member {
    Mark,
    Number,
    Other,
}

impl Container {
    fn new(start: usize) -> Container {
        Container { start, members: 0, current: Member::Other, marked: false, number: None }
    }

    fn member(&mut self, key: &str) {
        self.members += 1;
        self.current = match unescape(key).as_deref() {
            Some("_placeholder") => Member::Mark,
            Some("num") => Member::Number,
            _ => Member::Other,
        };
    }

    /// The last of several members of one name counts, as it does for JavaScript.
    fn value(&mut self, token: Token<'_>) {
        match self.current {
            Member::Mark => self.marked = token == Token::Scalar("true"),
            Member::Number => {
                self.number = match token {
                    Token::Scalar(digits) => digits.parse().ok(),
                    _ => None,
                };
            }
            Member::Other => {}
        }
        self.current = Member::Other;
    }

    fn placeholder(&self) -> Result<usize, DecodeError> {
        match self.number {
            Some(number) if self.members == 2 => Ok(number),
            _ => Err(DecodeError::IllegalPlaceholder),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn numbers(json: &'static str, attachments: usize) -> Result<Vec<usize>, DecodeError> {
        let json = RawJson::new(Bytes::from_static(json.as_bytes())).unwrap();
        Ok(find(&json, attachments)?.into_iter().map(|placeholder| placeholder.number).collect())
    }

    #[test]
    fn placeholders_are_found_wherever_they_stand() {
        assert_eq!(numbers(r#"["a",{"_placeholder":true,"num":0}]"#, 1), Ok(vec![0]));
        assert_eq!(
            numbers(
                r#"["a",{"num":1, "_placeholder" : true},[[{"x":{"\u005fplaceholder":true,"num":0}}]]]"#,
                2
            ),
            Ok(vec![1, 0])
        );
        assert_eq!(numbers(r#"["_placeholder",{"_placeholder":false,"num":0},{"num":7}]"#, 0), Ok(vec![]));
        assert_eq!(numbers(r#"[{"_placeholder":true,"_placeholder":1,"num":9}]"#, 0), Ok(vec![]));
    }

    #[test]
    fn each_attachment_has_one_placeholder() {
        use DecodeError::{DuplicatePlaceholder, IllegalPlaceholder, MissingPlaceholder};
        for (json, attachments, error) in [
            (r#"["a"]"#, 1, MissingPlaceholder),
            (r#"[{"_placeholder":true,"num":0}]"#, 2, MissingPlaceholder),
            (r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#, 2, DuplicatePlaceholder),
            (r#"[{"_placeholder":true,"num":1}]"#, 1, IllegalPlaceholder),
            (r#"[{"_placeholder":true,"num":0}]"#, 0, IllegalPlaceholder),
            (r#"[{"_placeholder":true,"num":-1}]"#, 1, IllegalPlaceholder),
            (r#"[{"_placeholder":true,"num":0.0}]"#, 1, IllegalPlaceholder),
            (r#"[{"_placeholder":true,"num":"0"}]"#, 1, IllegalPlaceholder),
            (r#"[{"_placeholder":true,"num":99999999999999999999}]"#, 1, IllegalPlaceholder),
            (r#"[{"_placeholder":true}]"#, 1, IllegalPlaceholder),
            (r#"[{"_placeholder":true,"num":0,"x":1}]"#, 1, IllegalPlaceholder),
            (r#"[{"_placeholder":true,"num":0,"x":{"_placeholder":true,"num":1}}]"#, 2, IllegalPlaceholder),
        ] {
            assert_eq!(numbers(json, attachments), Err(error), "{json}");
        }
    }
}
