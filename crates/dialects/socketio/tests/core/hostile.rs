//! Clients that mean harm.

use std::sync::Arc;
use std::time::Duration;

use antiphon_access::Caller;
use antiphon_hub::{Collect, ReplyEvent};
use antiphon_model::{Draft, OrgId, Payload};
use antiphon_socketio::{
    AckError, Authenticator, ConnectRefused, Event, Handshake, Namespace, Outcome, Parser, channel_of,
};
use serde::Deserialize;

use crate::client::Client;
use crate::{Notes, PATIENCE, Running, Setup, Told, done, echo, until};

/// Has the main namespace echo, and tell why its sockets go.
fn listen(running: &Running) -> Told {
    let (notes, told) = Notes::new();
    let root = running.io.root();
    root.on("echo", Arc::new(echo));
    root.on_disconnect(Arc::new(move |_, reason| {
        notes.say(reason.as_str());
        done()
    }));
    told
}

fn assert_serves(running: &Running) {
    let (mut client, _) = running.connected();
    client.send(r#"427["echo","here"]"#);
    assert_eq!(client.next_text(), r#"437["here"]"#);
}

fn nested(open: &str, close: &str, levels: usize) -> String {
    format!(r#"42["echo",{}{}]"#, open.repeat(levels), close.repeat(levels))
}

#[test]
fn what_is_no_packet_ends_its_connection_and_no_other() {
    let placeholders = r#",{"_placeholder":true,"num":0}"#;
    let packets = [
        format!(r#"4511-["echo"{}]"#, placeholders.repeat(11)),
        r#"4599999999999999999999-["echo"]"#.into(),
        r#"45-1-["echo"]"#.into(),
        format!(r#"45["echo"{placeholders}]"#),
        r#"451-["echo",{"_placeholder":true,"num":5}]"#.into(),
        r#"451-["echo",{"_placeholder":true,"num":-1}]"#.into(),
        r#"451-["echo",{"_placeholder":true,"num":"length"}]"#.into(),
        nested("[", "]", 100_000),
        nested(r#"{"a":"#, "}", 100_000),
        r#"42["disconnecting"]"#.into(),
        "42[]".into(),
        "42[null]".into(),
        r#"42[{"toString":"a"}]"#.into(),
        r#"42["echo","b"#.into(),
        r#"42["echo","\"#.into(),
        r#"42["echo","\u12"#.into(),
        r#"42["echo"]42["echo"]"#.into(),
        r#"42{"0":"echo","length":1}"#.into(),
        "43[]".into(),
        "43-1[]".into(),
        "439007199254740992[]".into(),
        "4399999999999999999999999[]".into(),
        "49".into(),
        "4".into(),
        format!("40/{}", "n".repeat(100_000)),
        r#"41["why"]"#.into(),
    ];
    for target in ["/socket.io/?EIO=4&transport=websocket", "/socket.io/?EIO=3&transport=websocket"] {
        let running = Setup::default().start();
        let told = listen(&running);
        for packet in &packets {
            let mut client = running.client_at(target);
            if target.contains("EIO=4") {
                client.send("40");
            }
            client.next_text();
            client.send(packet);
            client.expect_end();
            assert_eq!(told.next(), "parse error", "{}", &packet[..packet.len().min(60)]);
        }
        assert_serves(&running);
    }
}

#[test]
fn a_packet_where_bytes_are_due_ends_the_connection() {
    for (target, prefix) in [
        ("/socket.io/?EIO=4&transport=websocket", &b""[..]),
        ("/socket.io/?EIO=3&transport=websocket", &[4][..]),
    ] {
        let running = Setup::default().start();
        let told = listen(&running);
        let event = r#"452-["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
        for late in [r#"42["echo"]"#, "40/other,", "41", event] {
            let mut client = running.client_at(target);
            if prefix.is_empty() {
                client.send("40");
            }
            client.next_text();
            client.send(event);
            client.send_binary(&[prefix, b"first"].concat());
            client.send(late);
            client.expect_end();
            assert_eq!(told.next(), "parse error", "{late}");
        }
        let mut client = running.client_at(target);
        if prefix.is_empty() {
            client.send("40");
        }
        client.next_text();
        client.send_binary(&[prefix, b"unasked"].concat());
        client.expect_end();
        assert_eq!(told.next(), "parse error");
        assert_serves(&running);
    }
}

#[test]
fn messagepack_that_lies_ends_the_connection() {
    let packet = |data: &[u8]| [&b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data"[..], data].concat();
    let eleven = [&b"\x9c\xa4echo"[..], &b"\xc4\x01x".repeat(11)].concat();
    let packets = [
        packet(&eleven),
        packet(&b"\x91".repeat(100_000)),
        packet(&b"\x81\xa1a".repeat(100_000)),
        packet(b"\xdd\xff\xff\xff\xff"),
        packet(b"\x92\xa4echo\xdf\xff\xff\xff\xff"),
        packet(b"\x92\xa4echo\xc6\xff\xff\xff\xffx"),
        packet(b"\x92\xa4echo\xdb\xff\xff\xff\xffx"),
        packet(b"\x92\xa4echo\xd9\x02\xe2\x82"),
        packet(b"\x92\xa4echo\xc7\xff\x00"),
        packet(b"\x91\xa7connect"),
        b"\xdf\xff\xff\xff\xff".to_vec(),
        b"\x80".to_vec(),
        b"\xc1".to_vec(),
        Vec::new(),
    ];
    let running = Setup::new(|settings| settings.parser = Parser::Msgpack).start();
    let told = listen(&running);
    let connected = || {
        let mut client = running.client();
        client.send_binary(b"\x82\xa4type\x00\xa3nsp\xa1/");
        client.next_binary();
        client
    };
    for packet in packets {
        let mut client = connected();
        client.send_binary(&packet);
        client.expect_end();
        assert_eq!(told.next(), "parse error", "{:?}", &packet[..packet.len().min(40)]);
    }
    let mut client = connected();
    client.send(r#"42["echo"]"#);
    client.expect_end();
    assert_eq!(told.next(), "parse error");
    let mut client = connected();
    client.send_binary(b"\x84\xa4type\x02\xa3nsp\xa1/\xa2id\x05\xa4data\x92\xa4echo\xa2ok");
    assert!(client.next_binary().windows(4).any(|part| part == b"\x91\xa2ok"));
}

#[test]
fn answers_that_nobody_asked_for_reach_nobody() {
    let running = Setup::default().start();
    let _told = listen(&running);
    let (mut asked, id) = running.connected();
    let (mut other, _) = running.connected();
    let socket = running.io.root().socket(&id).unwrap();
    let reply = socket.timeout(Duration::from_millis(300)).emit_with_ack("question", ()).unwrap();
    assert_eq!(asked.next_text(), r#"420["question"]"#);
    for ack in ["0", "1", "1099511627775", "1099511627776", "278744000000007", "9007199254740991"] {
        other.send(&format!("43{ack}[\"evil\"]"));
    }
    asked.send(r#"431["another"]"#);
    other.send(r#"425["echo",1]"#);
    assert_eq!(other.next_text(), "435[1]");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(reply).unwrap_err(), AckError::TimedOut);
    assert_serves(&running);
}

/// Lets everybody into the org that he names, or else into this.
struct Orgs(OrgId);

impl Authenticator for Orgs {
    fn authenticate(
        &self,
        handshake: &Arc<Handshake>,
        _namespace: &Namespace,
    ) -> Outcome<Result<Arc<Caller>, ConnectRefused>> {
        #[derive(Deserialize)]
        struct Auth {
            org: String,
        }
        let org = handshake.auth_as().map_or_else(|_| self.0.clone(), |Auth { org }| OrgId::new(&org));
        Outcome::Ready(Ok(Arc::new(Caller::server(org, Arc::default()))))
    }
}

#[test]
fn a_broadcast_is_answered_by_those_who_are_in_its_room() {
    let running = Setup { orgs: &["demo", "other"], ..Setup::default() }.start();
    let ours = running.io.server().org.clone();
    let foreign_org = if ours == OrgId::new("demo") { "other" } else { "demo" };
    running.io.set_authenticator(Arc::new(Orgs(ours)));
    let _told = listen(&running);
    running.io.root().on(
        "leave",
        Arc::new(|event: Event| {
            event.socket.leave(event.arguments.parse::<String>().unwrap());
            event.ack.unwrap().send(()).unwrap();
            done()
        }),
    );
    let (mut inside, id) = running.connected();
    let (mut outside, _) = running.connected();
    let (mut left, left_id) = running.connected();
    let socket = |id: &str| running.io.root().socket(id).unwrap();
    socket(&id).join("room").unwrap();
    socket(&left_id).join("room").unwrap();
    let mut foreign = running.client();
    foreign.send(&format!(r#"40{{"org":"{foreign_org}"}}"#));
    socket(&foreign.next_connected("40")).join("room").unwrap();
    let (notes, told) = Notes::new();
    let sink = Box::new(move |event| match event {
        ReplyEvent::Reply(reply) => notes.say(format!("{:?}", reply.payload)),
        ReplyEvent::End { .. } => notes.say("end"),
    });
    let channel = channel_of(running.io.root().wire_name(), Some("room")).unwrap();
    let collect = Collect { timeout: PATIENCE, until: Some(1), sink };
    let draft = Draft::new(channel, Payload::Text("?".into()));
    running.io.node().broadcast(running.io.server(), draft, collect, || Box::new(|_| {})).unwrap();
    let question = inside.next_text();
    assert_eq!(left.next_text(), question);
    let ack = question.strip_prefix("42").unwrap().strip_suffix(r#"["message","?"]"#).unwrap().to_owned();
    left.send(r#"420["leave","room"]"#);
    assert_eq!(left.next_text(), "430[]");
    // Whoever sees the event of another, or guesses what its number is, has nothing to say to it.
    for client in [&mut outside, &mut left, &mut foreign] {
        client.send(&format!(r#"43{ack}["evil"]"#));
        client.send(r#"421["echo",1]"#);
        assert_eq!(client.next_text(), "431[1]");
    }
    told.nothing_more();
    inside.send(&format!(r#"43{ack}["good"]"#));
    assert_eq!(told.next(), r#"Text(b"good")"#);
    assert_eq!(told.next(), "end");
}

#[test]
fn who_sends_more_than_a_slow_handler_takes_is_put_out() {
    let running = Setup::new(|settings| {
        settings.handler_queue_max = 10;
        settings.handler_queue_bytes_max = 100_000;
    })
    .start();
    let told = listen(&running);
    running.io.root().on("slow", Arc::new(|_| Outcome::pending(std::future::pending())));
    let long = "x".repeat(60_000);
    for (event, few) in [(r#"42["echo"]"#.to_owned(), 10), (format!(r#"42["{long}"]"#), 1)] {
        let (mut client, id) = running.connected();
        client.send(r#"42["slow"]"#);
        for _ in 0..few {
            client.send(&event);
        }
        // It is there still, and what waits is within bounds.
        client.send("40/none,");
        assert_eq!(client.next_text(), r#"44/none,{"message":"Invalid namespace"}"#);
        assert!(running.io.root().socket(&id).is_some());
        client.send(&event);
        client.expect_end();
        until("it is gone", || running.io.root().socket(&id).is_none());
    }
    // Their handlers run still, so that nobody is told before they are done.
    told.nothing_more();
    assert_serves(&running);
}

#[test]
fn a_flood_of_connects_is_answered_and_leaves_nothing() {
    let running = Setup::new(|settings| settings.namespaces_per_connection_max = 5).start();
    let _told = listen(&running);
    let _parent = running.io.of_matching(|candidate| candidate.name.starts_with("/many/").into());
    let (mut client, _) = running.connected();
    let mut answers = [0; 3];
    let mut count = |client: &mut Client, times: usize| {
        for _ in 0..times {
            let text = client.next_text();
            let at = ["40/", "Too many", "Invalid"].iter().position(|one| text.contains(one)).unwrap();
            answers[at] += 1;
        }
        answers
    };
    for n in 0..500 {
        client.send(&format!("40/many/{n},"));
    }
    assert_eq!(count(&mut client, 500), [4, 496, 0]);
    client.send("41/many/1,");
    for n in 0..500 {
        client.send(&format!("40/none/{n},"));
    }
    assert_eq!(count(&mut client, 500), [4, 496, 500]);
    for _ in 0..500 {
        client.send("40/many/1,");
        client.send("41/many/1,");
    }
    assert_eq!(count(&mut client, 500), [504, 496, 500]);
    client.vanish();
    until("all of it is gone", || running.io.namespaces().len() == 1 && running.io.client_count() == 0);
    assert_serves(&running);
}

#[test]
fn who_does_not_read_is_put_out_and_the_others_hear_everything() {
    let mut setup = Setup::default();
    setup.net.outbox_bytes_max = 200_000;
    setup.net.close_timeout = Duration::from_millis(100);
    let running = setup.start();
    let told = listen(&running);
    let (mut slow, _) = running.connected();
    slow.send(r#"420["echo"]"#);
    assert_eq!(slow.next_text(), "430[]");
    let (mut good, _) = running.connected();
    let payload = "x".repeat(50_000);
    let mut sent = 0;
    until("the slow one is gone", || {
        running.io.root().emit("all", (sent, &payload)).unwrap();
        assert!(good.next_text().starts_with(&format!(r#"42["all",{sent},"#)));
        sent += 1;
        running.io.root().socket_count() == 1
    });
    assert_eq!(told.next(), "transport error");
    assert_serves(&running);
}

#[test]
fn a_time_that_never_comes_is_awaited_as_long_as_that() {
    let running = Setup::default().start();
    let (mut client, id) = running.connected();
    let socket = running.io.root().socket(&id).unwrap();
    let reply = socket.timeout(Duration::MAX).emit_with_ack("question", ()).unwrap();
    assert_eq!(client.next_text(), r#"420["question"]"#);
    client.send(r#"430["answer"]"#);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(reply).unwrap().parse::<String>().unwrap(), "answer");
    running.io.root().on("echo", Arc::new(|event: Event| echo(event)));
    assert_serves(&running);
}

#[test]
fn who_goes_without_an_answer_is_let_go_of() {
    struct Counted(Notes);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.say("let go of");
        }
    }
    let running = Setup::default().start();
    let (notes, told) = Notes::new();
    let (mut client, id) = running.connected();
    let socket = running.io.root().socket(&id).unwrap();
    socket.extensions().insert(Counted(notes));
    let reply = socket.timeout(Duration::from_secs(3600)).emit_with_ack("question", ()).unwrap();
    drop(socket);
    assert_eq!(client.next_text(), r#"420["question"]"#);
    client.vanish();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(reply).unwrap_err(), AckError::Disconnected);
    assert_eq!(told.next(), "let go of");
}
