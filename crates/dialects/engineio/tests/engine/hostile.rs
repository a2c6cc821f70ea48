//! Clients that mean harm, and those whose network fails them.

use std::time::Duration;

use antiphon_engineio::EngineSettings;

use crate::client::Response;
use crate::{Running, Setup, until};

/// What a client is told whose session there is not.
const UNKNOWN: &str = r#"{"code":1,"message":"Session ID unknown"}"#;

fn short() -> EngineSettings {
    EngineSettings { ping_interval_ms: 100, ping_timeout_ms: 100, ..EngineSettings::default() }
}

/// What comes next is as if nothing had been.
fn assert_serves(server: &Running) {
    let session = server.open(4);
    server.post(&session, "4hello");
    assert_eq!(server.get(&session).text(), "4hello");
    server.post(&session, "1");
    server.until_empty();
}

fn assert_refused(answer: &Response, what: &str) {
    assert_eq!((answer.status, answer.text()), (400, r#"{"code":3,"message":"Bad request"}"#), "{what}");
}

#[test]
fn bodies_that_lie_end_their_session_and_nothing_else() {
    let binary = |parts: &[&[u8]]| parts.concat();
    let many = "6\x1e".repeat(10_000) + "6";
    let bodies: [(&str, &str, Vec<u8>); 26] = [
        ("EIO=4&transport=polling", "text/plain", b"".to_vec()),
        ("EIO=4&transport=polling", "text/plain", b"\x1e".to_vec()),
        ("EIO=4&transport=polling", "text/plain", b"4a\x1e\x1e4b".to_vec()),
        ("EIO=4&transport=polling", "text/plain", b"4\xe2\x82".to_vec()),
        ("EIO=4&transport=polling", "text/plain", b"4\xff".to_vec()),
        ("EIO=4&transport=polling", "text/plain", b"b===".to_vec()),
        ("EIO=4&transport=polling", "text/plain", many.into_bytes()),
        ("EIO=4&transport=polling", "application/octet-stream", b"4a".to_vec()),
        ("EIO=3&transport=polling&b64=1", "text/plain", b"".to_vec()),
        ("EIO=3&transport=polling&b64=1", "text/plain", b"-1:4".to_vec()),
        ("EIO=3&transport=polling&b64=1", "text/plain", b"+1:6".to_vec()),
        ("EIO=3&transport=polling&b64=1", "text/plain", b"1:4a".to_vec()),
        ("EIO=3&transport=polling&b64=1", "text/plain", b"50:4a".to_vec()),
        ("EIO=3&transport=polling&b64=1", "text/plain", b"18446744073709551617:4".to_vec()),
        ("EIO=3&transport=polling&b64=1", "text/plain", "2:4😀".into()),
        ("EIO=3&transport=polling&b64=1", "text/plain", "1".repeat(100_000).into()),
        ("EIO=3&transport=polling&b64=1", "text/plain", "0:".repeat(10_001).into()),
        ("EIO=3&transport=polling", "application/octet-stream", binary(&[&[2, 1, 255], b"6"])),
        ("EIO=3&transport=polling", "application/octet-stream", binary(&[&[0, 255], b"6"])),
        ("EIO=3&transport=polling", "application/octet-stream", binary(&[&[0, 10, 255], b"6"])),
        ("EIO=3&transport=polling", "application/octet-stream", binary(&[&[0, 9, 9, 255], b"6"])),
        ("EIO=3&transport=polling", "application/octet-stream", binary(&[&[0], &[9; 30], &[255], b"6"])),
        ("EIO=3&transport=polling", "application/octet-stream", binary(&[&[0], &[0; 50_000]])),
        ("EIO=3&transport=polling", "application/octet-stream", binary(&[&[0, 2, 255], b"4\xff"])),
        ("EIO=3&transport=polling", "application/octet-stream", binary(&[&[1, 1, 255, 9]])),
        ("EIO=3&transport=polling", "application/octet-stream", binary(&[&[1, 0, 255]])),
    ];
    for (query, kind, body) in bodies {
        let server = Setup::default().start();
        let session = server.open_by(query);
        let mut client = server.connect().with("content-type", kind);
        let answer = client.request("POST", &format!("/engine.io/?{session}"), &body);
        assert_refused(&answer, &String::from_utf8_lossy(&body[..body.len().min(40)]));
        assert_eq!(server.get(&session).text(), UNKNOWN);
        server.log.until("parse error");
        assert_serves(&server);
    }
}

#[test]
fn nobody_finds_a_session_by_guessing() {
    let server = Setup { workers: 2, ..Setup::default() }.start();
    let session = server.open(4);
    let sid = session.split_once("sid=").unwrap().1.to_owned();
    let nearly: String = sid.chars().rev().collect();
    let (long, short) = (format!("{sid}A"), sid[..19].to_owned());
    let mut client = server.connect();
    for guess in
        [&nearly, &long, &short, "____________________", "--------------------", "%00", "%ff", "../", "é"]
    {
        let guessed = format!("EIO=4&transport=polling&sid={guess}");
        assert_eq!(client.get(&guessed).status, 400, "{guess}");
        assert_eq!(client.post(&guessed, "1").status, 400, "{guess}");
        let guessed = format!("EIO=4&transport=websocket&sid={guess}");
        assert_eq!(server.connect().upgrade(&guessed).err().unwrap().status, 400, "{guess}");
    }
    server.post(&session, "4here");
    assert_eq!(server.get(&session).text(), "4here");
}

#[test]
fn polls_of_a_session_at_once_are_one_too_many_once() {
    let server = Setup { workers: 2, ..Setup::default() }.start();
    let session = server.open(4);
    let mut polls: Vec<_> = (0..20).map(|_| server.connect()).collect();
    polls.iter_mut().for_each(|poll| poll.begin_get(&session));
    let mut answers: Vec<_> = polls.iter_mut().map(|poll| poll.response()).collect();
    answers.sort_by_key(|answer| answer.status);
    assert_eq!(answers[0].text(), "1");
    assert!(answers[1..].iter().all(|answer| answer.status == 400));
    server.log.until("transport error");
    assert_serves(&server);
}

#[test]
fn half_upgrades_by_the_hundred_leave_nothing() {
    let engine = EngineSettings { upgrade_timeout_ms: 50, ..short() };
    let server = Setup { workers: 2, engine, ..Setup::default() }.start();
    let mut sockets = Vec::new();
    for n in 0..300 {
        let session = server.open(4);
        let query = session.replace("transport=polling", "transport=websocket");
        let mut socket = server.connect().upgrade(&query).unwrap();
        match n % 3 {
            // Silent.
            0 => sockets.push(socket),
            // Probed, and no more.
            1 => {
                socket.text("2probe");
                sockets.push(socket);
            }
            // Gone.
            _ => socket.text("2probe"),
        }
    }
    until("all are given up", || {
        server.log.lines().iter().filter(|line| *line == "ping timeout").count() == 300
    });
    for mut socket in sockets {
        assert!(matches!(socket.until_closed(), Some(1000 | 1008)));
    }
    assert_serves(&server);
}

#[test]
fn a_body_that_never_ends_lasts_no_longer_than_its_session() {
    let server = Setup { workers: 2, engine: short(), ..Setup::default() }.start();
    let session = server.open(4);
    let mut post = server.connect();
    post.send_head("POST", &format!("/engine.io/?{session}"), "content-length: 1000\r\n");
    post.write(b"4a");
    server.log.until("ping timeout");
    assert_refused(&post.response(), "the session is gone");
    let mut endless = server.connect();
    let unknown = "/engine.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA";
    endless.send_head("POST", unknown, "transfer-encoding: chunked\r\n");
    endless.write(b"1\r\n4\r\n");
    assert_eq!(endless.response().text(), UNKNOWN);
    assert_serves(&server);
}

/// Publishes what a session that does not take it listens to, until that has ended.
fn flood(server: &Running, reason: &str) {
    let mut publisher = server.connect().upgrade("EIO=4&transport=websocket").unwrap();
    let message = format!("4!publish a {}", "x".repeat(100_000));
    until("the one that does not read is gone", || {
        publisher.text(&message);
        server.log.lines().iter().any(|line| line == reason)
    });
}

#[test]
fn who_does_not_read_is_closed_and_it_is_known_why() {
    let mut setup = Setup::default();
    setup.net.outbox_bytes_max = 200_000;
    setup.net.close_timeout = Duration::from_millis(100);
    let server = setup.start();
    let mut slow = server.connect().upgrade("EIO=4&transport=websocket").unwrap();
    slow.next_text();
    slow.text("4!listen a");
    assert_eq!(slow.next_text(), "4listening");
    flood(&server, "transport error");
    drop(slow);
    server.until_empty();
    assert_eq!(server.log.lines().iter().filter(|line| *line == "transport error").count(), 1);
}

#[test]
fn who_does_not_poll_is_closed_and_sends_no_more() {
    let mut setup = Setup::default();
    setup.net.outbox_bytes_max = 200_000;
    let server = setup.start();
    let session = server.open(4);
    server.post(&session, "4!listen a");
    assert_eq!(server.get(&session).text(), "4listening");
    let mut publisher = server.connect().upgrade("EIO=4&transport=websocket").unwrap();
    publisher.next_text();
    for _ in 0..3 {
        publisher.text(&format!("4!publish a {}", "x".repeat(100_000)));
    }
    publisher.text("4done");
    assert_eq!(publisher.next_text(), "4done");
    assert_eq!(server.post(&session, "4unheard").text(), UNKNOWN);
    server.log.until("transport error");
    drop(publisher);
    assert_serves(&server);
}

#[test]
fn who_pings_and_never_polls_fills_no_memory() {
    let mut setup = Setup::default();
    setup.net.outbox_bytes_max = 200_000;
    let server = setup.start();
    let session = server.open_for_text();
    let pings = format!("91:2{}", "x".repeat(90)).repeat(1000);
    let answers: Vec<_> = (0..5).map(|_| server.post(&session, &pings).status).collect();
    assert_eq!(answers, [200, 200, 200, 400, 400]);
    server.log.until("transport error");
    assert_serves(&server);
}

#[test]
fn what_pages_put_into_a_query_becomes_no_script() {
    let server = Setup::default().start();
    for index in ["alert(1)", "0]();//", "%3C/script%3E", "-1", "99999999999", "", "1e1"] {
        let answer = server.get(&format!("EIO=4&transport=polling&j={index}"));
        assert_refused(&answer, index);
        assert_eq!(answer.header("content-type"), Some("application/json"), "{index}");
    }
}

#[test]
fn heads_may_be_odd_but_not_long() {
    let server = Setup::default().start();
    for accepted in ["gzip;q=NaN", "*;q=1e400", ",,;,", "gzip;q=-1", "identity;q=0, *;q=0", "\u{e9}"] {
        let answer = server.connect().with("accept-encoding", accepted).get("EIO=4&transport=polling");
        assert_eq!(answer.status, 200, "{accepted}");
    }
    let long = "x".repeat(100_000);
    let mut client = server.connect();
    client.send_head("GET", "/engine.io/?EIO=4&transport=polling", "");
    assert_eq!(client.response().status, 200);
    client.send_head("GET", "/engine.io/?EIO=4&transport=polling", &format!("x: {}\r\n", &long[..50_000]));
    assert_eq!(client.response().status, 431);
}
