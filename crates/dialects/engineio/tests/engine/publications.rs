//! What sessions listen to comes by whatever transport they have.

use crate::Setup;
use crate::client::Heard;

#[test]
fn publications_reach_polls() {
    let server = Setup::default().start();
    let mut publisher = server.connect().upgrade("EIO=4&transport=websocket").unwrap();
    publisher.next_text();
    for (query, listen, listening, expected) in [
        ("EIO=4&transport=polling", "4!listen a", "4listening", &b"4one\x1ebBw=="[..]),
        ("EIO=3&transport=polling&b64=1", "10:4!listen a", "10:4listening", b"4:4one6:b4Bw=="),
        ("EIO=3&transport=polling", "10:4!listen a", "10:4listening", b"\0\x04\xff4one\x01\x02\xff\x04\x07"),
    ] {
        let session = format!("{query}&sid={}", server.get(query).sid());
        server.post(&session, listen);
        let mut poll = server.connect();
        assert_eq!(poll.get(&session).text(), listening);
        poll.begin_get(&session);
        publisher.text("4!publish a one");
        assert_eq!(poll.response().body, expected, "{query}");
    }
}

#[test]
fn what_is_listened_to_goes_over() {
    for (revision, listen, listening, byte) in
        [(4, "4!listen a", "4listening", vec![7]), (3, "10:4!listen a", "10:4listening", vec![4, 7])]
    {
        let server = Setup { workers: 2, ..Setup::default() }.start();
        let session = server.open(revision);
        server.post(&session, listen);
        assert_eq!(server.get(&session).text(), listening);
        let query = session.replace("transport=polling", "transport=websocket");
        let mut publisher = server.connect().upgrade("EIO=4&transport=websocket").unwrap();
        publisher.next_text();
        let mut socket = server.connect().upgrade(&query).unwrap();
        socket.text("2probe");
        assert_eq!(socket.next_text(), "3probe");
        for n in 0..50 {
            publisher.text(&format!("4!publish a {n}"));
            if n == 25 {
                socket.text("5");
            }
        }
        for n in 0..50 {
            assert_eq!(socket.next_text(), format!("4{n}"));
            assert_eq!(socket.next(), Heard::Binary(byte.clone()));
        }
        // What it publishes itself keeps its place among what it is sent.
        for n in 0..50 {
            socket.text(&format!("4!publish a p{n}"));
            socket.text(&format!("4e{n}"));
        }
        for n in 0..50 {
            assert_eq!(socket.next_text(), format!("4p{n}"));
            assert_eq!(socket.next(), Heard::Binary(byte.clone()));
            assert_eq!(socket.next_text(), format!("4e{n}"));
        }
    }
}
