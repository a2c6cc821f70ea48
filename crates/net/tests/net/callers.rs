//! Sessions of whom it is known only later who they are.

use std::sync::Arc;
use std::time::Duration;

use antiphon_hub::Since;
use antiphon_model::{Draft, OrgId, Payload};
use antiphon_net::{Accept, Client, Keepalive, Upgrade};

use crate::client::{Heard, frame};
use crate::dialect::{MESSAGES, channel, want};
use crate::script::{self, Script, say};
use crate::{Running, Setup, until};

fn message(text: &str, client: &Client) {
    match text {
        "who" => say(client, if client.caller().is_some() { "somebody" } else { "nobody" }),
        "show" => {
            let shown = client.replace_caller(script::caller(client.worker()));
            say(client, if shown.is_ok() { "welcome" } else { "full" });
        }
        "listen" => {
            let listening = client.try_listen(&[want("a", Since::Now, &MESSAGES)]).unwrap();
            say(client, if listening.is_ok() { "listening" } else { "refused" });
        }
        "join" => say(client, if client.join(&channel("a"), None).is_ok() { "joined" } else { "refused" }),
        text => {
            let draft = Draft::new(channel("a"), Payload::Binary(text.to_owned().into()));
            say(client, if client.publish(draft, 0).is_ok() { "published" } else { "refused" });
        }
    }
}

fn setup() -> Setup {
    let decide = |parts: &http::request::Parts, worker: &antiphon_net::Worker, session: Box<_>| {
        let mut accept = Accept::new(None, session);
        match parts.uri.path() {
            "/x/known" => accept.caller = Some(script::caller(worker)),
            "/x/quiet" => accept.keepalive = Keepalive::Dialect,
            "/x/small" => accept.message_bytes_max = Some(100),
            _ => {}
        }
        Upgrade::Accept(accept)
    };
    let mut setup =
        Setup { script: Script { decide: Arc::new(decide), ..Script::new(message) }, ..Setup::default() };
    setup.rule.presence = true;
    setup
}

fn sessions(running: &Running) -> usize {
    running.node().org(&OrgId::new("demo")).sessions()
}

#[test]
fn nobody_may_nothing_until_it_is_somebody() {
    let running = setup().start();
    let (mut socket, _) = running.scripted("/x/");
    let all = [("who", "nobody"), ("listen", "refused"), ("join", "refused"), ("text", "refused")];
    for (text, answer) in all {
        socket.text(text);
        assert_eq!(socket.next_text(), answer, "{text}");
    }
    assert_eq!(sessions(&running), 0);
    for (text, answer) in
        [("show", "welcome"), ("who", "somebody"), ("listen", "listening"), ("join", "joined")]
    {
        socket.text(text);
        assert_eq!(socket.next_text(), answer, "{text}");
    }
    assert_eq!(sessions(&running), 1);
    socket.text("hello");
    assert_eq!(socket.next_publication().1, "hello");
    assert_eq!(socket.next_text(), "published");
    // Somebody else: what it listens to stays, where it was present it is no more.
    let members = || running.node().members(&running.caller(), &channel("a"), 10).unwrap().0;
    assert_eq!(members(), 1);
    socket.text("show");
    assert_eq!(socket.next_text(), "welcome");
    assert_eq!((members(), sessions(&running)), (0, 1));
    socket.text("again");
    assert_eq!(socket.next_publication().1, "again");
    assert_eq!(socket.next_text(), "published");
    drop(socket);
    running.until_empty();
    assert_eq!(running.script.ended(), 1);
}

#[test]
fn there_are_so_many_somebodies_and_so_many_nobodies() {
    let mut setup = setup();
    setup.limits.connections_max = 1;
    setup.net.connections_max = 3;
    let running = setup.start();
    let (known, _) = running.scripted("/x/known");
    let (mut late, _) = running.scripted("/x/");
    late.text("show");
    assert_eq!(late.next_text(), "full");
    late.text("who");
    assert_eq!(late.next_text(), "nobody");
    drop(known);
    until("there is room", || sessions(&running) == 0);
    late.text("show");
    assert_eq!(late.next_text(), "welcome");
    drop(late);
    running.until_empty();
}

#[test]
fn whoever_looks_after_itself_is_not_pinged() {
    let mut setup = setup();
    setup.net.ping_interval = Duration::from_millis(20);
    setup.net.ping_timeout = Duration::from_millis(20);
    let running = setup.start();
    let (mut quiet, _) = running.scripted("/x/quiet");
    let (mut other, _) = running.scripted("/x/");
    until("the other has gone", || running.drops("ping not answered") == 1);
    assert_eq!(other.last_words(), [Heard::Ping]);
    quiet.text("who");
    assert_eq!(quiet.next_text(), "nobody");
    assert_eq!(running.script.ended(), 1);
}

#[test]
fn a_connection_has_a_limit_of_its_own() {
    let running = setup().start();
    let (mut small, _) = running.scripted("/x/small");
    let (mut other, _) = running.scripted("/x/known");
    for socket in [&mut small, &mut other] {
        socket.text(&"x".repeat(100));
        assert!(["refused", "published"].contains(&&*socket.next_text()));
        socket.text(&"x".repeat(101));
    }
    assert_eq!(small.last_words(), [Heard::Text("closing 1009".into()), Heard::Close(Some(1009))]);
    assert_eq!(other.next_text(), "published");
}

#[test]
fn the_end_is_told_once_however_it_comes() {
    let mut running = setup().start();
    let ways: [fn(&mut crate::client::Socket); 4] = [
        |socket| socket.close(1000),
        |socket| socket.write(&[0xff; 20]),
        |socket| socket.shutdown(std::net::Shutdown::Write),
        |_| {},
    ];
    for (count, end) in ways.into_iter().enumerate() {
        let (mut socket, _) = running.scripted("/x/");
        end(&mut socket);
        drop(socket);
        until("it has ended", || running.script.ended() == count + 1);
    }
    let (mut last, _) = running.scripted("/x/");
    last.write(&frame(antiphon_net::websocket::Opcode::Ping, b""));
    let ended = Arc::clone(&running.script.ended);
    let stopping = std::thread::spawn(move || running.stop(crate::PATIENCE));
    last.last_words();
    drop(last);
    assert!(stopping.join().unwrap());
    assert_eq!(ended.load(std::sync::atomic::Ordering::SeqCst), 5);
}
