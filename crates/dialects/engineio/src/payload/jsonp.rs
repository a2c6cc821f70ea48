//! JSONP: answers are scripts, and what the client sends is a form.

use std::fmt::{self, Write as _};

use super::{PayloadError, utf8};
use crate::form;

/// `j` of the query: which callback of the page an answer calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JsonpIndex(u32);

impl JsonpIndex {
    /// Reads the parameter; only digits are an index, so that nothing of a page's URL becomes script.
    pub fn parse(text: &str) -> Option<JsonpIndex> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { text.parse().ok().map(JsonpIndex) } else { None }
    }
}

impl fmt::Display for JsonpIndex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Makes of a text payload the script that hands it to the page.
pub fn jsonp_script(index: JsonpIndex, payload: &str) -> String {
    let mut script = String::with_capacity(payload.len() + payload.len() / 8 + 24);
    write!(script, "___eio[{index}](\"").expect("a string takes all that is written");
    for character in payload.chars() {
        match character {
            '"' => script.push_str("\\\""),
            '\\' => script.push_str("\\\\"),
            '\n' => script.push_str("\\n"),
            '\r' => script.push_str("\\r"),
            '\t' => script.push_str("\\t"),
            // Line ends to JavaScript, though not to JSON; `<`, so that no `</script>` can stand in it.
            '\0'..='\x1f' | '\x7f' | '\u{2028}' | '\u{2029}' | '<' => {
                write!(script, "\\u{:04x}", u32::from(character))
                    .expect("a string takes all that is written");
            }
            _ => script.push(character),
        }
    }
    script.push_str("\");");
    script
}

/// Reads the payload out of the form that a JSONP client posts: `d`, with line ends that the client has written as `\n`, and
/// a written `\n` as `\\n`.
///
/// # Errors
/// The form has no `d`, or it is not UTF-8.
pub fn jsonp_body(body: &[u8]) -> Result<String, PayloadError> {
    let data = form::last(utf8(body)?, "d").ok_or(PayloadError::Form)?.map_err(|_| PayloadError::NotUtf8)?;
    let mut out = String::with_capacity(data.len());
    let mut rest = &*data;
    while let Some(at) = rest.find('\\') {
        let (before, escaped) = rest.split_at(at);
        out.push_str(before);
        rest = if let Some(after) = escaped.strip_prefix("\\\\n") {
            out.push_str("\\n");
            after
        } else if let Some(after) = escaped.strip_prefix("\\n") {
            out.push('\n');
            after
        } else {
            out.push('\\');
            &escaped[1..]
        };
    }
    out.push_str(rest);
    Ok(out)
}
