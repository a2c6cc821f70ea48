//! Actions on messages: what is said of one that is added, and how they are told of.

use std::borrow::Cow;

use antiphon_model::{Payload, Position, RawJson};
use antiphon_store::Action;
use serde::Deserialize;

use super::json;
use super::query::Query;

/// How many actions one answer lists.
pub(crate) const ACTIONS_MAX: usize = 100;

/// How many characters the type of an action has at most: clients let through no more than 15.
const TYPE_CHARS_MAX: usize = 100;

/// What an action is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewAction {
    pub(crate) kind: Box<str>,
    pub(crate) value: Box<str>,
}

/// The body says no action.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidAction {
    /// It is no object of this shape.
    #[error("Request payload contained invalid input: {0}")]
    Body(String),
    /// Nothing is in it, or it is missing.
    #[error("Missing field: {0}")]
    Missing(&'static str),
    /// It is longer than it may be.
    #[error("Field is too long: {0}")]
    TooLong(&'static str),
}

impl NewAction {
    /// Reads `{"type":"…","value":"…"}`; other members are ignored.
    ///
    /// # Errors
    /// It is something else, or one of the two is empty or too long.
    pub(crate) fn parse(body: &[u8], value_bytes_max: usize) -> Result<NewAction, InvalidAction> {
        #[derive(Deserialize)]
        struct Body<'a> {
            #[serde(borrow, rename = "type", default)]
            kind: Cow<'a, str>,
            #[serde(borrow, default)]
            value: Cow<'a, str>,
        }
        // An array would be taken for its members.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(InvalidAction::Body("it is no object".into()));
        }
        let Body { kind, value } =
            serde_json::from_slice(body).map_err(|error| InvalidAction::Body(error.to_string()))?;
        for (name, text) in [("type", &kind), ("value", &value)] {
            if text.is_empty() {
                return Err(InvalidAction::Missing(name));
            }
        }
        if kind.chars().count() > TYPE_CHARS_MAX {
            return Err(InvalidAction::TooLong("type"));
        }
        if value.len() > value_bytes_max {
            return Err(InvalidAction::TooLong("value"));
        }
        Ok(NewAction { kind: kind.into(), value: value.into() })
    }
}

/// Which actions of a channel a query asks for: those older than `start` and not older than `end`, at most `limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ActionsAsked {
    pub(crate) start: Option<Position>,
    pub(crate) end: Option<Position>,
    pub(crate) limit: usize,
}

impl ActionsAsked {
    /// Reads a query.
    ///
    /// # Errors
    /// The parameter of this name is no timetoken or number.
    pub(crate) fn parse(query: &Query) -> Result<ActionsAsked, &'static str> {
        let timetoken = |name: &'static str| {
            query.filled(name).map(|text| text.parse::<Position>().map_err(|_| name)).transpose()
        };
        let limit = match query.filled("limit") {
            None => ACTIONS_MAX,
            Some(_) => {
                let limit = query.number("limit").filter(|limit| *limit > 0).ok_or("limit")?;
                usize::try_from(limit).unwrap_or(ACTIONS_MAX).min(ACTIONS_MAX)
            }
        };
        Ok(ActionsAsked { start: timetoken("start")?, end: timetoken("end")?, limit })
    }
}

/// Answers with one action.
pub(crate) fn one(action: &Action) -> Vec<u8> {
    let mut out = br#"{"status":200,"data":"#.to_vec();
    write(action, &mut out);
    out.push(b'}');
    out
}

/// Answers with a list of actions, and with where it goes on, if it does: before the oldest of them.
pub(crate) fn list(actions: &[Action], asked: ActionsAsked, more_at: Option<&str>) -> Vec<u8> {
    let mut out = br#"{"status":200,"data":["#.to_vec();
    for (index, action) in actions.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(action, &mut out);
    }
    out.push(b']');
    if let (Some(path), Some(oldest)) = (more_at, actions.first()) {
        let end = asked.end.map(|end| format!("&end={end}")).unwrap_or_default();
        out.extend_from_slice(b",\"more\":{\"url\":");
        json::string(&format!("{path}?start={}{end}&limit={}", oldest.position, asked.limit), &mut out);
        out.extend_from_slice(b",\"start\":");
        json::timetoken(oldest.position, &mut out);
        if let Some(end) = asked.end {
            out.extend_from_slice(b",\"end\":");
            json::timetoken(end, &mut out);
        }
        out.extend_from_slice(b",\"limit\":");
        json::number(asked.limit as u64, &mut out);
        out.push(b'}');
    }
    out.push(b'}');
    out
}

/// What an action that was removed is answered with.
pub(crate) const REMOVED: &[u8] = br#"{"status":200,"data":{}}"#;

/// What became of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    Added,
    Removed,
}

/// What subscribers of the channel get.
pub(crate) fn event(happened: Happened, action: &Action) -> Payload {
    let mut out = br#"{"source":"actions","version":"1.0","event":"#.to_vec();
    out.extend_from_slice(match happened {
        Happened::Added => b"\"added\"",
        Happened::Removed => b"\"removed\"",
    });
    out.extend_from_slice(b",\"data\":{\"messageTimetoken\":");
    json::timetoken(action.message, &mut out);
    out.extend_from_slice(b",\"actionTimetoken\":");
    json::timetoken(action.position, &mut out);
    out.extend_from_slice(b",\"type\":");
    json::string(&action.kind, &mut out);
    out.extend_from_slice(b",\"value\":");
    json::string(&action.value, &mut out);
    out.extend_from_slice(b"}}");
    Payload::Json(RawJson::from_serializer(out))
}

fn write(action: &Action, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":");
    json::string(&action.kind, out);
    out.extend_from_slice(b",\"value\":");
    json::string(&action.value, out);
    out.extend_from_slice(b",\"uuid\":");
    json::string(&action.publisher, out);
    out.extend_from_slice(b",\"actionTimetoken\":");
    json::timetoken(action.position, out);
    out.extend_from_slice(b",\"messageTimetoken\":");
    json::timetoken(action.message, out);
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn action(kind: &str, value: &str) -> Action {
        Action {
            message: Position(15_610_547_826_970_050),
            position: Position(15_610_547_826_970_051),
            kind: kind.into(),
            value: value.into(),
            publisher: "ann".into(),
        }
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn actions_are_read() {
        let parse = |body: &str| NewAction::parse(body.as_bytes(), 10);
        let expected = NewAction { kind: "reaction".into(), value: "smiley_face".into() };
        let body = r#"{"type":"reaction","value":"smiley\u005fface","x":[1]}"#;
        assert_eq!(NewAction::parse(body.as_bytes(), 100), Ok(expected));
        assert_eq!(parse(r#"{"type":"reaction"}"#), Err(InvalidAction::Missing("value")));
        assert_eq!(parse(r#"{"value":"x"}"#), Err(InvalidAction::Missing("type")));
        assert_eq!(parse(r#"{"type":"","value":"x"}"#), Err(InvalidAction::Missing("type")));
        assert_eq!(parse(r#"{"type":"x","value":"12345678901"}"#), Err(InvalidAction::TooLong("value")));
        assert!(matches!(parse(r#"{"type":"x","value":1}"#), Err(InvalidAction::Body(_))));
        assert!(matches!(parse("[]"), Err(InvalidAction::Body(_))));
        let long = format!(r#"{{"type":"{}","value":"x"}}"#, "x".repeat(TYPE_CHARS_MAX + 1));
        assert_eq!(parse(&long), Err(InvalidAction::TooLong("type")));
    }

    #[test]
    fn answers_are_as_clients_expect() {
        let action = action("reaction", "smiley_face");
        let data = concat!(
            r#"{"type":"reaction","value":"smiley_face","uuid":"ann","#,
            r#""actionTimetoken":"15610547826970051","messageTimetoken":"15610547826970050"}"#,
        );
        assert_eq!(text(one(&action)), format!(r#"{{"status":200,"data":{data}}}"#));
        let asked = |query: &str| ActionsAsked::parse(&Query::parse(query)).unwrap();
        let actions = [action];
        assert_eq!(text(list(&actions, asked(""), None)), format!(r#"{{"status":200,"data":[{data}]}}"#));
        assert_eq!(text(list(&[], asked(""), Some("/x"))), r#"{"status":200,"data":[]}"#);
        let path = "/v1/message-actions/demo/channel/c";
        assert_eq!(
            text(list(&actions, asked("end=15&limit=1"), Some(path))),
            format!(
                r#"{{"status":200,"data":[{data}],"more":{{"url":"{path}?start=15610547826970051&end=15&limit=1","start":"15610547826970051","end":"15","limit":1}}}}"#
            )
        );
    }

    #[test]
    fn events_say_what_happened() {
        let Payload::Json(event) = event(Happened::Removed, &action("a", "\"b\"")) else { panic!() };
        assert_eq!(
            event.as_str(),
            concat!(
                r#"{"source":"actions","version":"1.0","event":"removed","data":{"messageTimetoken":"15610547826970050","#,
                r#""actionTimetoken":"15610547826970051","type":"a","value":"\"b\""}}"#,
            )
        );
    }

    #[test]
    fn limits_and_timetokens_are_checked() {
        let asked = |query: &str| ActionsAsked::parse(&Query::parse(query));
        let expected = ActionsAsked { start: Some(Position(2)), end: Some(Position(1)), limit: 100 };
        assert_eq!(asked("start=2&end=1&limit=1000"), Ok(expected));
        assert_eq!(asked("start=x"), Err("start"));
        assert_eq!(asked("end=-"), Err("end"));
        assert_eq!((asked("limit=0"), asked("limit=x")), (Err("limit"), Err("limit")));
    }

    proptest! {
        #[test]
        fn nothing_panics_and_what_is_taken_is_told(body: Vec<u8>, kind in ".{1,20}", value in ".{1,20}") {
            let _ = NewAction::parse(&body, 100);
            let body = serde_json::json!({"type": kind, "value": value}).to_string();
            let new = NewAction::parse(body.as_bytes(), 100).unwrap();
            let told: serde_json::Value = serde_json::from_slice(&one(&action(&new.kind, &new.value))).unwrap();
            prop_assert_eq!(&told["data"]["type"], &kind);
            prop_assert_eq!(&told["data"]["value"], &value);
        }
    }
}
