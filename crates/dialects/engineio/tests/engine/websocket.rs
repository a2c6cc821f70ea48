use antiphon_engineio::EngineSettings;

use crate::Setup;
use crate::client::{Heard, sid};

fn short() -> EngineSettings {
    EngineSettings { ping_interval_ms: 300, ping_timeout_ms: 200, ..EngineSettings::default() }
}

#[test]
fn a_session_opens_and_echoes() {
    let server = Setup::default().start();
    let mut socket = server.connect().upgrade("EIO=4&transport=websocket&greet=welcome").unwrap();
    let open = socket.next_text();
    let rest = r#","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    assert_eq!(open, format!("0{{\"sid\":\"{}\"{rest}", sid(&open)));
    assert_eq!(socket.next_text(), "4welcome");
    socket.text("4hello €");
    assert_eq!(socket.next_text(), "4hello €");
    socket.binary(&[1, 2, 3, 4]);
    assert_eq!(socket.next(), Heard::Binary(vec![1, 2, 3, 4]));
    socket.text("bAQIDBA==");
    assert_eq!(socket.next(), Heard::Binary(vec![1, 2, 3, 4]));
    socket.text("4!burst 100");
    for n in 1..=100 {
        assert_eq!(socket.next_text(), format!("4{n}"));
    }
    // A separator means nothing here.
    socket.text("4a\x1eb");
    assert_eq!(socket.next_text(), "4a\x1eb");
    drop(socket);
    server.log.until("transport close");
    server.until_empty();
}

#[test]
fn old_clients_have_a_byte_before_bytes() {
    let server = Setup::default().start();
    let mut socket = server.connect().upgrade("EIO=3&transport=websocket").unwrap();
    assert!(socket.next_text().starts_with("0{"));
    socket.binary(&[4, 1, 2, 3]);
    assert_eq!(socket.next(), Heard::Binary(vec![4, 1, 2, 3]));
    socket.text("2");
    assert_eq!(socket.next_text(), "3");
    let mut socket = server.connect().upgrade("EIO=3&transport=websocket&b64=1").unwrap();
    assert!(socket.next_text().starts_with("0{"));
    socket.text("b4AQIDBA==");
    assert_eq!(socket.next_text(), "b4AQIDBA==");
}

#[test]
fn refusals_are_answers() {
    let server = Setup::default().start();
    for (query, status, body) in [
        ("EIO=4&transport=abc", 400, r#"{"code":0,"message":"Transport unknown"}"#),
        ("EIO=abc&transport=websocket", 400, r#"{"code":5,"message":"Unsupported protocol version"}"#),
        ("EIO=4&transport=polling", 400, r#"{"code":3,"message":"Bad request"}"#),
        (
            "EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAAAAAA",
            400,
            r#"{"code":1,"message":"Session ID unknown"}"#,
        ),
        ("EIO=4&transport=websocket&admit=no", 403, r#"{"code":4,"message":"not you"}"#),
    ] {
        let answer = server.connect().upgrade(query).err().unwrap();
        assert_eq!((answer.status, answer.text()), (status, body), "{query}");
    }
    server.until_empty();
}

#[test]
fn heartbeats_go_both_ways() {
    let server = Setup { engine: short(), ..Setup::default() }.start();
    let mut socket = server.connect().upgrade("EIO=4&transport=websocket").unwrap();
    socket.next_text();
    for _ in 0..3 {
        assert_eq!(socket.next_text(), "2");
        socket.text("3");
    }
    assert_eq!(socket.next_text(), "2");
    assert_eq!(socket.until_closed(), Some(1000));
    server.log.until("ping timeout");
    server.until_empty();
}

#[test]
fn sessions_end_for_their_reasons() {
    let engine = EngineSettings { payload_bytes_max: 1000, ..EngineSettings::default() };
    for (frames, code, reason) in [
        (&["1"][..], Some(1000), "transport close"),
        (&["abc"], Some(1002), "parse error"),
        (&["2"], Some(1002), "transport error"),
        (&["4!close"], Some(1000), "forced close"),
        (&["4!discard"], Some(1000), "forced close"),
    ] {
        let server = Setup { engine: engine.clone(), ..Setup::default() }.start();
        let mut socket = server.connect().upgrade("EIO=4&transport=websocket").unwrap();
        frames.iter().for_each(|frame| socket.text(frame));
        assert_eq!(socket.until_closed(), code, "{frames:?}");
        server.log.until(reason);
        drop(socket);
        server.until_empty();
        assert_eq!(server.log.lines().len(), 2, "opened and closed once");
    }
    let server = Setup { engine, ..Setup::default() }.start();
    let mut socket = server.connect().upgrade("EIO=4&transport=websocket").unwrap();
    socket.text(&"4".repeat(1001));
    assert_eq!(socket.until_closed(), Some(1009));
    server.log.until("transport error");
    let mut socket = server.connect().upgrade("EIO=4&transport=websocket").unwrap();
    socket.next_text();
    socket.raw(&[0xff; 8]);
    assert_eq!(socket.until_closed(), Some(1002));
    let mut socket = server.connect().upgrade("EIO=4&transport=websocket").unwrap();
    socket.close(1000);
    assert_eq!(socket.until_closed(), Some(1000));
    server.log.until("transport close");
    server.until_empty();
}

#[test]
fn what_was_sent_before_an_orderly_close_arrives() {
    let server = Setup::default().start();
    let mut socket = server.connect().upgrade("EIO=4&transport=websocket").unwrap();
    socket.next_text();
    socket.text("4!fill 500000");
    socket.text("4!close");
    assert_eq!(socket.next_text().len(), 500_001);
    assert_eq!(socket.until_closed(), Some(1000));
}
