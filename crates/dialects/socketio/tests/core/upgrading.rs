use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use antiphon_socketio::Binary;

use crate::client::{Client, Heard};
use crate::{PATIENCE, Setup, done};

/// One request on a connection of its own: the body of the answer.
fn request(address: SocketAddr, method: &str, query: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let head = format!("{method} /socket.io/?{query} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    let head = format!("{head}content-type: text/plain;charset=UTF-8\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all((head + body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    body.to_owned()
}

/// Rooms that were joined before an upgrade and after it come in the encoding of the transport of the moment, in order.
#[test]
fn rooms_go_along_with_an_upgrade() {
    let running = Setup::default().start();
    let io = running.io.clone();
    io.root().on(
        "join",
        Arc::new(|event| {
            event.socket.join(event.arguments.parse::<String>().unwrap()).unwrap();
            done()
        }),
    );
    let address = running.address();
    let query = "EIO=4&transport=polling";
    let opened = request(address, "GET", query, "");
    let opened: serde_json::Value = serde_json::from_str(opened.strip_prefix('0').unwrap()).unwrap();
    let query = format!("{query}&sid={}", opened["sid"].as_str().unwrap());
    assert_eq!(request(address, "POST", &query, "40"), "ok");
    let granted = request(address, "GET", &query, "");
    let granted: serde_json::Value = serde_json::from_str(granted.strip_prefix("40").unwrap()).unwrap();
    let socket = io.root().socket(granted["sid"].as_str().unwrap()).unwrap();

    socket.join("before").unwrap();
    io.to("before").emit("bytes", Binary::from("\u{1}a")).unwrap();
    socket.emit("direct", 1).unwrap();
    io.emit("all", "é\u{1e}").unwrap();
    let expected = [
        r#"451-["bytes",{"_placeholder":true,"num":0}]"#,
        "bAWE=",
        r#"42["direct",1]"#,
        r#"42["all","é\u001e"]"#,
    ];
    let mut polled = String::new();
    while polled.split('\u{1e}').count() < expected.len() {
        polled += &request(address, "GET", &query, "");
        polled.push('\u{1e}');
        polled = polled.trim_end_matches('\u{1e}').to_owned();
    }
    assert_eq!(polled.split('\u{1e}').collect::<Vec<_>>(), expected);

    let target = format!("/socket.io/?{query}").replace("polling", "websocket");
    let mut client = Client::raw(address, &target);
    client.send("2probe");
    assert_eq!(client.next_text(), "3probe");
    io.to("before").emit("meanwhile", Binary::from("b")).unwrap();
    client.send("5");
    client.send(r#"42["join","after"]"#);
    assert_eq!(client.next_text(), r#"451-["meanwhile",{"_placeholder":true,"num":0}]"#);
    assert_eq!(client.next(), Heard::Binary(b"b".to_vec()));
    crate::until("it has joined", || socket.is_in("after"));
    socket.join("from elsewhere").unwrap();
    for (number, room) in ["before", "after", "from elsewhere"].into_iter().enumerate() {
        io.to(room).emit("bytes", (number, Binary::from("c"))).unwrap();
        assert_eq!(
            client.next_text(),
            format!("451-[\"bytes\",{number},{{\"_placeholder\":true,\"num\":0}}]")
        );
        assert_eq!(client.next(), Heard::Binary(b"c".to_vec()));
    }
}
