use std::io::Write as _;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::json;

use crate::{Running, Setup, encoded};

#[test]
fn time_is_a_number_of_17_digits() {
    let server = Running::start();
    let time = server.get("/time/0?pnsdk=x");
    assert_eq!(time[0].as_u64().unwrap().to_string().len(), 17);
    let head = server.request("HEAD", "/time/0", b"");
    assert_eq!((head.status, head.header("content-length")), (200, Some("19")));
    server.stop();
}

#[test]
fn a_page_may_ask_from_anywhere() {
    let server = Running::start();
    let response = server.connect().request("GET", "/time/0", &[("origin", "https://x.example")], b"");
    assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    let asked = [("origin", "https://x.example"), ("access-control-request-headers", "if-match")];
    let preflight = server.connect().request("OPTIONS", "/v2/subscribe/demo/a/0", &asked, b"");
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-headers"), Some("if-match"));
    assert_eq!(preflight.header("allow"), Some("OPTIONS, GET"));
    server.stop();
}

#[test]
fn what_is_not_there_is_told_so() {
    let server = Running::start();
    let (status, key) = server.refused("/v2/subscribe/nobody/a/0?tt=0");
    let expected = json!({"message": "Invalid Subscribe Key", "error": true, "service": "Access Manager", "status": 400});
    assert_eq!((status, key), (400, expected));
    assert_eq!(server.refused("/v2/subscribe/demo").0, 404);
    let post = server.request("POST", "/v2/subscribe/demo/a/0", b"");
    assert_eq!((post.status, post.header("allow")), (405, Some("OPTIONS, GET")));
    let (status, long) = server.refused(&format!("/time/0?x={}", "x".repeat(61 << 10)));
    let expected =
        json!({"message": "Request URI Too Long", "error": true, "service": "Balancer", "status": 414});
    assert_eq!((status, long), (414, expected));
    server.stop();
}

#[test]
fn what_is_published_comes() {
    let server = Running::start();
    let since = server.handshake("room", "bob", "");
    let name = "a/b #ü,"; // No channel: lists are made with commas.
    let refused = server.refused(&format!("/publish/demo/demo/0/{}/0/1", encoded(name)));
    assert_eq!((refused.0, &refused.1[1]), (400, &json!("Invalid Channel")));
    let first = server.publish("room", "ann", &json!({"text": "a/b"}), "&meta=%7B%22lang%22%3A%22en%22%7D");
    let second = server.get("/signal/demo/demo/0/room/0/%22typing%22?uuid=ann");
    let polled = server.poll("room", "bob", &since, "");
    let signal = second[2].as_str().unwrap();
    assert_eq!(
        polled.envelopes,
        [
            json!({
                "a": "1", "f": 0, "i": "ann", "p": {"t": first, "r": 1}, "k": "demo", "c": "room",
                "d": {"text": "a/b"}, "u": {"lang": "en"}, "b": "room",
            }),
            json!({
                "a": "1", "f": 0, "i": "ann", "p": {"t": signal, "r": 1}, "k": "demo", "c": "room",
                "d": "typing", "b": "room", "e": 1,
            }),
        ]
    );
    assert_eq!(polled.since, signal);
    server.stop();
}

#[test]
fn names_are_what_they_are() {
    let server = Running::start();
    let name = "a/b #ü%";
    let since = server.handshake(&encoded(name), "bob", "");
    server.publish(name, "ann", &json!("x"), "");
    let polled = server.poll(&encoded(name), "bob", &since, "");
    assert_eq!(polled.envelopes[0]["c"], name);
    server.stop();
}

#[test]
fn bodies_come_plain_or_compressed_and_as_whatever_they_say() {
    let server = Running::start();
    let since = server.handshake("room", "bob", "");
    let (mut gzip, mut zlib) =
        (GzEncoder::new(Vec::new(), Compression::fast()), ZlibEncoder::new(Vec::new(), Compression::fast()));
    gzip.write_all(b"\"gzip\"").unwrap();
    zlib.write_all(b"\"zlib\"").unwrap();
    let form = ("content-type", "application/x-www-form-urlencoded");
    let compressed = ("content-encoding", "gzip");
    for (headers, body) in [
        (vec![form], b"\"form\"".to_vec()),
        (vec![compressed], gzip.finish().unwrap()),
        (vec![compressed], zlib.finish().unwrap()),
    ] {
        let path = "/publish/demo/demo/0/room/0?uuid=ann&store=1";
        let sent = server.connect().request("POST", path, &headers, &body);
        assert_eq!(sent.status, 200, "{sent:?}");
    }
    let polled = server.poll("room", "bob", &since, "");
    assert_eq!(polled.payloads(), [json!("form"), json!("gzip"), json!("zlib")]);
    let path = "/publish/demo/demo/0/room/0";
    let broken = server.connect().request("POST", path, &[compressed], b"\"plain\"");
    assert_eq!(broken.status, 400);
    server.stop();
}

#[test]
fn what_cannot_be_published_is_refused() {
    let server = Setup::new(|settings| settings.message_bytes_max = 20).start();
    let long = encoded(&json!("x".repeat(30)).to_string());
    let signal = encoded(&json!("x".repeat(70)).to_string());
    for (path, message) in [
        ("/publish/wrong/demo/0/room/0/1".to_owned(), "Invalid Key"),
        ("/publish/demo/demo/0/room/0/%7B".to_owned(), "Invalid JSON"),
        ("/publish/demo/demo/0/room/0/1?meta=%7B".to_owned(), "Invalid JSON"),
        (format!("/publish/demo/demo/0/room/0/{long}"), "Message Too Large"),
        (format!("/signal/demo/demo/0/room/0/{signal}"), "Signal size too large"),
        ("/publish/demo/demo/0/room-pnpres/0/1".to_owned(), "Invalid Channel"),
        ("/publish/demo/demo/0/a.*/0/1".to_owned(), "Invalid Channel"),
    ] {
        let (status, body) = server.refused(&path);
        assert_eq!((status, &body[0], &body[1]), (400, &json!(0), &json!(message)), "{path}");
        assert_eq!(body[2].as_str().unwrap().len(), 17);
    }
    server.stop();
}
