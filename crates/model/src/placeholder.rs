use std::ops::Range;

use crate::{JsonToken, JsonTokens, RawJson, unescape_json};

/// Where JSON has bytes taken out of it: `{"_placeholder":true,"num":0}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholder {
    /// Where it stands in the JSON text.
    pub range: Range<usize>,
    /// The index of its attachment.
    pub number: usize,
}

/// JSON and the attachments that go with it do not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPlaceholders {
    /// A placeholder has members of other names, or points beyond the attachments.
    #[error("a placeholder points to no attachment")]
    Illegal,
    /// Two placeholders point to one attachment.
    #[error("two placeholders point to one attachment")]
    Duplicate,
    /// No placeholder points to an attachment.
    #[error("no placeholder points to an attachment")]
    Missing,
}

impl Placeholder {
    /// Writes a placeholder for the attachment `number`.
    pub fn write(number: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"_placeholder\":true,\"num\":");
        out.extend_from_slice(number.to_string().as_bytes());
        out.push(b'}');
    }

    /// Finds the placeholders of `attachments` attachments, in the order in which they stand. JSON that has none is searched for
    /// their name only.
    ///
    /// # Errors
    /// Not every attachment has exactly one placeholder, or one has members of other names or points nowhere.
    pub fn find(json: &RawJson, attachments: usize) -> Result<Vec<Placeholder>, InvalidPlaceholders> {
        if attachments == 0 && !may_have_any(json.as_str()) {
            return Ok(Vec::new());
        }
        let mut found = Vec::with_capacity(attachments);
        let mut seen = vec![false; attachments];
        let mut open: Vec<Container> = Vec::new();
        for (range, token) in JsonTokens::new(json.as_str()) {
            match token {
                JsonToken::Key(key) => {
                    if let Some(container) = open.last_mut() {
                        container.member(key);
                    }
                    continue;
                }
                JsonToken::Close => {
                    let Some(closed) = open.pop() else { continue };
                    if closed.marked {
                        let number = closed.placeholder()?;
                        match seen.get_mut(number) {
                            None => return Err(InvalidPlaceholders::Illegal),
                            Some(true) => return Err(InvalidPlaceholders::Duplicate),
                            Some(seen) => *seen = true,
                        }
                        found.push(Placeholder { range: closed.start..range.end, number });
                    }
                    continue;
                }
                JsonToken::OpenArray
                | JsonToken::OpenObject
                | JsonToken::String(_)
                | JsonToken::Scalar(_) => {}
            }
            if let Some(container) = open.last_mut() {
                container.value(token);
            }
            if matches!(token, JsonToken::OpenArray | JsonToken::OpenObject) {
                open.push(Container::new(range.start));
            }
        }
        if found.len() < attachments { Err(InvalidPlaceholders::Missing) } else { Ok(found) }
    }
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
        self.current = match unescape_json(key).as_deref() {
            Some("_placeholder") => Member::Mark,
            Some("num") => Member::Number,
            _ => Member::Other,
        };
    }

    /// The last of several members of one name counts, as it does for JavaScript.
    fn value(&mut self, token: JsonToken<'_>) {
        match self.current {
            Member::Mark => self.marked = token == JsonToken::Scalar("true"),
            Member::Number => {
                self.number = match token {
                    JsonToken::Scalar(digits) => digits.parse().ok(),
                    _ => None,
                };
            }
            Member::Other => {}
        }
        self.current = Member::Other;
    }

    fn placeholder(&self) -> Result<usize, InvalidPlaceholders> {
        match self.number {
            Some(number) if self.members == 2 => Ok(number),
            _ => Err(InvalidPlaceholders::Illegal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn numbers(json: &'static str, attachments: usize) -> Result<Vec<usize>, InvalidPlaceholders> {
        let json = RawJson::new(Bytes::from_static(json.as_bytes())).unwrap();
        Ok(Placeholder::find(&json, attachments)?.into_iter().map(|placeholder| placeholder.number).collect())
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
        use InvalidPlaceholders::{Duplicate, Illegal, Missing};
        for (json, attachments, error) in [
            (r#"["a"]"#, 1, Missing),
            (r#"[{"_placeholder":true,"num":0}]"#, 2, Missing),
            (r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#, 2, Duplicate),
            (r#"[{"_placeholder":true,"num":1}]"#, 1, Illegal),
            (r#"[{"_placeholder":true,"num":0}]"#, 0, Illegal),
            (r#"[{"_placeholder":true,"num":-1}]"#, 1, Illegal),
            (r#"[{"_placeholder":true,"num":0.0}]"#, 1, Illegal),
            (r#"[{"_placeholder":true,"num":"0"}]"#, 1, Illegal),
            (r#"[{"_placeholder":true,"num":99999999999999999999}]"#, 1, Illegal),
            (r#"[{"_placeholder":true}]"#, 1, Illegal),
            (r#"[{"_placeholder":true,"num":0,"x":1}]"#, 1, Illegal),
            (r#"[{"_placeholder":true,"num":0,"x":{"_placeholder":true,"num":1}}]"#, 2, Illegal),
        ] {
            assert_eq!(numbers(json, attachments), Err(error), "{json}");
        }
    }
}
