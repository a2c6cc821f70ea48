use antiphon_engineio::EngineSettings;

use crate::Setup;

#[test]
fn text_has_its_length_in_utf16_units() {
    let server = Setup::default().start();
    let session = server.open_for_text();
    assert_eq!(server.post(&session, "6:4hello3:4😀").text(), "ok");
    assert_eq!(server.get(&session).text(), "6:4hello3:4😀");
}

#[test]
fn clients_that_encode_text_twice_are_answered_so() {
    let server = Setup::default().start();
    let session = server.open_for_text();
    let twice = "6:4hello5:4\u{f0}\u{9f}\u{98}\u{80}";
    assert_eq!(server.post(&session, twice).text(), "ok");
    assert_eq!(server.get(&session).text(), twice);
    assert_eq!(server.post(&session, "2:4é").text(), "ok");
    assert_eq!(server.get(&session).text(), "2:4é", "it does not after all");
}

#[test]
fn text_is_binary_where_clients_would_read_it_in_different_ways() {
    let server = Setup::default().start();
    let session = server.open(3);
    assert_eq!(server.post(&session, "6:4hello").text(), "ok");
    assert_eq!(server.get(&session).text(), "6:4hello");
    for body in ["6:4hello3:4😀", "6:4hello5:4\u{f0}\u{9f}\u{98}\u{80}"] {
        let session = server.open(3);
        assert_eq!(server.post(&session, body).text(), "ok");
        let answer = server.get(&session);
        assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
        assert_eq!(answer.body, [&b"\0\x06\xff4hello\0\x05\xff4"[..], "😀".as_bytes()].concat());
    }
}

#[test]
fn bytes_are_binary_or_base64() {
    let server = Setup::default().start();
    let session = server.open(3);
    server.post(&session, "6:4hello10:b4AQIDBA==");
    let answer = server.get(&session);
    assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    assert_eq!(answer.body, [&[0, 6, 255][..], b"4hello", &[1, 5, 255, 4, 1, 2, 3, 4]].concat());
    // The same, sent as bytes.
    let mut binary = server.connect().with("content-type", "application/octet-stream");
    let target = format!("/engine.io/?{session}");
    assert_eq!(binary.request("POST", &target, &answer.body).text(), "ok");
    assert_eq!(server.get(&session).body, answer.body);

    let session = server.open_for_text();
    server.post(&session, "6:4hello10:b4AQIDBA==");
    let answer = server.get(&session);
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
    assert_eq!(answer.text(), "6:4hello10:b4AQIDBA==");
}

#[test]
fn the_client_pings() {
    let engine = EngineSettings { ping_interval_ms: 300, ping_timeout_ms: 200, ..EngineSettings::default() };
    let server = Setup { engine, ..Setup::default() }.start();
    let session = server.open(3);
    for _ in 0..3 {
        assert_eq!(server.post(&session, "1:2").text(), "ok");
        assert_eq!(server.get(&session).text(), "1:3");
    }
    let mut poll = server.connect();
    poll.begin_get(&session);
    server.log.until("ping timeout");
    assert_eq!(poll.response().text(), "1:1");
    assert_eq!(server.post(&session, "1:2").status, 400);
    server.until_empty();
}
