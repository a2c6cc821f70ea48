//! Who is let in, who has gone, and which events pass.

use std::sync::Arc;

use antiphon::{
    Auth, ConnectRefused, Data, Disconnect, DisconnectReason, EventName, Extension, HandlerError, Io, Rooms,
    Socket,
};
use serde::Deserialize;
use serde_json::json;

use crate::client::{Client, Heard};
use crate::server::{TestServer, io, notes};

#[derive(Deserialize)]
struct Login {
    token: String,
}

fn guarded() -> Io {
    let io = io();
    let root = io.root();
    root.use_(|socket: Socket, Auth(login): Auth<Login>| async move {
        tokio::task::yield_now().await;
        match login.token.as_str() {
            "known" => {
                socket.extensions().insert("Ada".to_owned());
                Ok(())
            }
            "banned" => Err(ConnectRefused::new("banned").with_data(&json!({ "until": 2030 }))),
            _ => Err(ConnectRefused::new("unknown")),
        }
    });
    root.use_(|Extension(name): Extension<String>| if name.is_empty() { Err("no name") } else { Ok(()) });
    root.on("who", |Extension(name): Extension<String>| (*name).clone());
    io
}

#[tokio::test]
async fn middlewares_let_in_and_refuse() {
    let server = TestServer::start(guarded());
    for (said, heard) in [
        (r#"0{"token":"x"}"#, r#"4{"message":"unknown"}"#),
        (r#"0{"token":"banned"}"#, r#"4{"message":"banned","data":{"until":2030}}"#),
        (r#"0{}"#, r#"4{"message":"auth: missing field `token` at line 1 column 2"}"#),
        ("0", r#"4{"message":"auth: missing field `token` at line 1 column 2"}"#),
    ] {
        assert_eq!(Client::open(server.address).await.ask(said).await, heard, "{said}");
    }
    let mut client = Client::open(server.address).await;
    client.join(r#"0{"token":"known"}"#).await;
    assert_eq!(client.ask(r#"21["who"]"#).await, r#"31["Ada"]"#);
    server.stop().await;
}

#[tokio::test]
async fn packet_middlewares_let_events_through() {
    let (told, mut reported) = notes();
    let io = io();
    let root = io.root();
    root.use_packet(|name: EventName| if name.starts_with("admin") { Err("admins only") } else { Ok(()) });
    root.on_connection(|socket: Socket| {
        socket.use_(|Data(first): Data<Option<u8>>| async move {
            if first == Some(13) { Err("13 is not taken") } else { Ok(()) }
        });
    });
    root.on_error(move |_, error: &HandlerError| told.send(error.to_string()).unwrap());
    root.on("admin reset", || 1);
    root.on("number", |Data(number): Data<u8>| number);
    let server = TestServer::start(io);
    let mut client = Client::connect(server.address).await;
    client.say(r#"21["admin reset"]"#).await;
    assert_eq!(reported.recv().await.unwrap(), "admins only");
    client.say(r#"22["number",13]"#).await;
    assert_eq!(reported.recv().await.unwrap(), "13 is not taken");
    assert_eq!(client.ask(r#"23["number",12]"#).await, "33[12]");
    server.stop().await;
}

#[tokio::test]
async fn disconnections_have_reasons() {
    let (told, mut seen) = notes();
    let io = io();
    let root = io.root();
    // Beside their own.
    let count =
        |socket: &Socket, rooms: &[Arc<str>]| rooms.iter().filter(|room| ***room != **socket.id()).count();
    let disconnecting = told.clone();
    root.on_disconnecting(move |socket: Socket, Rooms(rooms): Rooms| {
        disconnecting.send(format!("in {}", count(&socket, &rooms))).unwrap();
    });
    root.on_disconnect(move |socket: Socket, reason: DisconnectReason, Rooms(rooms): Rooms| {
        told.send(format!("{reason} in {}", count(&socket, &rooms))).unwrap();
    });
    root.on_connection(|socket: Socket| socket.join(["a", "b"]).map(drop));
    root.on("leave me", |socket: Socket| socket.disconnect(Disconnect::Namespace));
    root.on("close me", |socket: Socket| socket.disconnect(Disconnect::Connection));
    let server = TestServer::start(io);

    let mut leaves = Client::connect(server.address).await;
    leaves.say("1").await;
    let mut left = Client::connect(server.address).await;
    assert_eq!(seen.recv().await.unwrap(), "in 2");
    assert_eq!(seen.recv().await.unwrap(), "client namespace disconnect in 0");
    assert_eq!(left.ask(r#"2["leave me"]"#).await, "1");
    assert_eq!(seen.recv().await.unwrap(), "in 2");
    assert_eq!(seen.recv().await.unwrap(), "server namespace disconnect in 0");
    let mut closed = Client::connect(server.address).await;
    closed.say(r#"2["close me"]"#).await;
    while closed.next().await != Heard::Closed {}
    assert_eq!(seen.recv().await.unwrap(), "in 2");
    assert_eq!(seen.recv().await.unwrap(), "server namespace disconnect in 0");
    Client::connect(server.address).await.close().await;
    assert_eq!(seen.recv().await.unwrap(), "in 2");
    assert_eq!(seen.recv().await.unwrap(), "transport close in 0");
    let _stays = Client::connect(server.address).await;
    server.stop().await;
    assert_eq!(seen.recv().await.unwrap(), "in 2");
    assert_eq!(seen.recv().await.unwrap(), "server shutting down in 0");
}

#[tokio::test]
async fn namespaces_are_made_when_they_are_asked_for() {
    let (told, mut made) = notes();
    let io = io();
    io.on_new_namespace(move |namespace| told.send(namespace.name().to_owned()).unwrap());
    let parent = io.of_matching(|candidate| candidate.name.starts_with("/room-"));
    parent.on("where", |socket: Socket| socket.namespace().name().to_owned());
    let server = TestServer::start(io.clone());
    let mut client = Client::open(server.address).await;
    client.join("0/room-1,").await;
    assert_eq!(made.recv().await.unwrap(), "/room-1");
    assert_eq!(client.ask(r#"2/room-1,1["where"]"#).await, r#"3/room-1,1["/room-1"]"#);
    assert_eq!(client.ask("0/other,").await, r#"4/other,{"message":"Invalid namespace"}"#);
    assert_eq!(io.namespace("/room-1").unwrap().socket_count(), 1);
    assert!(io.namespace("/room-2").is_none());
    assert!(io.try_of("a,b").is_err());
    server.stop().await;
}
