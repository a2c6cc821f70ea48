//! What the dashboard's user can have done.

use std::sync::Arc;

use serde::ser::{Serialize, SerializeTuple, Serializer};
use serde_json::Value;

use crate::{BroadcastOperator, Disconnect, Event, HandlerError, HandlerResult, Namespace, Outcome};

/// Adds the events that act.
pub(super) fn install(admin: &Namespace) {
    for (name, act) in [
        ("emit", emit as fn(&Event) -> HandlerResult),
        ("join", join),
        ("leave", leave),
        ("_disconnect", disconnect),
    ] {
        admin.on(name, Arc::new(move |event| Outcome::Ready(act(&event))));
    }
}

/// Everybody in a namespace, or in a room of it.
fn target(event: &Event, namespace: &str, filter: Option<&str>) -> Result<BroadcastOperator, HandlerError> {
    let found = event.socket.io().namespace(namespace);
    let found = found.ok_or_else(|| HandlerError::new(format!("there is no namespace {namespace}")))?;
    Ok(match filter.filter(|room| !room.is_empty()) {
        Some(room) => found.in_(room),
        None => found.everyone(),
    })
}

fn emit(event: &Event) -> HandlerResult {
    let arguments: Vec<Value> = event.arguments.iter().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let [Value::String(namespace), filter, Value::String(name), values @ ..] = &arguments[..] else {
        return Err(HandlerError::new("emit takes a namespace, a room or null, an event and its arguments"));
    };
    let target = target(event, namespace, filter.as_str())?;
    Ok(target.emit(name, Spread(values))?)
}

/// Each value an argument.
struct Spread<'a>(&'a [Value]);

impl Serialize for Spread<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|value| tuple.serialize_element(value))?;
        tuple.end()
    }
}

fn join(event: &Event) -> HandlerResult {
    let (namespace, room, filter): (String, String, Option<String>) = event.arguments.parse()?;
    target(event, &namespace, filter.as_deref())?.sockets_join(&*room)?;
    Ok(())
}

fn leave(event: &Event) -> HandlerResult {
    let (namespace, room, filter): (String, String, Option<String>) = event.arguments.parse()?;
    target(event, &namespace, filter.as_deref())?.sockets_leave(&*room);
    Ok(())
}

fn disconnect(event: &Event) -> HandlerResult {
    let (namespace, close, filter): (String, Option<bool>, Option<String>) = event.arguments.parse()?;
    let what = if close.unwrap_or(false) { Disconnect::Connection } else { Disconnect::Namespace };
    target(event, &namespace, filter.as_deref())?.disconnect_sockets(what);
    Ok(())
}
