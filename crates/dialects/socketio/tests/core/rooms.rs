use std::sync::Arc;

use antiphon_model::{ChannelFlags, ChannelId, Draft, Payload};
use antiphon_socketio::{
    Binary, Disconnect, JoinError, Namespace, Outcome, RecoverySettings, Socket, channel_of,
};
use serde_json::json;

use crate::client::Client;
use crate::{Notes, Running, Setup, done, until};

/// Clients in `/`, each with its socket; on both workers, as far as chance has it.
fn several(running: &Running, count: usize) -> Vec<(Client, Socket)> {
    (0..count)
        .map(|_| {
            let (client, id) = running.connected();
            (client, running.io.root().socket(&id).unwrap())
        })
        .collect()
}

/// Checks what each client gets before an event that goes to everybody.
fn expect(running: &Running, clients: &mut [(Client, Socket)], expected: &[&[&str]]) {
    running.io.emit("end", ()).unwrap();
    for ((client, _), expected) in clients.iter_mut().zip(expected) {
        let mut got = Vec::new();
        loop {
            match client.next_text() {
                text if text == r#"42["end"]"# => break,
                text => got.push(text),
            }
        }
        assert_eq!(got, *expected);
    }
}

#[test]
fn an_event_reaches_everyone_who_is_in_one_of_its_rooms_once() {
    let running = Setup::default().start();
    let mut clients = several(&running, 4);
    let io = running.io.clone();
    clients[0].1.join("a").unwrap();
    clients[1].1.join(["a", "b"]).unwrap();
    clients[2].1.join(vec!["b".to_owned(), "c".to_owned()]).unwrap();
    let (a, ab, bc) = (r#"42["a"]"#, r#"42["ab",1]"#, r#"42["but",2]"#);
    io.to("a").emit("a", ()).unwrap();
    io.to("a").to("b").emit("ab", 1).unwrap();
    io.to("b").in_(["a", "nobody"]).except("c").emit("but", 2).unwrap();
    io.except(["a", "b"]).emit("rest", ("x", json!([3]))).unwrap();
    let rest = r#"42["rest","x",[3]]"#;
    expect(&running, &mut clients, &[&[a, ab, bc], &[a, ab, bc], &[ab], &[rest]]);
    clients[1].1.leave("a");
    io.to(["a", "b"]).emit("ab", 1).unwrap();
    io.to("a").emit("a", ()).unwrap();
    expect(&running, &mut clients, &[&[ab, a], &[ab], &[ab], &[]]);
}

#[test]
fn a_socket_broadcasts_to_others() {
    let running = Setup::default().start();
    let mut clients = several(&running, 3);
    clients.iter().for_each(|(_, socket)| socket.join("a").unwrap());
    let (first, second) = (clients[0].1.clone(), clients[1].1.clone());
    first.broadcast().emit("all", ()).unwrap();
    first.to("a").emit("a", ()).unwrap();
    first.to(["a", "b"]).except(second.id()).emit("one", ()).unwrap();
    second.except(first.id()).emit("two", ()).unwrap();
    let (all, a) = (r#"42["all"]"#, r#"42["a"]"#);
    let (one, two) = (r#"42["one"]"#, r#"42["two"]"#);
    expect(&running, &mut clients, &[&[], &[all, a], &[all, a, one, two]]);
}

#[test]
fn a_socket_is_a_room_by_itself() {
    let running = Setup::default().start();
    let mut clients = several(&running, 4);
    let io = running.io.clone();
    let sockets: Vec<Socket> = clients.iter().map(|(_, socket)| socket.clone()).collect();
    let ids: Vec<_> = sockets.iter().map(|socket| socket.id().clone()).collect();
    io.to(&ids[0]).emit("own", 0).unwrap();
    // Among others, and excepted.
    sockets[2].join("a").unwrap();
    io.to(&ids[1]).to("a").emit("both", 1).unwrap();
    io.except([&*ids[0], &*ids[1]]).emit("but", 2).unwrap();
    io.to(&ids[3]).except(&ids[3]).emit("nobody", ()).unwrap();
    // Others may be in it.
    sockets[3].join(&ids[0]).unwrap();
    io.to(&ids[0]).emit("own", 3).unwrap();
    sockets[0].emit("alone", 4).unwrap();
    let (both, but, own) = (r#"42["both",1]"#, r#"42["but",2]"#, r#"42["own",3]"#);
    expect(
        &running,
        &mut clients,
        &[&[r#"42["own",0]"#, own, r#"42["alone",4]"#], &[both], &[both, but], &[but, own]],
    );
    assert_eq!(sockets[0].rooms(), [ids[0].to_shared()]);
}

#[test]
fn whoever_joins_gets_what_is_sent_after_it_from_any_thread() {
    let running = Setup::default().start();
    let io = running.io.clone();
    let mut clients = several(&running, 2);
    // From a thread that is no worker's.
    for number in 0..200 {
        for (_, socket) in &clients {
            socket.join("r").unwrap();
        }
        io.to("r").emit("in", number).unwrap();
        for (_, socket) in &clients {
            socket.leave("r");
        }
        io.to("r").emit("out", number).unwrap();
    }
    let expected: Vec<_> = (0..200).map(|number| format!("42[\"in\",{number}]")).collect();
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    expect(&running, &mut clients, &[&expected, &expected]);
    // From the home worker, between direct events.
    io.root().on(
        "go",
        Arc::new(move |event| {
            let (socket, io) = (event.socket.clone(), event.socket.io());
            for number in 0..3 {
                socket.join("s").unwrap();
                io.to("s").emit("in", number).unwrap();
                socket.emit("direct", number).unwrap();
                socket.leave("s");
                io.to("s").emit("out", number).unwrap();
            }
            done()
        }),
    );
    let (client, _) = &mut clients[0];
    client.send(r#"42["go"]"#);
    for number in 0..3 {
        assert_eq!(client.next_text(), format!("42[\"in\",{number}]"));
        assert_eq!(client.next_text(), format!("42[\"direct\",{number}]"));
    }
}

/// Two threads change one room of one socket; whatever comes of it, what the socket is in and what it gets agree.
#[test]
fn threads_that_join_and_leave_at_the_same_time_leave_it_whole() {
    let running = Setup::default().start();
    let mut clients = several(&running, 1);
    let socket = clients[0].1.clone();
    running.io.root().on(
        "toggle",
        Arc::new(move |event| {
            for _ in 0..50 {
                event.socket.join("r").unwrap();
                event.socket.leave("r");
            }
            event.socket.join("r").unwrap();
            event.ack.unwrap().send(()).unwrap();
            done()
        }),
    );
    for round in 0..20 {
        clients[0].0.send("421[\"toggle\"]");
        for _ in 0..50 {
            socket.join("r").unwrap();
            socket.leave("r");
        }
        assert_eq!(clients[0].0.next_text(), "431[]");
        let is_in = socket.is_in("r");
        running.io.to("r").emit("r", round).unwrap();
        let event = format!("42[\"r\",{round}]");
        let got = [&*event];
        expect(&running, &mut clients, &[if is_in { &got } else { &[] }]);
        socket.leave("r");
    }
}

#[test]
fn rooms_of_namespaces_are_apart() {
    let running = Setup::default().start();
    let chat = running.io.of("/chat").unwrap();
    let (mut client, id) = running.connected();
    client.send("40/chat,");
    let other = client.next_connected("40/chat,");
    let in_namespace = |namespace: &Namespace, id: &str| namespace.socket(id).unwrap();
    in_namespace(&running.io.root(), &id).join("a").unwrap();
    in_namespace(&chat, &other).join("a").unwrap();
    running.io.to("a").emit("main", ()).unwrap();
    chat.to("a").emit("chat", ()).unwrap();
    chat.emit("chat", Binary::from("x")).unwrap();
    assert_eq!(client.next_text(), r#"42["main"]"#);
    assert_eq!(client.next_text(), r#"42/chat,["chat"]"#);
    assert_eq!(client.next_text(), r#"451-/chat,["chat",{"_placeholder":true,"num":0}]"#);
    assert_eq!(client.next_binary(), b"x");
    assert_eq!(chat.rooms().into_iter().collect::<Vec<_>>(), [("a".into(), 1)]);
    client.send("41/chat,");
    until("it has left", || chat.rooms().is_empty() && chat.socket_count() == 0);
    chat.to("a").emit("gone", ()).unwrap();
    running.io.to("a").emit("main", 2).unwrap();
    assert_eq!(client.next_text(), r#"42["main",2]"#);
}

#[test]
fn rooms_that_are_joined_before_a_socket_is_connected_count_from_when_it_is() {
    let running = Setup::default().start();
    let io = running.io.clone();
    io.root().use_(Arc::new(|socket| {
        socket.join("a").unwrap();
        socket.io().to("a").emit("early", ()).unwrap();
        assert!(socket.is_in("a"));
        Outcome::Ready(Ok(()))
    }));
    let mut clients = several(&running, 1);
    io.to("a").emit("a", ()).unwrap();
    expect(&running, &mut clients, &[&[r#"42["a"]"#]]);
}

#[test]
fn rooms_have_limits_and_names() {
    let running = Setup::new(|settings| settings.rooms_per_socket_max = 2).start();
    let (_client, socket) = several(&running, 1).pop().unwrap();
    assert!(matches!(socket.join(["a", "b", "c"]), Err(JoinError::TooManyRooms { max: 2 })));
    assert!(matches!(socket.join(""), Err(JoinError::Invalid(_))));
    socket.join(["a", "b"]).unwrap();
    socket.join(socket.id()).unwrap();
    let mut rooms = socket.rooms();
    rooms[1..].sort();
    assert_eq!(rooms, [socket.id().to_shared(), "a".into(), "b".into()]);
    socket.leave_all();
    assert_eq!(socket.rooms().len(), 1);
    assert!(running.io.to("a\n").emit("x", ()).is_err());
    running.io.except("a\n").emit("x", ()).unwrap();
}

#[test]
fn several_sockets_are_changed_together() {
    let running = Setup::default().start();
    let io = running.io.clone();
    let mut clients = several(&running, 4);
    clients[0].1.join("a").unwrap();
    clients[1].1.join("a").unwrap();
    clients[1].1.data().set("name", &"ann").unwrap();
    io.in_("a").sockets_join(["b", "c"]).unwrap();
    io.to("b").emit("b", ()).unwrap();
    io.in_("b").except(clients[0].1.id()).sockets_leave("c");
    io.to("c").emit("c", ()).unwrap();
    let (b, c) = (r#"42["b"]"#, r#"42["c"]"#);
    expect(&running, &mut clients, &[&[b, c], &[b], &[], &[]]);

    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let fetched = runtime.block_on(io.in_("a").except("c").fetch_sockets());
    let [one] = &fetched[..] else { panic!("{fetched:?}") };
    assert_eq!(one.id, *clients[1].1.id());
    assert_eq!(serde_json::from_str::<serde_json::Value>(&one.data).unwrap(), json!({"name": "ann"}));
    assert!(one.handshake.url().starts_with("/socket.io/"));
    let mut rooms = one.rooms.clone();
    rooms[1..].sort();
    assert_eq!(rooms, [one.id.to_shared(), "a".into(), "b".into()]);
    one.emit("one", ()).unwrap();
    one.join("d").unwrap();
    assert_eq!(io.in_("d").count(), 1);
    one.leave("d");
    assert_eq!(io.in_("d").count(), 0);
    assert_eq!(io.root().everyone().count(), 4);
    expect(&running, &mut clients, &[&[], &[r#"42["one"]"#], &[], &[]]);

    io.in_("a").disconnect_sockets(Disconnect::Namespace);
    until("they are gone", || io.root().socket_count() == 2);
    assert_eq!(clients[0].0.next_text(), "41");
    assert_eq!(clients[1].0.next_text(), "41");
    assert!(matches!(clients[0].1.join("a"), Err(JoinError::Disconnected)));
    assert!(io.root().rooms().is_empty());
    expect(&running, &mut clients[2..], &[&[], &[]]);
}

/// A room of the main namespace and the channel of its name are one.
#[test]
fn what_others_publish_on_a_channel_comes_as_an_event() {
    let running = Setup::default().start();
    let mut clients = several(&running, 1);
    clients[0].1.join("news").unwrap();
    let (node, server) = (running.io.node(), running.io.server());
    let publish = |channel: &str, name: Option<&str>, payload: Payload| {
        let channel = Arc::new(ChannelId::new(channel, ChannelFlags::NONE).unwrap());
        let mut draft = Draft::new(channel, payload);
        draft.name = name.map(Into::into);
        node.publish(server, draft, || Box::new(|_| {})).unwrap();
    };
    publish("news", None, Payload::Text("hello".into()));
    publish("news", Some("update"), Payload::from_text(r#"{"a":1}"#.into()));
    publish("other", None, Payload::Text("no".into()));
    publish("news", Some("disconnect"), Payload::Text("no".into()));
    let everyone = channel_of(running.io.root().wire_name(), None).unwrap();
    publish(everyone.name(), Some("all"), Payload::Text("".into()));
    let expected = [r#"42["message","hello"]"#, r#"42["update",{"a":1}]"#, r#"42["all",""]"#];
    expect(&running, &mut clients, &[&expected]);
}

#[test]
fn what_goes_out_is_seen() {
    let running = Setup::default().start();
    let (notes, told) = Notes::new();
    let mut clients = several(&running, 2);
    clients[1].1.join("a").unwrap();
    let ids: Vec<_> = clients.iter().map(|(_, socket)| socket.id().clone()).collect();
    running.io.root().on_any_outgoing(Arc::new(move |socket, event| {
        let whose = ids.iter().position(|id| id == socket.id());
        notes.say(format!("{whose:?} {} {}", event.name, event.arguments.len()));
    }));
    clients[0].1.emit("direct", (1, 2)).unwrap();
    assert_eq!(told.next(), "Some(0) direct 2");
    running.io.to("a").emit("a", ()).unwrap();
    assert_eq!(told.next(), "Some(1) a 0");
    expect(&running, &mut clients, &[&[r#"42["direct",1,2]"#], &[r#"42["a"]"#]]);
    assert!([told.next(), told.next()].iter().all(|note| note.contains("end")));
}

#[test]
fn a_socket_sees_what_goes_out_to_it_alone() {
    let running = Setup::default().start();
    let (notes, told) = Notes::new();
    let mut clients = several(&running, 2);
    let socket = clients[0].1.clone();
    socket.on_any_outgoing(Arc::new(move |_, event| notes.say(event.name)));
    clients[1].1.emit("other", ()).unwrap();
    socket.emit("own", ()).unwrap();
    running.io.emit("all", ()).unwrap();
    assert_eq!([told.next(), told.next()], ["own", "all"]);
    let (own, all) = (r#"42["own"]"#, r#"42["all"]"#);
    expect(&running, &mut clients, &[&[own, all], &[r#"42["other"]"#, all]]);
}

/// What a socket was left out of stays so when it comes back, though its session is another then.
#[test]
fn whoever_recovers_does_not_get_what_it_was_excepted_from() {
    let running =
        Setup::new(|settings| settings.connection_state_recovery = Some(RecoverySettings::default())).start();
    let io = running.io.clone();
    let mut client = running.client();
    client.send("40");
    let granted = client.next_granted("40");
    let id = granted["sid"].as_str().unwrap();
    let socket = io.root().socket(id).unwrap();
    socket.join(["a", "b"]).unwrap();
    socket.broadcast().emit("own", 1).unwrap();
    socket.to("a").emit("own", 2).unwrap();
    io.to("a").except("b").emit("but", 3).unwrap();
    io.except(id).emit("but", 4).unwrap();
    io.to(["a", "b"]).emit("once", 5).unwrap();
    client.vanish();
    until("it is gone", || io.root().socket_count() == 0);
    io.to("b").emit("missed", 6).unwrap();
    let mut client = running.client();
    client.send(&format!(r#"40{{"pid":{}}}"#, granted["pid"]));
    assert!(client.next_text().starts_with(r#"42["once",5,""#));
    assert!(client.next_text().starts_with(r#"42["missed",6,""#));
    assert_eq!(client.next_connected("40"), id);
    let socket = io.root().socket(id).unwrap();
    assert!(socket.recovered() && socket.is_in("a") && io.in_("b").count() == 1);
    socket.emit("on", 7).unwrap();
    assert!(client.next_text().starts_with(r#"42["on",7,""#));
}
