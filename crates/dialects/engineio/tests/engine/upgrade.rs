use std::time::Duration;

use antiphon_engineio::EngineSettings;

use crate::client::{Connection, Heard, Socket};
use crate::{Running, Setup};

/// The query that asks for a WebSocket for a session.
fn websocket(session: &str) -> String {
    session.replace("transport=polling", "transport=websocket")
}

fn probed(server: &Running, session: &str) -> Socket {
    let mut socket = server.connect().upgrade(&websocket(session)).unwrap();
    socket.text("2probe");
    assert_eq!(socket.next_text(), "3probe");
    socket
}

#[test]
fn a_session_goes_over() {
    for (revision, noop) in [(4, "6"), (3, "1:6")] {
        let server = Setup::default().start();
        let session = server.open(revision);
        let mut poll = server.connect();
        poll.begin_get(&session);
        let mut socket = probed(&server, &session);
        assert_eq!(poll.response().text(), noop);
        socket.text("5");
        socket.text("4hello");
        assert_eq!(socket.next_text(), "4hello");
        assert_eq!(server.log.lines(), ["open", "upgraded"]);
        // What comes late by other ways does no harm.
        assert_eq!(poll.get(&session).status, 400);
        assert_eq!(server.post(&session, "4late").status, 400);
        let mut second = server.connect().upgrade(&websocket(&session)).unwrap();
        assert_eq!(second.until_closed(), Some(1008));
        socket.text("4still");
        assert_eq!(socket.next_text(), "4still");
        drop(socket);
        server.log.until("transport close");
        server.until_empty();
    }
}

#[test]
fn what_waits_goes_over_in_its_new_form() {
    for (query, burst) in [
        ("EIO=4&transport=polling", "4!burst 3\x1e4€\x1ebAQI="),
        ("EIO=3&transport=polling", "9:4!burst 32:4€6:b4AQI="),
        ("EIO=3&transport=polling&b64=1", "9:4!burst 32:4€6:b4AQI="),
    ] {
        let server = Setup::default().start();
        let open = server.get(query);
        let session = format!("{query}&sid={}", open.sid());
        let mut socket = probed(&server, &session);
        assert_eq!(server.post(&session, burst).text(), "ok");
        socket.text("5");
        for text in ["41", "42", "43", "4€"] {
            assert_eq!(socket.next_text(), text);
        }
        let binary = match query {
            "EIO=4&transport=polling" => Heard::Binary(vec![1, 2]),
            "EIO=3&transport=polling" => Heard::Binary(vec![4, 1, 2]),
            _ => Heard::Text("b4AQI=".into()),
        };
        assert_eq!(socket.next(), binary);
    }
}

#[test]
fn what_was_left_for_another_poll_goes_over() {
    let server = Setup::default().start();
    let mut python = server.connect().with("user-agent", "python-requests/2.32.3");
    let query = "EIO=4&transport=polling";
    let session = format!("{query}&sid={}", python.get(query).sid());
    server.post(&session, "4!burst 40");
    assert!(python.get(&session).text().ends_with("\x1e416"));
    let mut socket = probed(&server, &session);
    socket.text("5");
    for n in 17..=40 {
        assert_eq!(socket.next_text(), format!("4{n}"));
    }
}

#[test]
fn a_ping_that_waits_goes_over() {
    let engine = EngineSettings { ping_interval_ms: 100, ..EngineSettings::default() };
    let server = Setup { engine, ..Setup::default() }.start();
    let session = server.open(4);
    let mut socket = probed(&server, &session);
    std::thread::sleep(Duration::from_millis(150));
    socket.text("5");
    assert_eq!(socket.next_text(), "2");
    socket.text("3");
    assert_eq!(socket.next_text(), "2");
}

#[test]
fn half_an_upgrade_is_given_up() {
    let engine = EngineSettings { upgrade_timeout_ms: 100, ..EngineSettings::default() };
    let server = Setup { engine, ..Setup::default() }.start();
    let session = server.open(4);
    let mut silent = server.connect().upgrade(&websocket(&session)).unwrap();
    let mut second = server.connect().upgrade(&websocket(&session)).unwrap();
    assert_eq!(second.until_closed(), Some(1008), "one at a time");
    assert_eq!(silent.until_closed(), Some(1008));
    let mut gone = probed(&server, &session);
    gone.text("4out of turn");
    assert_eq!(gone.until_closed(), Some(1002));
    // Polling goes on, and so may upgrades.
    server.post(&session, "4a");
    assert_eq!(server.get(&session).text(), "4a");
    let mut socket = probed(&server, &session);
    socket.text("5");
    socket.text("4b");
    assert_eq!(socket.next_text(), "4b");
}

#[test]
fn a_session_that_ends_takes_its_probe_along() {
    let server = Setup::default().start();
    let session = server.open(4);
    let mut socket = probed(&server, &session);
    server.post(&session, "4!close");
    assert_eq!(socket.until_closed(), Some(1000));
    assert_eq!(server.get(&session).text(), "6", "what waits comes first");
    assert_eq!(server.get(&session).text(), "1");
    server.log.until("forced close");
    drop(socket);
    server.until_empty();
}

#[test]
fn upgrades_can_be_forbidden() {
    let engine = EngineSettings { allow_upgrades: false, ..EngineSettings::default() };
    let server = Setup { engine, ..Setup::default() }.start();
    let session = server.open(4);
    let mut socket = server.connect().upgrade(&websocket(&session)).unwrap();
    assert_eq!(socket.until_closed(), Some(1008));
}

/// A client that sends by POST, and takes by polls, until it goes over.
struct Emitter {
    session: String,
    post: Connection,
    poll: Connection,
    echoed: Vec<String>,
}

impl Emitter {
    fn new(server: &Running) -> Emitter {
        let session = server.open(4);
        Emitter { session, post: server.connect(), poll: server.connect(), echoed: Vec::new() }
    }

    fn take_poll(&mut self) {
        let answer = self.poll.response();
        let packets = answer.text().split('\x1e').map(str::to_owned);
        self.echoed.extend(packets.filter(|packet| packet != "6"));
    }
}

#[test]
fn numbered_events_keep_their_order_while_sessions_go_over() {
    const EVENTS: usize = 30;
    let server = Setup { workers: 2, ..Setup::default() }.start();
    std::thread::scope(|scope| {
        for first in 0..8 {
            let server = &server;
            scope.spawn(move || {
                for round in 0..6 {
                    emit(server, EVENTS, (first * 6 + round) % EVENTS);
                }
            });
        }
    });
    server.until_empty();
}

/// Sends so many events; the upgrade comes when some of them are sent.
fn emit(server: &Running, events: usize, before: usize) {
    let mut emitter = Emitter::new(server);
    emitter.poll.begin_get(&emitter.session);
    let mut socket = server.connect().upgrade(&websocket(&emitter.session)).unwrap();
    let mut polls = true;
    for n in 0..before {
        if n == before / 2 {
            socket.text("2probe");
        }
        assert_eq!(emitter.post.post(&emitter.session, &format!("4{n}")).text(), "ok");
        if n % 3 == 0 && polls {
            emitter.take_poll();
            // As clients do, which poll no more once the probe is answered.
            polls = n < before / 2;
            if polls {
                emitter.poll.begin_get(&emitter.session);
            }
        }
    }
    if before == 0 {
        socket.text("2probe");
    }
    if polls {
        emitter.take_poll();
    }
    assert_eq!(socket.next_text(), "3probe");
    socket.text("5");
    for n in before..events {
        socket.text(&format!("4{n}"));
    }
    while emitter.echoed.len() < events {
        emitter.echoed.push(socket.next_text());
    }
    let expected: Vec<String> = (0..events).map(|n| format!("4{n}")).collect();
    assert_eq!(emitter.echoed, expected);
}
