use std::sync::Arc;
use std::time::{Duration, Instant};

use antiphon_hub::{Collect, ReplyEvent};
use antiphon_model::{Draft, Payload};
use antiphon_socketio::{
    BroadcastAckError, BroadcastAcks, BroadcastResponse, Io, SocketIoSettings, channel_of,
};

use crate::client::Client;
use crate::{Notes, PATIENCE, Running, Setup, until};

/// Clients in `/`, and the ids of their sockets.
fn several(running: &Running, count: usize) -> Vec<(Client, String)> {
    (0..count).map(|_| running.connected()).collect()
}

fn wait(acks: BroadcastAcks) -> Result<Vec<BroadcastResponse>, BroadcastAckError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(acks)
}

/// The id of the acknowledgement that an event asks for.
fn asked(client: &mut Client, event: &str) -> String {
    let text = client.next_text();
    let rest = text.strip_prefix("42").unwrap_or_else(|| panic!("{text}"));
    let (id, payload) = rest.split_at(rest.find('[').unwrap());
    assert_eq!(payload, event);
    assert!(id.parse::<u64>().unwrap() >= 1 << 40);
    id.to_owned()
}

fn said(responses: &[BroadcastResponse]) -> Vec<(Option<String>, u32)> {
    let mut said: Vec<_> = responses
        .iter()
        .map(|one| (one.socket.as_ref().map(|id| id.to_string()), one.arguments.parse().unwrap()))
        .collect();
    said.sort();
    said
}

fn socket(running: &Running, id: &str) -> antiphon_socketio::Socket {
    running.io.root().socket(id).unwrap()
}

#[test]
fn all_receivers_answer() {
    let running = Setup::default().start();
    let mut clients = several(&running, 6);
    let acks = running.io.root().timeout(PATIENCE).emit_with_ack("question", 7).unwrap();
    for (number, (client, _)) in clients.iter_mut().enumerate() {
        let id = asked(client, r#"["question",7]"#);
        client.send(&format!("43{id}[{number}]"));
        // Only the first counts.
        client.send(&format!("43{id}[99]"));
    }
    let mut expected: Vec<_> =
        clients.iter().enumerate().map(|(number, (_, id))| (Some(id.clone()), number as u32)).collect();
    expected.sort();
    assert_eq!(said(&wait(acks).unwrap()), expected);
}

#[test]
fn whoever_does_not_answer_in_time_is_missing() {
    let running = Setup::default().start();
    let mut clients = several(&running, 3);
    let acks = running.io.root().timeout(Duration::from_millis(500)).emit_with_ack("question", ()).unwrap();
    for (client, _) in &mut clients[..2] {
        let id = asked(client, r#"["question"]"#);
        client.send(&format!("43{id}[1]"));
    }
    let error = wait(acks).unwrap_err();
    assert_eq!((error.missing, error.responses.len()), (1, 2));
    // Late, and nobody is asked any more.
    let id = asked(&mut clients[2].0, r#"["question"]"#);
    clients[2].0.send(&format!("43{id}[1]"));
    running.io.emit("on", ()).unwrap();
    assert_eq!(clients[2].0.next_text(), r#"42["on"]"#);
}

#[test]
fn nobody_waits_for_who_is_gone() {
    let running = Setup::default().start();
    let mut clients = several(&running, 3);
    let begun = Instant::now();
    let acks = running.io.root().timeout(PATIENCE).emit_with_ack("question", ()).unwrap();
    let (gone, _) = clients.pop().unwrap();
    for (client, _) in &mut clients {
        let id = asked(client, r#"["question"]"#);
        client.send(&format!("43{id}[1]"));
    }
    gone.vanish();
    let error = wait(acks).unwrap_err();
    assert_eq!((error.missing, error.responses.len()), (1, 2));
    assert!(begun.elapsed() < PATIENCE);
}

#[test]
fn who_is_in_several_rooms_is_asked_once() {
    let running = Setup::default().start();
    let mut clients = several(&running, 4);
    socket(&running, &clients[0].1).join("a").unwrap();
    socket(&running, &clients[1].1).join(["a", "b"]).unwrap();
    socket(&running, &clients[2].1).join("b").unwrap();
    let operator = running.io.to(["a", "b"]).timeout(PATIENCE);
    let acks = operator.emit_with_ack("question", ()).unwrap();
    for (number, (client, _)) in clients[..3].iter_mut().enumerate() {
        let id = asked(client, r#"["question"]"#);
        client.send(&format!("43{id}[{number}]"));
    }
    assert_eq!(wait(acks).unwrap().len(), 3);
    let but = socket(&running, &clients[1].1).to("a").timeout(PATIENCE).emit_with_ack("but", ()).unwrap();
    let id = asked(&mut clients[0].0, r#"["but"]"#);
    clients[0].0.send(&format!("43{id}[5]"));
    assert_eq!(said(&wait(but).unwrap()), [(Some(clients[0].1.clone()), 5)]);
    running.io.emit("end", ()).unwrap();
    for (client, _) in &mut clients {
        assert_eq!(client.next_text(), r#"42["end"]"#);
    }
}

#[test]
fn one_socket_and_nobody_are_asked_like_several() {
    let running = Setup::default().start();
    let (mut client, id) = running.connected();
    let acks = running.io.to(&*id).timeout(PATIENCE).emit_with_ack("question", 1).unwrap();
    let text = client.next_text();
    assert_eq!(text, r#"420["question",1]"#);
    client.send("430[4]");
    assert_eq!(said(&wait(acks).unwrap()), [(Some(id.clone()), 4)]);
    let nobody = running.io.to("nobody").timeout(PATIENCE).emit_with_ack("question", 1).unwrap();
    assert!(wait(nobody).unwrap().is_empty());
    let direct = socket(&running, &id).timeout(PATIENCE).emit_with_ack("direct", 1).unwrap();
    assert_eq!(client.next_text(), r#"421["direct",1]"#);
    client.send(r#"431["yes"]"#);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(direct).unwrap().parse::<String>().unwrap(), "yes");
}

#[test]
fn answers_have_room_up_to_a_limit() {
    let running = Setup::new(|settings| settings.broadcast_ack_bytes_max = 100).start();
    let mut clients = several(&running, 2);
    let acks = running.io.root().timeout(PATIENCE).emit_with_ack("question", ()).unwrap();
    for (client, _) in &mut clients {
        let id = asked(client, r#"["question"]"#);
        client.send(&format!("43{id}[\"{}\"]", "x".repeat(60)));
    }
    let error = wait(acks).unwrap_err();
    assert_eq!((error.missing, error.responses.len()), (1, 1));
}

/// A broadcast of another dialect's asks sockets too.
#[test]
fn broadcasts_of_others_are_answered() {
    let running = Setup::default().start();
    let (mut client, id) = running.connected();
    let (notes, told) = Notes::new();
    socket(&running, &id).join("a").unwrap();
    let broadcast = |room: &str| {
        let notes = notes.clone();
        let channel = channel_of(running.io.root().wire_name(), Some(room)).unwrap();
        let sink = Box::new(move |event| match event {
            ReplyEvent::Reply(reply) => notes.say(format!("{:?}", reply.payload)),
            ReplyEvent::End { complete } => notes.say(format!("complete: {complete}")),
        });
        let collect = Collect { timeout: PATIENCE, until: Some(1), sink };
        let draft = Draft::new(channel, Payload::Text("?".into()));
        running.io.node().broadcast(running.io.server(), draft, collect, || Box::new(|_| {})).unwrap().0
    };
    broadcast("a");
    let ack = asked(&mut client, r#"["message","?"]"#);
    client.send(&format!("43{ack}[\"yes\"]"));
    assert_eq!(told.next(), r#"Text(b"yes")"#);
    assert_eq!(told.next(), "complete: true");
    // Whoever is not in the room has nothing to say there.
    let hidden = broadcast("b");
    let shift = hidden.0 - 17_672_256_000_000_000;
    client.send(&format!("43{shift}[\"intruding\"]"));
    client.send(&format!("43{shift}[\"intruding\"]"));
    running.io.emit("on", ()).unwrap();
    assert_eq!(client.next_text(), r#"42["on"]"#);
    told.nothing_more();
}

#[test]
fn other_servers_of_the_node_hear_and_answer() {
    let running = Setup::default().start();
    let other = Io::new(SocketIoSettings::default());
    other.install(Arc::clone(running.io.node()), running.io.workers().clone());
    let (notes, told) = Notes::new();
    for (io, name) in [(&running.io, "this"), (&other, "other")] {
        let notes = notes.clone();
        io.root().on_server_side(
            "ask",
            Arc::new(move |event| {
                notes.say(format!("{name} {}", event.arguments.parse::<String>().unwrap()));
                if let Some(ack) = event.ack {
                    ack.send(name).unwrap();
                }
                crate::done()
            }),
        );
    }
    running.io.root().server_side_emit("ask", "plain").unwrap();
    assert_eq!(told.next(), "other plain");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let answers = runtime.block_on(other.root().server_side_emit_with_ack("ask", "acked")).unwrap();
    assert_eq!(told.next(), "this acked");
    assert_eq!(answers.iter().map(|one| one.parse().unwrap()).collect::<Vec<String>>(), ["this"]);
    let nobody = runtime.block_on(running.io.root().server_side_emit_with_ack("nobody listens", ()));
    assert!(nobody.is_err());
    runtime.block_on(other.close());
    assert!(
        runtime.block_on(running.io.root().server_side_emit_with_ack("ask", "alone")).unwrap().is_empty()
    );
    until("nothing is left", || running.io.root().socket_count() == 0);
}
