use std::net::Shutdown;

use antiphon_engineio::{ClientBundle, CookieSettings, EngineSettings, ServeSettings, Transport};

use crate::{Running, Setup};

fn short() -> EngineSettings {
    EngineSettings { ping_interval_ms: 300, ping_timeout_ms: 200, ..EngineSettings::default() }
}

#[test]
fn a_session_opens_and_echoes() {
    let server = Setup::default().start();
    let open = server.get("EIO=4&transport=polling");
    assert_eq!(open.status, 200);
    assert_eq!(open.header("content-type"), Some("text/plain; charset=UTF-8"));
    assert_eq!(open.header("cache-control"), Some("no-store"));
    assert_eq!(open.header("set-cookie"), None);
    let rest = r#","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    assert_eq!(open.text(), format!("0{{\"sid\":\"{}\"{rest}", open.sid()));

    let session = server.open(4);
    let answer = server.post(&session, "4hello");
    assert_eq!((answer.status, answer.text()), (200, "ok"));
    assert_eq!(answer.header("content-type"), Some("text/html"));
    assert_eq!(server.get(&session).text(), "4hello");
    server.post(&session, "4test1\x1e4test2\x1e4test3");
    assert_eq!(server.get(&session).text(), "4test1\x1e4test2\x1e4test3");
    server.post(&session, "4€\x1ebAQIDBA==");
    assert_eq!(server.get(&session).text(), "4€\x1ebAQIDBA==");
}

#[test]
fn a_poll_waits_for_what_comes() {
    let server = Setup::default().start();
    let session = server.open(4);
    let mut poll = server.connect();
    poll.begin_get(&session);
    server.post(&session, "4a");
    assert_eq!(poll.response().text(), "4a");
    // One connection takes any number of them.
    for n in 0..20 {
        server.post(&session, &format!("4{n}"));
        assert_eq!(poll.get(&session).text(), format!("4{n}"));
    }
}

#[test]
fn a_client_that_takes_little_is_given_it_in_portions() {
    let server = Setup::default().start();
    for (revision, ask, close) in [(4, "4!burst 40", "4!close"), (3, "10:4!burst 40", "7:4!close")] {
        let mut python = server.connect().with("user-agent", "python-requests/2.32.3");
        let query = format!("EIO={revision}&transport=polling");
        let session = format!("{query}&sid={}", python.get(&query).sid());
        let mut numbers = |count: usize| {
            let answer = python.get(&session);
            let separated = answer.text().replace(['\x1e', ':'], " ");
            let words = separated.split(' ').filter_map(|word| word.strip_prefix('4')).count();
            assert_eq!(words, count, "{answer:?}");
        };
        server.post(&session, ask);
        [16, 16, 8].into_iter().for_each(&mut numbers);
        // The end takes with it what is left.
        server.post(&session, ask);
        server.post(&session, close);
        numbers(16);
        numbers(24);
        assert_eq!(server.get(&session).status, 400);
    }
}

#[test]
fn what_the_application_sends_first_comes_after_the_open_packet() {
    let server = Setup::default().start();
    for revision in ["4", "3"] {
        let mut connection = server.connect();
        let query = format!("EIO={revision}&transport=polling&greet=welcome");
        let open = connection.get(&query);
        assert!(!open.text().contains("welcome"), "{open:?}");
        let poll = connection.get(&format!("{query}&sid={}", open.sid()));
        assert!(poll.text().ends_with("4welcome"), "{poll:?}");
    }
}

#[test]
fn refusals_are_json() {
    let setup = Setup { engine: EngineSettings { allow_v3: false, ..short() }, ..Setup::default() };
    let server = setup.start();
    let unknown = "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA";
    for (method, query, code, message) in [
        ("GET", "EIO=4&transport=abc", 0, "Transport unknown"),
        ("GET", "EIO=4", 0, "Transport unknown"),
        ("GET", unknown, 1, "Session ID unknown"),
        ("POST", unknown, 1, "Session ID unknown"),
        ("GET", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAP__", 1, "Session ID unknown"),
        ("POST", "EIO=4&transport=polling", 2, "Bad handshake method"),
        ("PUT", "EIO=4&transport=polling", 2, "Bad handshake method"),
        ("GET", "EIO=4&transport=websocket", 3, "Bad request"),
        ("GET", "EIO=4&transport=polling&admit=no", 4, "not you"),
        ("GET", "EIO=3&transport=polling", 5, "Unsupported protocol version"),
        ("GET", "transport=polling", 5, "Unsupported protocol version"),
    ] {
        let body: &[u8] = if method == "GET" { b"" } else { b"4a" };
        let answer = server.connect().request(method, &format!("/engine.io/?{query}"), body);
        assert_eq!(answer.status, if code == 4 { 403 } else { 400 }, "{query}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{query}");
        assert_eq!(answer.text(), format!("{{\"code\":{code},\"message\":\"{message}\"}}"), "{query}");
    }
}

#[test]
fn the_path_has_a_slash_or_not_and_there_is_nothing_else() {
    let server = Setup::default().start();
    for (target, status) in [
        ("/engine.io?EIO=4&transport=polling", 200),
        ("/engine.io/?EIO=4&transport=polling", 200),
        ("/engine.iox/?EIO=4&transport=polling", 404),
        ("/socket.io/?EIO=4&transport=polling", 404),
        ("/", 404),
        ("/engine.io/socket.io.js", 404),
    ] {
        assert_eq!(server.connect().request("GET", target, b"").status, status, "{target}");
    }
}

#[test]
fn the_client_can_be_had_where_it_is_served() {
    let serve = ServeSettings {
        path: "/engine.io/".into(),
        client_bundle: ClientBundle::Redirect("https://cdn.example/".into()),
        ..ServeSettings::default()
    };
    let server = Setup { serve, ..Setup::default() }.start();
    let answer = server.connect().request("GET", "/engine.io/socket.io.min.js?x=1", b"");
    assert_eq!(answer.status, 302);
    assert_eq!(answer.header("location"), Some("https://cdn.example/socket.io.min.js"));
}

#[test]
fn a_cookie_names_the_session() {
    let serve = ServeSettings {
        path: "/engine.io/".into(),
        cookie: Some(CookieSettings::default()),
        ..ServeSettings::default()
    };
    let server = Setup { serve, ..Setup::default() }.start();
    let mut connection = server.connect();
    let open = connection.get("EIO=4&transport=polling&greet=a");
    let expected = format!("io={}; Path=/; HttpOnly; SameSite=Lax", open.sid());
    assert_eq!(open.header("set-cookie"), Some(&*expected));
    let poll = connection.get(&format!("EIO=4&transport=polling&sid={}", open.sid()));
    assert_eq!(poll.header("set-cookie"), None);
}

/// The session is there no more, and it is known why.
fn assert_ended(server: &Running, session: &str, reason: &str) {
    server.log.until(reason);
    let answer = server.get(session);
    assert_eq!((answer.status, answer.text()), (400, "{\"code\":1,\"message\":\"Session ID unknown\"}"));
    server.until_empty();
}

#[test]
fn a_second_poll_ends_the_session() {
    let server = Setup::default().start();
    let session = server.open(4);
    let mut first = server.connect();
    first.begin_get(&session);
    let mut second = server.connect();
    // Whichever comes first: it is the other that is refused.
    let second = second.get(&session);
    let first = first.response();
    let mut both = [(first.status, first.body), (second.status, second.body)];
    both.sort();
    assert_eq!(both[0], (200, b"1".to_vec()));
    assert_eq!(both[1].0, 400);
    assert_ended(&server, &session, "transport error");
}

#[test]
fn a_second_post_ends_the_session() {
    let server = Setup::default().start();
    let session = server.open(4);
    let target = format!("/engine.io/?{session}");
    let mut first = server.connect();
    first.send_head("POST", &target, "content-length: 6\r\nexpect: 100-continue\r\n");
    // It is being read when it is asked for.
    assert_eq!(first.response().status, 100);
    let second = server.post(&session, "4b");
    assert_eq!(second.status, 400);
    first.write(b"4aaaaa");
    assert_eq!(first.response().status, 400);
    assert_ended(&server, &session, "transport error");
}

#[test]
fn a_poll_that_is_given_up_ends_the_session() {
    let server = Setup::default().start();
    let session = server.open(4);
    let mut poll = server.connect();
    poll.begin_get(&session);
    poll.shut_down(Shutdown::Both);
    assert_ended(&server, &session, "transport error");
}

#[test]
fn a_post_that_breaks_off_ends_the_session() {
    let server = Setup::default().start();
    let session = server.open(4);
    let mut post = server.connect();
    post.send_head("POST", &format!("/engine.io/?{session}"), "content-length: 10\r\n");
    post.write(b"4a");
    post.shut_down(Shutdown::Both);
    assert_ended(&server, &session, "transport error");
}

#[test]
fn what_is_no_packet_ends_the_session() {
    let server = Setup::default().start();
    let session = server.open(4);
    assert_eq!(server.post(&session, "abc").status, 400);
    assert_ended(&server, &session, "parse error");
    let session = server.open(4);
    let mut binary = server.connect().with("content-type", "application/octet-stream");
    assert_eq!(binary.post(&session, "4a").status, 400);
    assert_ended(&server, &session, "parse error");
}

#[test]
fn bodies_are_bounded() {
    let engine = EngineSettings { payload_bytes_max: 1000, ..EngineSettings::default() };
    let server = Setup { engine, ..Setup::default() }.start();
    let session = server.open(4);
    let fits = format!("4{}", "a".repeat(999));
    assert_eq!(server.post(&session, &fits).status, 200);
    assert_eq!(server.get(&session).text(), fits);
    assert_eq!(server.post(&session, &"4".repeat(1_000_000)).status, 413);
    assert_ended(&server, &session, "transport error");

    let session = server.open(4);
    let mut chunked = server.connect();
    chunked.send_head("POST", &format!("/engine.io/?{session}"), "transfer-encoding: chunked\r\n");
    for _ in 0..20 {
        chunked.write(format!("64\r\n{}\r\n", "4".repeat(100)).as_bytes());
    }
    chunked.write(b"0\r\n\r\n");
    assert_eq!(chunked.response().status, 413);
    assert_ended(&server, &session, "transport error");
}

#[test]
fn the_client_can_leave() {
    let server = Setup::default().start();
    let session = server.open(4);
    let mut poll = server.connect();
    poll.begin_get(&session);
    assert_eq!(server.post(&session, "1").text(), "ok");
    // Even if it was overtaken.
    assert_eq!(poll.response().text(), "6");
    assert_ended(&server, &session, "transport close");
    for (revision, close, noop) in [(4, "1", "6"), (3, "1:1", "1:6")] {
        let session = server.open(revision);
        assert_eq!(server.post(&session, close).text(), "ok");
        assert_eq!(server.get(&session).text(), noop);
        assert_eq!(server.get(&session).status, 400);
    }
}

#[test]
fn the_server_pings_after_the_interval() {
    let server = Setup { engine: short(), ..Setup::default() }.start();
    let session = server.open(4);
    let mut poll = server.connect();
    for _ in 0..3 {
        assert_eq!(poll.get(&session).text(), "2");
        assert_eq!(server.post(&session, "3").status, 200);
    }
    assert_eq!(poll.get(&session).text(), "2");
    let last = poll.get(&session);
    assert!(last.status == 400 || last.text() == "1", "{last:?}");
    assert_ended(&server, &session, "ping timeout");
}

#[test]
fn transports_can_be_left_out() {
    let engine = EngineSettings { transports: vec![Transport::Polling], ..EngineSettings::default() };
    let server = Setup { engine, ..Setup::default() }.start();
    let open = server.get("EIO=4&transport=polling");
    assert!(open.text().contains("\"upgrades\":[]"), "{open:?}");
    let refused = server.connect().upgrade("EIO=4&transport=websocket").err().unwrap();
    assert_eq!(refused.text(), "{\"code\":0,\"message\":\"Transport unknown\"}");
}

#[test]
fn what_nobody_awaits_is_not_sent_if_it_is_volatile() {
    let server = Setup::default().start();
    let session = server.open(4);
    let mut poll = server.connect();
    server.post(&session, "4first");
    assert_eq!(poll.get(&session).text(), "4first");
    server.post(&session, "4!volatile lost");
    server.log.until("volatile: Ok(Dropped)");
    poll.begin_get(&session);
    // The poll may not be there yet.
    loop {
        server.post(&session, "4!volatile seen");
        if server.log.lines().contains(&"volatile: Ok(Queued)".to_owned()) {
            break;
        }
    }
    assert_eq!(poll.response().text(), "4seen");
}

#[test]
fn what_waits_is_bounded() {
    let engine = EngineSettings { send_buffer_bytes_max: 10_000, ..EngineSettings::default() };
    let server = Setup { engine, ..Setup::default() }.start();
    let session = server.open(4);
    assert_eq!(server.post(&session, "4!fill 9000").status, 200);
    // The message that is one too many ends the session in which it was asked for.
    server.post(&session, "4!fill 9000");
    server.log.until("fill: Err(Full)");
    assert_ended(&server, &session, "transport error");
}
