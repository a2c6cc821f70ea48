use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use crate::args::OutputArgs;

/// A message as the server writes it.
#[derive(Debug)]
pub(super) struct Message {
    /// As it came.
    json: Box<RawValue>,
    parts: Parts,
}

/// What of it is printed.
#[derive(Debug, Deserialize)]
struct Parts {
    position: String,
    channel: String,
    #[serde(default)]
    kind: Option<String>,
    name: String,
    #[serde(default)]
    publisher: Option<String>,
    payload: Box<RawValue>,
    #[serde(default)]
    encoding: Option<String>,
}

/// A reply to a broadcast.
#[derive(Debug, Deserialize)]
pub(super) struct Reply {
    payload: Box<RawValue>,
    #[serde(default)]
    publisher: Option<String>,
    #[serde(default)]
    encoding: Option<String>,
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Message, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        let parts = serde_json::from_str(json.get()).map_err(de::Error::custom)?;
        Ok(Message { json, parts })
    }
}

impl Message {
    pub(super) fn position(&self) -> &str {
        &self.parts.position
    }
}

/// How messages are printed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Printer {
    /// The payload as it is.
    Raw,
    /// The message as it came.
    Json,
    /// For people: who, what, the payload.
    Line,
    /// The same with the channel before it.
    LineWithChannel,
}

impl Printer {
    pub(super) fn new(output: OutputArgs, channels: usize) -> Printer {
        match output {
            OutputArgs { raw: true, .. } => Printer::Raw,
            OutputArgs { json: true, .. } => Printer::Json,
            _ if channels > 1 => Printer::LineWithChannel,
            _ => Printer::Line,
        }
    }

    /// Prints a message and a line break.
    pub(super) fn print(self, message: &Message, out: &mut impl Write) -> io::Result<()> {
        let Parts { channel, kind, name, publisher, payload, encoding, .. } = &message.parts;
        match self {
            Printer::Raw => return print_raw(payload, encoding.as_deref(), out),
            Printer::Json => return writeln!(out, "{}", message.json),
            Printer::LineWithChannel => write!(out, "[{}] ", Printable(channel))?,
            Printer::Line => {}
        }
        let kind = kind.as_deref().map(|kind| format!("{kind} ")).unwrap_or_default();
        print_who(publisher.as_deref(), out)?;
        writeln!(out, "{}{}: {payload}", Printable(&kind), Printable(name))
    }
}

impl Reply {
    /// Prints the reply and a line break.
    pub(super) fn print(&self, raw: bool, out: &mut impl Write) -> io::Result<()> {
        if raw {
            return print_raw(&self.payload, self.encoding.as_deref(), out);
        }
        match self.publisher.as_deref() {
            Some(publisher) => writeln!(out, "{}: {}", Printable(publisher), self.payload),
            None => writeln!(out, "{}", self.payload),
        }
    }
}

fn print_who(publisher: Option<&str>, out: &mut impl Write) -> io::Result<()> {
    match publisher {
        Some(publisher) => write!(out, "{} ", Printable(publisher)),
        None => Ok(()),
    }
}

/// Text and bytes as they were published, other JSON as it is.
fn print_raw(payload: &RawValue, encoding: Option<&str>, out: &mut impl Write) -> io::Result<()> {
    match serde_json::from_str::<String>(payload.get()) {
        Err(_) => out.write_all(payload.get().as_bytes())?,
        Ok(text) => match encoding {
            Some("base64") => out.write_all(&STANDARD.decode(&text).unwrap_or(text.into_bytes()))?,
            _ => out.write_all(text.as_bytes())?,
        },
    }
    out.write_all(b"\n")
}

/// What others wrote, without what would steer a terminal.
pub(crate) struct Printable<'a>(pub(crate) &'a str);

impl std::fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|char| match char.is_control() {
            true => write!(f, "{}", char.escape_default()),
            false => write!(f, "{char}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(printer: Printer, json: &str) -> String {
        let message: Message = serde_json::from_str(json).unwrap();
        let mut out = Vec::new();
        printer.print(&message, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn messages_are_printed_for_people_and_for_programs() {
        let json = r#"{"position":"7","channel":"room","name":"message","payload":{"n":1.0},"publisher":"al\u001bice"}"#;
        assert_eq!(printed(Printer::Json, json), format!("{json}\n"));
        assert_eq!(printed(Printer::Raw, json), "{\"n\":1.0}\n");
        assert_eq!(printed(Printer::Line, json), "al\\u{1b}ice message: {\"n\":1.0}\n");
        assert_eq!(printed(Printer::LineWithChannel, json), "[room] al\\u{1b}ice message: {\"n\":1.0}\n");
    }

    #[test]
    fn raw_text_and_bytes_are_as_they_were_published() {
        let text = r#"{"position":"7","channel":"a","name":"n","payload":"line\n\"two\""}"#;
        assert_eq!(printed(Printer::Raw, text), "line\n\"two\"\n");
        assert_eq!(printed(Printer::Line, text), "n: \"line\\n\\\"two\\\"\"\n");
        let bytes = r#"{"position":"7","channel":"a","name":"n","payload":"aGk=","encoding":"base64","kind":"signal"}"#;
        assert_eq!(printed(Printer::Raw, bytes), "hi\n");
        assert_eq!(printed(Printer::Line, bytes), "signal n: \"aGk=\"\n");
    }
}
