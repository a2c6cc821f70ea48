use crate::Setup;

#[test]
fn whoever_is_not_let_in_is_told_why() {
    let server = Setup::default().start();
    for (query, slow) in [
        ("EIO=4&transport=polling", None),
        ("EIO=4&transport=polling", Some("1")),
        ("EIO=4&transport=websocket", None),
        ("EIO=4&transport=websocket", Some("1")),
    ] {
        for (admit, status, body) in [
            ("no", 403, r#"{"code":4,"message":"not you"}"#),
            ("teapot", 418, r#"{"code":4,"message":"Forbidden"}"#),
        ] {
            let query = format!("{query}&admit={admit}");
            let connection = server.connect();
            let mut connection = match slow {
                Some(slow) => connection.with("x-slow", slow),
                None => connection,
            };
            let answer = match query.contains("websocket") {
                true => connection.upgrade(&query).err().unwrap(),
                false => connection.get(&query),
            };
            assert_eq!((answer.status, answer.text()), (status, body), "{query} {slow:?}");
        }
    }
    assert_eq!(server.log.lines(), [""; 0]);
    server.until_empty();
}

#[test]
fn whoever_is_let_in_late_is_let_in() {
    let server = Setup::default().start();
    let mut connection = server.connect().with("x-slow", "1");
    let open = connection.get("EIO=4&transport=polling&greet=a");
    let poll = connection.get(&format!("EIO=4&transport=polling&sid={}", open.sid()));
    assert_eq!(poll.text(), "4a");
    let mut socket =
        server.connect().with("x-slow", "1").upgrade("EIO=4&transport=websocket&greet=b").unwrap();
    assert!(socket.next_text().starts_with("0{"));
    assert_eq!(socket.next_text(), "4b");
    socket.text("4c");
    assert_eq!(socket.next_text(), "4c");
}

#[test]
fn a_connection_that_goes_before_it_is_let_in_leaves_nothing() {
    let server = Setup::default().start();
    for _ in 0..50 {
        let mut connection = server.connect().with("x-slow", "1");
        connection.begin_upgrade("EIO=4&transport=websocket");
    }
    server.until_empty();
    let opened = server.log.lines().iter().filter(|line| *line == "open").count();
    crate::until("all that began have ended", || server.log.lines().len() == 2 * opened);
}
