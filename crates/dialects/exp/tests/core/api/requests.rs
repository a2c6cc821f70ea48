use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use super::{BROADCASTS, KEY, begin_post, hello, refusal, start};
use crate::Running;

/// All that comes for a request, on a connection that it closes.
fn raw(running: &Running, head: &str) -> String {
    let mut stream = TcpStream::connect(running.address()).unwrap();
    stream.set_read_timeout(Some(crate::PATIENCE)).unwrap();
    write!(stream, "{head}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn what_is_not_of_the_network_is_404() {
    let running = start();
    for target in ["/api", "/api/", "/api/devices/one", "/api/auth/login/", "/api/networks/other/broadcasts"]
    {
        let answer = running.connect().request("GET", target, &[], b"");
        assert_eq!(answer.refused(), refusal(404, "not-found"), "{target}");
    }
}

#[test]
fn other_methods_are_told_which_there_are() {
    let running = start();
    for target in ["/api/auth/login", "/api/auth/token", BROADCASTS, super::RESPONSES] {
        let answer = running.connect().request("GET", target, &[], b"");
        assert_eq!(answer.refused(), refusal(405, "method-not-allowed"), "{target}");
        assert_eq!(answer.header("allow"), Some("POST, OPTIONS"));
    }
    let answer = raw(&running, &format!("HEAD {BROADCASTS} HTTP/1.1\r\nhost: localhost"));
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.ends_with("\r\n\r\n"), "{answer}");
    assert!(!answer.contains("content-length: 0"), "{answer}");
}

#[test]
fn pages_of_allowed_origins_may_ask_and_read() {
    let running = start();
    // Of the settings, and of an org.
    for origin in ["https://app.example.com", "https://scala.example.com"] {
        let mut page = running.connect().with("origin", origin);
        for (target, allow) in [(BROADCASTS, "POST, OPTIONS"), ("/api/devices", "OPTIONS")] {
            let preflight =
                page.request("OPTIONS", target, &[("access-control-request-method", "POST")], b"");
            assert_eq!((preflight.status, preflight.header("allow")), (204, Some(allow)), "{target}");
            assert_eq!(preflight.header("access-control-allow-origin"), Some(origin));
            assert_eq!(preflight.header("access-control-allow-credentials"), Some("true"));
            let headers = preflight.header("access-control-allow-headers").unwrap().to_ascii_lowercase();
            assert!(headers.contains("authorization") && headers.contains("content-type"), "{headers}");
        }
        begin_post(&mut page, &format!("{BROADCASTS}?timeout=0"), Some(KEY), &to_bytes("room"));
        let answer = page.response();
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some(origin)));
        assert_eq!(answer.header("vary"), Some("Origin"));
        begin_post(&mut page, BROADCASTS, Some("x.y.z"), &to_bytes("room"));
        let refused = page.response();
        assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, Some(origin)));
    }
}

#[test]
fn pages_of_other_origins_may_not() {
    let running = start();
    for origin in ["https://evil.example", "null"] {
        let mut page = running.connect().with("origin", origin);
        begin_post(&mut page, BROADCASTS, Some(KEY), &to_bytes("room"));
        let answer = page.response();
        assert_eq!(answer.refused(), refusal(403, "origin-refused"), "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    // The other org allows nobody, and scala's page is not its own.
    let stranger = running.token("stranger");
    let mut page = running.connect().with("origin", "https://scala.example.com");
    begin_post(&mut page, BROADCASTS, Some(&stranger), &to_bytes("room"));
    assert_eq!(page.response().refused(), refusal(403, "origin-refused"));
    // What the SDK on Node calls its origin is none.
    let mut node = running.connect().with("origin", "127.0.0.1:19000");
    begin_post(&mut node, &format!("{BROADCASTS}?timeout=0"), Some(KEY), &to_bytes("room"));
    assert_eq!(node.response().status, 200);
}

#[test]
fn the_server_answers_to_its_own_name_only() {
    let running = start();
    let answer = raw(&running, "OPTIONS /api/auth/login HTTP/1.1\r\nhost: evil.example");
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("\"code\":\"host-refused\""), "{answer}");
    let answer = raw(&running, "OPTIONS /api/auth/login HTTP/1.1\r\nhost: localhost\r\nhost: localhost");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[test]
fn a_connection_goes_on_after_errors() {
    let running = start();
    let mut connection = running.connect();
    for _ in 0..3 {
        begin_post(&mut connection, BROADCASTS, None, &vec![b'x'; 100_000]);
        assert_eq!(connection.response().refused(), refusal(401, "unauthorized"));
        begin_post(&mut connection, &format!("{BROADCASTS}?timeout=0"), Some(KEY), &to_bytes("room"));
        assert_eq!(connection.response().json(), json!([]));
    }
}

fn to_bytes(channel: &str) -> Vec<u8> {
    hello(channel).to_string().into_bytes()
}
