//! Presence events as clients know them: what the hub tells, in other words.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json;

/// What the payload of one of the hub's presence events says.
#[derive(Deserialize)]
struct Told<'a> {
    /// None in an interval.
    #[serde(borrow, default)]
    identity: Option<Cow<'a, str>>,
    occupancy: u64,
    timestamp: u64,
    #[serde(borrow, default)]
    state: Option<&'a RawValue>,
    #[serde(borrow, default)]
    join: Option<&'a RawValue>,
    #[serde(borrow, default)]
    leave: Option<&'a RawValue>,
    #[serde(borrow, default)]
    timeout: Option<&'a RawValue>,
    #[serde(default)]
    here_now_refresh: Option<bool>,
}

/// An event, and what it says about itself: the payload, and the meta that mirrors it.
pub(crate) struct Event {
    pub(crate) payload: String,
    pub(crate) meta: String,
}

/// Puts an event of the hub's, `name` and payload, into clients' words. `channel` is whose presence it is. None if it is no event.
pub(crate) fn event(name: &str, told: &str, channel: &str) -> Option<Event> {
    let told: Told<'_> = serde_json::from_str(told).ok()?;
    let action = if name == "state" { "state-change" } else { name };
    let (mut payload, mut meta) = (Vec::with_capacity(128), Vec::with_capacity(160));
    payload.extend_from_slice(b"{\"action\":");
    json::string(action, &mut payload);
    meta.extend_from_slice(b"{\"pn_action\":");
    json::string(action, &mut meta);
    if let Some(identity) = &told.identity {
        payload.extend_from_slice(b",\"uuid\":");
        json::string(identity, &mut payload);
        meta.extend_from_slice(b",\"pn_uuid\":");
        json::string(identity, &mut meta);
    }
    for (out, prefix) in [(&mut payload, ""), (&mut meta, "pn_")] {
        out.extend_from_slice(format!(",\"{prefix}timestamp\":{}", told.timestamp).as_bytes());
        out.extend_from_slice(format!(",\"{prefix}occupancy\":{}", told.occupancy).as_bytes());
    }
    meta.extend_from_slice(b",\"pn_ispresence\":1,\"pn_channel\":");
    json::string(channel, &mut meta);
    meta.push(b'}');
    if told.state.is_some() || action == "state-change" {
        payload.extend_from_slice(b",\"data\":");
        payload.extend_from_slice(object(told.state.map_or("null", RawValue::get)).as_bytes());
    }
    for (name, list) in [("join", told.join), ("leave", told.leave), ("timeout", told.timeout)] {
        if let Some(list) = list {
            payload.extend_from_slice(format!(",\"{name}\":{}", list.get()).as_bytes());
        }
    }
    if told.here_now_refresh == Some(true) {
        payload.extend_from_slice(b",\"here_now_refresh\":true");
    }
    payload.push(b'}');
    Some(Event { payload: String::from_utf8(payload).ok()?, meta: String::from_utf8(meta).ok()? })
}

/// A state as an object, which clients need it to be: of another dialect it may be any value.
pub(crate) fn object(state: &str) -> Cow<'_, str> {
    match state.trim_start().as_bytes().first() {
        Some(b'{') => Cow::Borrowed(state),
        _ if state.trim() == "null" => Cow::Borrowed("{}"),
        _ => Cow::Owned(format!("{{\"state\":{state}}}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(name: &str, told: &str) -> (String, String) {
        let event = event(name, told, "room").unwrap();
        for text in [&event.payload, &event.meta] {
            serde_json::from_str::<serde_json::Value>(text).unwrap();
        }
        (event.payload, event.meta)
    }

    #[test]
    fn a_join_and_its_mirror() {
        let told = r#"{"identity":"u","occupancy":1,"timestamp":1660855842}"#;
        let (payload, meta) = both("join", told);
        assert_eq!(payload, r#"{"action":"join","uuid":"u","timestamp":1660855842,"occupancy":1}"#);
        assert_eq!(
            meta,
            r#"{"pn_action":"join","pn_uuid":"u","pn_timestamp":1660855842,"pn_occupancy":1,"pn_ispresence":1,"pn_channel":"room"}"#
        );
    }

    #[test]
    fn a_state_is_data_and_an_object() {
        for (name, state, data) in [
            ("state", r#","state":{"a":1}"#, r#","data":{"a":1}"#),
            ("join", r#","state":{"a":1}"#, r#","data":{"a":1}"#),
            ("state", "", r#","data":{}"#),
            ("state", r#","state":"away""#, r#","data":{"state":"away"}"#),
            ("leave", "", ""),
        ] {
            let (payload, _) =
                both(name, &format!(r#"{{"identity":"u","occupancy":2,"timestamp":3{state}}}"#));
            let action = if name == "state" { "state-change" } else { name };
            let expected = format!(r#"{{"action":"{action}","uuid":"u","timestamp":3,"occupancy":2{data}}}"#);
            assert_eq!(payload, expected);
        }
    }

    #[test]
    fn an_interval_has_lists_and_no_uuid() {
        let lists = r#""join":["a"],"leave":[],"timeout":["b"]"#;
        let (payload, meta) = both("interval", &format!(r#"{{"occupancy":2,"timestamp":3,{lists}}}"#));
        assert_eq!(payload, format!(r#"{{"action":"interval","timestamp":3,"occupancy":2,{lists}}}"#));
        assert!(!meta.contains("pn_uuid"));
        let (payload, _) = both("interval", r#"{"occupancy":2,"timestamp":3,"here_now_refresh":true}"#);
        assert!(payload.ends_with(r#""here_now_refresh":true}"#));
    }

    #[test]
    fn what_is_no_event_is_none() {
        assert!(event("join", "1", "room").is_none());
        assert!(event("join", "{}", "room").is_none());
    }
}
