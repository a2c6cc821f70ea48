use std::time::Duration;

use antiphon_access::CredentialKind;
use serde_json::Value;

use crate::client::Connection;
use crate::{Other, Running, Setup, channel, subscribe, subscribed, until};

#[test]
fn a_websocket_needs_no_polling_before_it() {
    let running = Setup::default().start();
    let mut socket = running.socket(&running.token("one"));
    socket.asks(&subscribe([&channel("c")]), &subscribed([&channel("c")]));
    socket.has_nothing();
}

#[test]
fn polls_get_the_open_packet_alone_and_then_the_connect() {
    let running = Setup::default().start();
    for more in ["", "&b64=1"] {
        let mut polls = running.opened(&running.token("one"), more);
        assert_eq!(polls.next(), "40");
    }
}

#[test]
fn bad_tokens_are_refused_before_a_session_begins() {
    let running = Setup::default().start();
    let token = running.token("one");
    let (head, signature) = token.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let expired = {
        let token = running.token_for(CredentialKind::Device, "one", Duration::from_secs(1));
        let expires = running.expires(&token);
        until("it is over", || running.node().now().wall >= expires);
        token
    };
    for bad in [&*forged, &expired] {
        let answer = running.connect().get(&Running::query(bad, "polling"));
        assert_eq!(answer.status, 401, "{answer:?}");
        let answer = running.connect().upgrade(&Running::query(bad, "websocket")).err().unwrap();
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    running.until_empty();
}

#[test]
fn two_connection_headers_are_read_as_one() {
    let running = Setup::default().start();
    let mut connection = running.connect();
    let target = format!("/socket.io/?{}", Running::query(&running.token("one"), "websocket"));
    let headers = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("connection", "keep-alive"),
    ];
    connection.send("GET", &target, &headers, b"");
    let mut socket = connection.upgraded().unwrap();
    assert!(socket.next_text().starts_with("0{"));
    assert_eq!(socket.next_text(), "40");
}

fn status(running: &Running, query: &str, name: &'static str, value: &str) -> (u16, u16) {
    let connection = || Connection::to(running.address()).with(name, value);
    let polled = connection().get(query).status;
    let query = query.replace("polling", "websocket");
    (polled, connection().upgrade(&query).map_or_else(|refused| refused.status, |_| 101))
}

#[test]
fn pages_come_from_origins_that_are_allowed() {
    let running = Setup::default().start();
    let query = Running::query(&running.token("one"), "polling");
    for (origin, allowed) in [
        // What the SDK on Node says.
        ("127.0.0.1:19000", true),
        ("http://localhost", true),
        ("https://app.example.com", true),
        ("https://scala.example.com", true),
        ("https://evil.example.com", false),
        ("null", false),
    ] {
        let expected = if allowed { (200, 101) } else { (403, 403) };
        assert_eq!(status(&running, &query, "origin", origin), expected, "{origin}");
    }
    let query = Running::query(&running.token("stranger"), "polling");
    assert_eq!(status(&running, &query, "origin", "https://scala.example.com"), (403, 403), "another org's");
}

#[test]
fn those_without_a_session_token_are_others() {
    let running = Setup::default().start();
    for query in ["EIO=3&transport=polling", "EIO=3&transport=polling&token=x", "EIO=4&transport=polling"] {
        assert_eq!(running.connect().get(query).status, 404, "{query}");
    }
    let running = Setup { other: Other::SocketIo, ..Setup::default() }.start();
    let token = running.token("one");
    let mut other = running.connect().upgrade("EIO=3&transport=websocket").unwrap();
    assert!(other.next_text().starts_with("0{"));
    assert_eq!(other.next_text(), "40");
    other.text(&subscribe([&channel("c")]));
    other.has_nothing();
    let mut newer = running.connect().upgrade(&format!("EIO=4&transport=websocket&token={token}")).unwrap();
    assert!(newer.next_text().starts_with("0{"));
    newer.text("40");
    assert!(newer.next_text().starts_with("40{"));
    let mut own = running.socket(&token);
    own.asks(&subscribe([&channel("c")]), &subscribed([&channel("c")]));
}

#[test]
fn answers_are_binary_for_those_who_read_nothing_else() {
    let running = Setup { other: Other::SocketIo, ..Setup::default() }.start();
    let own = running.connect().get(&Running::query(&running.token("one"), "polling"));
    assert_eq!(own.header("content-type"), Some("application/octet-stream"));
    let own = running.connect().get(&(Running::query(&running.token("one"), "polling") + "&b64=1"));
    assert_eq!(own.header("content-type"), Some("text/plain; charset=UTF-8"));
    let other = running.connect().get("EIO=3&transport=polling");
    assert_eq!(other.header("content-type"), Some("text/plain; charset=UTF-8"));
}

#[test]
fn clients_have_a_minute_for_their_heartbeat() {
    let running = Setup { other: Other::SocketIo, ..Setup::default() }.start();
    let timeout = |query: &str| {
        let opened = running.connect().get(query).packets();
        let opened: Value = serde_json::from_str(&opened[0][1..]).unwrap();
        opened["pingTimeout"].as_u64()
    };
    assert_eq!(timeout(&Running::query(&running.token("one"), "polling")), Some(60_000));
    assert_eq!(timeout("EIO=3&transport=polling&b64=1"), Some(20_000));
}

#[test]
fn tokens_of_another_server_are_refused_and_other_credentials_are_the_others_business() {
    let running = Setup { other: Other::SocketIo, ..Setup::default() }.start();
    // {"alg":"HS256"}, {"sub":"one"}
    let foreign = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJvbmUifQ.AAAA";
    for (credential, revision, status) in
        [(foreign, 3, 401), (foreign, 4, 200), ("some-key", 3, 200), ("", 3, 200)]
    {
        let query = format!("EIO={revision}&transport=polling&token={credential}");
        assert_eq!(running.connect().get(&query).status, status, "{query}");
    }
    let query = format!("EIO=3&transport=polling&token={foreign}");
    let mut other = running.connect().with("authorization", "Bearer some-key");
    assert_eq!(other.get(&query).status, 200, "what the header says counts for Socket.IO");
}
