//! Requests on other workers than their session's.

use std::net::Shutdown;

use antiphon_engineio::Sid;

use crate::client::Connection;
use crate::{Running, Setup};

/// A session, and a connection to each worker: the first is the session's own.
fn spread(server: &Running) -> (String, Vec<Connection>) {
    // Each new connection goes to the worker that has the fewest, so two in a row go to two.
    let mut connections: Vec<Connection> = (0..2).map(|_| server.connect()).collect();
    let open = |connection: &mut Connection| connection.get("EIO=4&transport=polling").sid();
    let sids: Vec<String> = connections.iter_mut().map(open).collect();
    let workers: Vec<u16> = sids.iter().map(|sid| Sid::parse(sid).unwrap().worker()).collect();
    assert_ne!(workers[0], workers[1]);
    (format!("EIO=4&transport=polling&sid={}", sids[0]), connections)
}

#[test]
fn polls_and_posts_are_carried() {
    let server = Setup { workers: 2, ..Setup::default() }.start();
    let (session, mut connections) = spread(&server);
    for n in 0..20 {
        let (post, poll) = (n % 2, n / 2 % 2);
        assert_eq!(connections[post].post(&session, &format!("4{n}")).text(), "ok");
        assert_eq!(connections[poll].get(&session).text(), format!("4{n}"));
    }
    let long = format!("4{}", "a".repeat(900_000));
    assert_eq!(connections[1].post(&session, &long).text(), "ok");
    assert_eq!(connections[1].get(&session).text(), long);
    connections[1].begin_get(&session);
    assert_eq!(connections[0].post(&session, "4waited for").text(), "ok");
    assert_eq!(connections[1].response().text(), "4waited for");
}

#[test]
fn a_poll_that_is_given_up_elsewhere_ends_the_session() {
    let server = Setup { workers: 2, ..Setup::default() }.start();
    let (session, mut connections) = spread(&server);
    connections[1].begin_get(&session);
    connections[1].shut_down(Shutdown::Both);
    server.log.until("transport error");
    assert_eq!(connections[0].get(&session).status, 400);
    drop(connections);
}

#[test]
fn a_post_that_breaks_off_elsewhere_ends_the_session() {
    let server = Setup { workers: 2, ..Setup::default() }.start();
    let (session, mut connections) = spread(&server);
    connections[1].send_head("POST", &format!("/engine.io/?{session}"), "content-length: 10\r\n");
    connections[1].write(b"4a");
    connections[1].shut_down(Shutdown::Both);
    server.log.until("transport error");
}

#[test]
fn overlaps_are_seen_wherever_they_come() {
    let server = Setup { workers: 2, ..Setup::default() }.start();
    let (session, mut connections) = spread(&server);
    connections[0].begin_get(&session);
    let second = connections[1].get(&session);
    let first = connections[0].response();
    let mut both = [(first.status, first.body), (second.status, second.body)];
    both.sort();
    assert_eq!(both[0], (200, b"1".to_vec()));
    assert_eq!(both[1].0, 400);
}

#[test]
fn a_client_that_leaves_sees_its_poll_end_well_wherever_it_comes() {
    let server = Setup { workers: 2, ..Setup::default() }.start();
    let (session, mut connections) = spread(&server);
    connections[1].begin_get(&session);
    assert_eq!(connections[0].post(&session, "1").text(), "ok");
    assert_eq!(connections[1].response().text(), "6");
    assert_eq!(connections[1].get(&session).status, 400);
}

#[test]
fn errors_are_carried_back() {
    let server = Setup { workers: 2, ..Setup::default() }.start();
    let (session, mut connections) = spread(&server);
    let unknown = format!("{}AAAA{}", &session[..session.len() - 20], &session[session.len() - 16..]);
    for connection in &mut connections {
        for answer in [connection.get(&unknown), connection.post(&unknown, "4a")] {
            assert_eq!((answer.status, answer.text()), (400, r#"{"code":1,"message":"Session ID unknown"}"#));
        }
    }
    assert_eq!(connections[1].post(&session, "abc").status, 400);
    server.log.until("parse error");
}

#[test]
fn upgrades_go_where_the_session_is() {
    let server = Setup { workers: 2, ..Setup::default() }.start();
    let mut sockets = Vec::new();
    for n in 0..8 {
        let session = server.open(4);
        let query = session.replace("transport=polling", "transport=websocket");
        // By a connection of its own, and by one that has had another request.
        let mut connection = server.connect();
        if n % 2 == 1 {
            connection.post(&session, "4before");
        }
        let mut socket = connection.upgrade(&query).unwrap();
        socket.text("2probe");
        assert_eq!(socket.next_text(), "3probe");
        socket.text("5");
        if n % 2 == 1 {
            assert_eq!(socket.next_text(), "4before");
        }
        socket.text("4a");
        assert_eq!(socket.next_text(), "4a");
        sockets.push(socket);
    }
    drop(sockets);
    server.until_empty();
}
