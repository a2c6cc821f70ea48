//! What every namespace does with its sockets.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use antiphon::{
    Binary, BroadcastResponse, Data, Disconnect, DisconnectReason, EventArguments, EventName, HandlerError,
    Namespace, Rooms, Socket, Transport, TryData,
};
use serde_json::{Value, json};

use crate::tell;
use crate::values::{Any, Names, before, behind, only, values};

type Done = Result<(), Box<dyn Error>>;

/// Has a namespace tell of its sockets and answer what the tests ask.
pub(crate) fn welcome(namespace: &Namespace) {
    namespace.on_connection(|socket: Socket| {
        let (namespace, id) = (socket.namespace().name().to_owned(), socket.id().to_string());
        tell(&json!({ "connected": { "namespace": namespace, "id": id, "recovered": socket.recovered() } }));
    });
    namespace.on_disconnect(|socket: Socket, reason: DisconnectReason| {
        let (namespace, id) = (socket.namespace().name().to_owned(), socket.id().to_string());
        tell(&json!({ "disconnected": { "namespace": namespace, "id": id, "reason": reason.as_str() } }));
    });
    namespace.use_packet(|name: EventName| match &*name {
        "forbidden" => Err("this event is forbidden"),
        _ => Ok(()),
    });
    namespace.on_error(|socket: Socket, error: &HandlerError| {
        // Who is gone need not be told.
        let _ = socket.emit("refused", error.to_string());
    });
    echoes(namespace);
    questions(namespace);
    rooms(namespace);
    announcements(namespace);
    state(namespace);
}

fn echoes(namespace: &Namespace) {
    namespace.on("echo", |socket: Socket, arguments: EventArguments| socket.emit("echo", &arguments));
    namespace.on("answer", |arguments: EventArguments| arguments);
    namespace.on("measure", |TryData(bytes): TryData<Binary>| Data(bytes.ok().map(|bytes| bytes.len())));
    namespace.on("count", |socket: Socket, Data(n): Data<u32>| -> Done {
        (0..n).try_for_each(|number| socket.emit("number", number))?;
        Ok(())
    });
    namespace.on("count volatile", |socket: Socket, Data(n): Data<u32>| -> Done {
        (0..n).try_for_each(|number| socket.volatile().emit("number", number))?;
        Ok(socket.emit("counted", ())?)
    });
    namespace.on("bye", |socket: Socket, Data(how): Data<String>| {
        socket.disconnect(if how == "connection" { Disconnect::Connection } else { Disconnect::Namespace });
    });
}

fn questions(namespace: &Namespace) {
    namespace.on(
        "ask me",
        |socket: Socket, Data(timeout_ms): Data<u64>, arguments: EventArguments| async move {
            let asked = socket.timeout(Duration::from_millis(timeout_ms));
            let told = match asked.emit_with_ack("question", behind(1, &arguments)?)?.await {
                Ok(answers) => before(None, &answers)?,
                Err(_) => only("timed out")?,
            };
            Ok::<_, Box<dyn Error>>(socket.emit("answered", &told)?)
        },
    );
    namespace.on(
        "ask room",
        |socket: Socket, Data(room): Data<String>, Data(timeout_ms): Data<u64>, Data(value): Data<Any>| async move {
            let asked = socket.to(&room).timeout(Duration::from_millis(timeout_ms));
            let (late, responses) = match asked.emit_with_ack("question", &value)?.await {
                Ok(responses) => (None, responses),
                Err(late) => (Some("timed out"), late.responses),
            };
            Ok::<_, Box<dyn Error>>(Data((late, first_values(&responses)?)))
        },
    );
}

fn first_values(responses: &[BroadcastResponse]) -> Result<Vec<Option<Any>>, Box<dyn Error>> {
    let first = |response: &BroadcastResponse| Ok(values(&response.arguments)?.into_iter().next().flatten());
    responses.iter().map(first).collect()
}

fn rooms(namespace: &Namespace) {
    namespace.on("join", |socket: Socket, Data(names): Data<Names>| -> Result<Data<()>, Box<dyn Error>> {
        socket.join(names.into_list())?;
        Ok(Data(()))
    });
    namespace.on("leave", |socket: Socket, Data(name): Data<String>| {
        socket.leave(&name);
        Data(())
    });
    namespace.on("rooms", |socket: Socket, Rooms(rooms): Rooms| {
        let own = socket.id().to_string();
        let others: Vec<_> = rooms.iter().map(|room| room.to_string()).filter(|room| *room != own).collect();
        json!(others)
    });
    namespace.on("who is in", |socket: Socket, Data(room): Data<String>| async move {
        let members = socket.namespace().in_(&room).fetch_sockets().await;
        let mut ids: Vec<_> = members.iter().map(|member| member.id.to_string()).collect();
        ids.sort_unstable();
        json!(ids)
    });
}

fn announcements(namespace: &Namespace) {
    namespace.on("say", |socket: Socket, Data(names): Data<Names>, arguments: EventArguments| -> Done {
        Ok(socket.to(names.into_list()).emit("said", behind(1, &arguments)?)?)
    });
    namespace.on(
        "say to all in",
        |socket: Socket, Data(names): Data<Names>, arguments: EventArguments| -> Done {
            Ok(socket.namespace().to(names.into_list()).emit("said", behind(1, &arguments)?)?)
        },
    );
    namespace.on(
        "say except",
        |socket: Socket,
         Data(names): Data<Names>,
         Data(except): Data<Names>,
         arguments: EventArguments|
         -> Done {
            let receivers = socket.namespace().to(names.into_list()).except(except.into_list());
            Ok(receivers.emit("said", behind(2, &arguments)?)?)
        },
    );
    namespace.on(
        "say volatile",
        |socket: Socket, Data(names): Data<Names>, arguments: EventArguments| -> Done {
            Ok(socket.to(names.into_list()).volatile().emit("said", behind(1, &arguments)?)?)
        },
    );
    namespace.on("announce", |socket: Socket, arguments: EventArguments| {
        socket.broadcast().emit("announced", &arguments)
    });
    namespace.on("announce to all", |socket: Socket, arguments: EventArguments| {
        socket.namespace().emit("announced", &arguments)
    });
    namespace.on("whisper", |socket: Socket, Data(id): Data<String>, arguments: EventArguments| -> Done {
        Ok(socket.to(&id).emit("said", behind(1, &arguments)?)?)
    });
}

fn state(namespace: &Namespace) {
    namespace.on("who am i", |socket: Socket, transport: Transport| {
        let handshake = socket.handshake();
        let query: BTreeMap<_, _> = handshake.engine().parameters().collect();
        json!({
            "id": socket.id().to_string(),
            "recovered": socket.recovered(),
            "transport": if transport == Transport::Polling { "polling" } else { "websocket" },
            "auth": handshake.auth_as::<Value>().unwrap_or_default(),
            "query": query,
        })
    });
    namespace.on(
        "remember",
        |socket: Socket, Data(value): Data<Value>| -> Result<Data<()>, serde_json::Error> {
            socket.data().set("remembered", &value)?;
            Ok(Data(()))
        },
    );
    namespace.on("recall", |socket: Socket| socket.data().get::<Value>("remembered").unwrap_or_default());
}
