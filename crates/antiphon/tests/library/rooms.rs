//! Who hears what.

use std::time::Duration;

use antiphon::{Ack, Data, Disconnect, Socket};

use crate::client::{Client, Heard};
use crate::server::{TestServer, io};

#[tokio::test]
async fn rooms_are_heard_by_who_is_in_them() {
    let io = io();
    let root = io.root();
    root.on("join", |socket: Socket, Data(room): Data<String>| socket.join(&room).map(|_| true));
    root.on("leave", |socket: Socket, Data(room): Data<String>| {
        socket.leave(&room);
        true
    });
    root.on("say", |socket: Socket, Data((room, text)): Data<(String, String)>| {
        socket.namespace().to(&room).emit("said", &text)
    });
    root.on("tell", |socket: Socket, Data((room, text)): Data<(String, String)>| {
        socket.to(&room).emit("said", &text)
    });
    let server = TestServer::start(io.clone());
    let (mut one, mut other) = (Client::connect(server.address).await, Client::connect(server.address).await);
    let mut third = Client::connect(server.address).await;
    for client in [&mut one, &mut other] {
        assert_eq!(client.ask(r#"20["join","a"]"#).await, "30[true]");
    }
    third.say(r#"2["say","a","from outside"]"#).await;
    assert_eq!(one.hear().await, r#"2["said","from outside"]"#);
    assert_eq!(other.hear().await, r#"2["said","from outside"]"#);
    one.say(r#"2["tell","a","to others"]"#).await;
    assert_eq!(other.hear().await, r#"2["said","to others"]"#);
    assert_eq!(other.ask(r#"20["leave","a"]"#).await, "30[true]");
    io.root().to("a").emit("said", "from the program").unwrap();
    assert_eq!(one.hear().await, r#"2["said","from the program"]"#);
    io.root().except("a").emit("said", "to the rest").unwrap();
    assert_eq!(other.hear().await, r#"2["said","to the rest"]"#);
    assert_eq!(third.hear().await, r#"2["said","to the rest"]"#);
    io.root().emit("said", ("to", "all")).unwrap();
    for client in [&mut one, &mut other, &mut third] {
        assert_eq!(client.hear().await, r#"2["said","to","all"]"#);
    }
    server.stop().await;
}

#[tokio::test]
async fn everybody_is_asked() {
    let io = io();
    io.root().on("ask", |socket: Socket, ack: Ack| {
        let asked = socket.namespace().timeout(Duration::from_secs(20)).emit_with_ack("question", ())?;
        tokio::spawn(async move {
            let mut answers: Vec<u8> =
                asked.await.unwrap().iter().map(|response| response.arguments.parse().unwrap()).collect();
            answers.sort_unstable();
            ack.send(&answers).unwrap();
        });
        Ok::<_, antiphon::EmitError>(())
    });
    let server = TestServer::start(io);
    let (mut one, mut other) = (Client::connect(server.address).await, Client::connect(server.address).await);
    one.say(r#"27["ask"]"#).await;
    for (client, answer) in [(&mut one, 2), (&mut other, 1)] {
        let question = client.hear().await;
        let id = question
            .strip_prefix('2')
            .and_then(|rest| rest.strip_suffix(r#"["question"]"#))
            .unwrap()
            .to_owned();
        client.say(&format!("3{id}[{answer}]")).await;
    }
    assert_eq!(one.hear().await, "37[[1,2]]");
    server.stop().await;
}

#[tokio::test]
async fn sockets_are_moved_and_disconnected_together() {
    let io = io();
    let server = TestServer::start(io.clone());
    let mut one = Client::open(server.address).await;
    let id = one.join("0").await;
    let mut other = Client::connect(server.address).await;
    let root = io.root();
    root.in_(&id).sockets_join("chosen").unwrap();
    root.to("chosen").emit("said", "chosen").unwrap();
    assert_eq!(one.hear().await, r#"2["said","chosen"]"#);
    let found = root.in_("chosen").fetch_sockets().await;
    assert_eq!(found.iter().map(|socket| socket.id.as_str()).collect::<Vec<_>>(), [id.as_str()]);
    assert_eq!(root.fetch_sockets().await.len(), 2);
    root.in_("chosen").sockets_leave("chosen");
    root.to("chosen").emit("said", "nobody").unwrap();
    root.except(&id).disconnect_sockets(Disconnect::Connection);
    while other.next().await != Heard::Closed {}
    root.emit("said", "last").unwrap();
    assert_eq!(one.hear().await, r#"2["said","last"]"#);
    server.stop().await;
}
