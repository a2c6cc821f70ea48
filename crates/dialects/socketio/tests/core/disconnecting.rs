use std::sync::Arc;

use antiphon_engineio::EngineSettings;
use antiphon_socketio::{Disconnect, Event, Namespace, Outcome, Socket};
use tokio::sync::Semaphore;

use crate::{Notes, Setup, Told, done, until};

/// Has a namespace tell why its sockets go, and what they were in.
fn listen(namespace: &Namespace) -> Told {
    let (notes, told) = Notes::new();
    let before = notes.clone();
    namespace.on_disconnecting(Arc::new(move |socket: Socket, reason| {
        let mut rooms: Vec<_> = socket.rooms().iter().map(ToString::to_string).collect();
        rooms.retain(|room| **room != **socket.id());
        rooms.sort();
        before.say(format!("disconnecting {reason} {}", rooms.join(",")));
        done()
    }));
    namespace.on_disconnect(Arc::new(move |socket, reason| {
        assert!(!socket.is_connected());
        assert!(!socket.is_in("a"));
        notes.say(format!("disconnect {reason}"));
        done()
    }));
    told
}

#[test]
fn a_client_leaves_a_namespace_and_keeps_the_others() {
    let running = Setup::default().start();
    let told = listen(&running.io.root());
    running.io.of("/other").unwrap();
    let (mut client, id) = running.connected();
    client.send("40/other,");
    client.next_connected("40/other,");
    let socket = running.io.root().socket(&id).unwrap();
    socket.join(["a", "b"]).unwrap();
    client.send("41");
    assert_eq!(told.next(), "disconnecting client namespace disconnect a,b");
    assert_eq!(told.next(), "disconnect client namespace disconnect");
    until("it is gone", || running.io.root().socket_count() == 0);
    assert_eq!(running.io.of("/other").unwrap().socket_count(), 1);
    client.send("40");
    assert_ne!(client.next_connected("40"), id);
}

#[test]
fn the_server_disconnects_a_socket_or_the_client() {
    let running = Setup::default().start();
    let told = listen(&running.io.root());
    let other = running.io.of("/other").unwrap();
    let told_other = listen(&other);
    let (mut client, id) = running.connected();
    client.send("40/other,");
    let other_id = client.next_connected("40/other,");
    running.io.root().socket(&id).unwrap().disconnect(Disconnect::Namespace);
    assert_eq!(client.next_text(), "41");
    // Sent before the client knew: no harm is done.
    client.send(r#"42["late"]"#);
    client.send("430[]");
    client.send("41");
    assert_eq!(told.next(), "disconnecting server namespace disconnect ");
    assert_eq!(told.next(), "disconnect server namespace disconnect");
    client.send("40");
    client.next_connected("40");
    other.socket(&other_id).unwrap().disconnect(Disconnect::Connection);
    assert_eq!([client.next_text(), client.next_text()], ["41/other,", "41"]);
    client.expect_end();
    assert_eq!(told.next(), "disconnecting server namespace disconnect ");
    assert_eq!(told_other.next(), "disconnecting server namespace disconnect ");
}

#[test]
fn connections_end_for_reasons_of_their_own() {
    let mut setup = Setup::default();
    setup.settings.engine.engine =
        Arc::new(EngineSettings { ping_interval_ms: 200, ping_timeout_ms: 200, ..EngineSettings::default() });
    let running = setup.start();
    let told = listen(&running.io.root());
    let (mut client, _) = running.connected();
    client.send("1");
    assert_eq!(told.next(), "disconnecting transport close ");
    assert_eq!(told.next(), "disconnect transport close");
    let (client, _) = running.connected();
    client.vanish();
    assert_eq!(told.next(), "disconnecting transport close ");
    assert_eq!(told.next(), "disconnect transport close");
    let (mut client, _) = running.connected();
    client.send("4nonsense");
    assert_eq!(told.next(), "disconnecting parse error ");
    assert_eq!(told.next(), "disconnect parse error");
    let (mut client, _) = running.connected();
    client.send("42/nowhere,[\"x\"]");
    assert_eq!(told.next(), "disconnecting forced server close ");
    assert_eq!(told.next(), "disconnect forced server close");
    let (mut silent, _) = running.connected();
    assert_eq!(told.next(), "disconnecting ping timeout ");
    assert_eq!(told.next(), "disconnect ping timeout");
    silent.expect_end();
}

#[test]
fn a_server_that_stops_says_so() {
    let running = Setup::default().start();
    let told = listen(&running.io.root());
    let (mut client, _) = running.connected();
    let (mut other, _) = running.connected();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(running.io.close());
    assert_eq!(running.io.root().socket_count(), 0);
    client.expect_end();
    other.expect_end();
    for _ in 0..2 {
        let said = [told.next(), told.next()];
        assert!(said.iter().all(|said| said.contains("server shutting down")), "{said:?}");
    }
    let running = Setup::default().start();
    let told = listen(&running.io.root());
    let (mut client, _) = running.connected();
    running.stop();
    assert_eq!(told.next(), "disconnecting server shutting down ");
    client.expect_end();
}

#[test]
fn what_came_before_the_end_is_handled_before_it() {
    let running = Setup::default().start();
    let told = listen(&running.io.root());
    let (notes, handled) = Notes::new();
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    running.io.root().on(
        "work",
        Arc::new(move |event: Event| {
            let (held, notes) = (Arc::clone(&held), notes.clone());
            Outcome::pending(async move {
                held.acquire().await?.forget();
                notes.say(format!("{} {}", event.arguments.parse::<u32>()?, event.socket.is_connected()));
                Ok(())
            })
        }),
    );
    let (mut client, _) = running.connected();
    client.send(r#"42["work",1]"#);
    client.send(r#"42["work",2]"#);
    client.send("41");
    until("it is gone", || running.io.root().socket_count() == 0);
    told.nothing_more();
    gate.add_permits(2);
    assert_eq!([handled.next(), handled.next()], ["1 false", "2 false"]);
    assert_eq!(told.next(), "disconnecting client namespace disconnect ");
}

#[test]
fn a_socket_may_disconnect_itself_within_a_handler() {
    let running = Setup::default().start();
    let told = listen(&running.io.root());
    running.io.root().on(
        "leave",
        Arc::new(|event: Event| {
            event.socket.disconnect(Disconnect::Connection);
            assert!(!event.socket.is_connected());
            assert!(event.socket.emit("too late", ()).is_err());
            event.ack.unwrap().send("too late").unwrap();
            done()
        }),
    );
    let (mut client, _) = running.connected();
    client.send(r#"420["leave"]"#);
    assert_eq!(client.next_text(), "41");
    client.expect_end();
    assert_eq!(told.next(), "disconnecting server namespace disconnect ");
    assert_eq!(told.next(), "disconnect server namespace disconnect");
}

#[test]
fn a_socket_is_gone_when_it_is_told_so_from_another_thread() {
    let running = Setup::default().start();
    let told = listen(&running.io.root());
    let (mut client, id) = running.connected();
    let socket = running.io.root().socket(&id).unwrap();
    std::thread::spawn(move || socket.disconnect(Disconnect::Namespace)).join().unwrap();
    assert_eq!(client.next_text(), "41");
    assert_eq!(told.next(), "disconnecting server namespace disconnect ");
}
