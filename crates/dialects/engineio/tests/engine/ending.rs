//! The server stops.

use crate::Setup;

#[test]
fn sessions_are_told_when_the_server_stops() {
    let mut server = Setup::default().start();
    let mut socket = server.connect().upgrade("EIO=4&transport=websocket").unwrap();
    socket.next_text();
    let waiting = server.open(4);
    let mut poll = server.connect();
    poll.begin_get(&waiting);
    let _silent = server.open(4);
    // The poll is there once its session can be reached and nothing has come of it.
    crate::until("the poll waits", || server.post(&waiting, "4!volatile x").status == 200);
    let answered = poll.response();
    assert_eq!(answered.text(), "4x");
    poll.begin_get(&waiting);
    let log = server.log.clone();
    crate::until("the second poll waits", || {
        server.post(&waiting, "4!volatile y");
        log.lines().iter().filter(|line| *line == "volatile: Ok(Queued)").count() > 1
    });
    assert_eq!(poll.response().text(), "4y");
    assert!(server.stop(), "all were through in time");
    assert_eq!(socket.until_closed(), Some(1012));
    let ended = log.lines().iter().filter(|line| *line == "server shutting down").count();
    assert_eq!(ended, 3, "{:?}", log.lines());
}

#[test]
fn a_poll_that_waits_is_answered_when_the_server_stops() {
    let mut server = Setup::default().start();
    let session = server.open(4);
    let mut poll = server.connect();
    server.post(&session, "4a");
    assert_eq!(poll.get(&session).text(), "4a");
    poll.begin_get(&session);
    // What is asked for after it is answered, so it is there.
    let mut other = server.connect();
    (0..3).for_each(|_| assert_eq!(other.get("EIO=4&transport=abc").status, 400));
    assert!(server.stop(), "all were through in time");
    assert_eq!(poll.response().text(), "1");
    server.log.until("server shutting down");
}
