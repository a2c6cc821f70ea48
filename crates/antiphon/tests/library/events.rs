//! Handlers of events: what they ask for, and what they give back.

use std::sync::Arc;
use std::time::Duration;

use antiphon::{
    Ack, Binary, Data, EventArguments, EventName, Extension, Namespace, Outcome, Rooms, Socket, SocketId,
    State, Transport, TryData,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::client::{Client, Heard};
use crate::server::{TestServer, builder, io, notes};

#[derive(Deserialize, Serialize)]
struct Point {
    x: i32,
    y: Option<i32>,
}

#[tokio::test]
async fn arguments_are_taken_in_order() {
    let io = io();
    let root = io.root();
    root.on("one", |Data(point): Data<Point>| Data(point));
    root.on("three", |Data(a): Data<String>, Data(b): Data<u8>, Data(c): Data<Option<bool>>| {
        format!("{a} {b} {c:?}")
    });
    root.on("tuple", |Data((a, b)): Data<(String, Vec<u8>)>| Data((b, a)));
    root.on("all", |name: EventName, arguments: EventArguments| format!("{name} {}", arguments.len()));
    root.on("none", || async { 7 });
    let server = TestServer::start(io);
    let mut client = Client::connect(server.address).await;
    for (said, heard) in [
        (r#"20["one",{"x":1,"y":2}]"#, r#"30[{"x":1,"y":2}]"#),
        (r#"21["one",{"x":1}]"#, r#"31[{"x":1,"y":null}]"#),
        (r#"22["three","a",1,true,"more"]"#, r#"32["a 1 Some(true)"]"#),
        (r#"23["three","a",1]"#, r#"33["a 1 None"]"#),
        (r#"24["tuple","a",[1,2]]"#, r#"34[[1,2],"a"]"#),
        (r#"25["all",1,[2],{"3":3}]"#, r#"35["all 3"]"#),
        (r#"26["none"]"#, "36[7]"),
    ] {
        assert_eq!(client.ask(said).await, heard, "{said}");
    }
    server.stop().await;
}

#[tokio::test]
async fn all_that_a_handler_gives_back_acknowledges() {
    let io = io();
    let root = io.root();
    root.on("text", || "text");
    root.on("string", || String::from("string"));
    root.on("value", || json!({ "a": [1] }));
    root.on("data", || Data(Point { x: 1, y: None }));
    root.on("several", || Data((1, "b")));
    root.on("echo", |arguments: EventArguments| arguments);
    root.on("result", || Ok::<_, String>(true));
    root.on("async", || async { Ok::<_, std::io::Error>(Data(vec![1, 2])) });
    let server = TestServer::start(io);
    let mut client = Client::connect(server.address).await;
    for (event, heard) in [
        ("text", r#"["text"]"#),
        ("string", r#"["string"]"#),
        ("value", r#"[{"a":[1]}]"#),
        ("data", r#"[{"x":1,"y":null}]"#),
        ("several", r#"[1,"b"]"#),
        ("echo", "[]"),
        ("result", "[true]"),
        ("async", "[[1,2]]"),
    ] {
        assert_eq!(client.ask(&format!(r#"25["{event}"]"#)).await, format!("35{heard}"), "{event}");
        // Nothing comes of it where nobody asks: the next answer is the next that is heard.
        client.say(&format!(r#"2["{event}"]"#)).await;
    }
    assert_eq!(client.ask(r#"26["echo",1,{"b":null}]"#).await, r#"36[1,{"b":null}]"#);
    server.stop().await;
}

#[tokio::test]
async fn bytes_travel_as_attachments() {
    #[derive(Deserialize, Serialize)]
    struct File {
        name: String,
        content: Binary,
    }
    let io = io();
    io.root().on("file", |Data(file): Data<File>| Data(file));
    io.root().on("bytes", |Data(Binary(bytes)): Data<Binary>| bytes.slice(1..));
    io.root().on("two", |Data(one): Data<Binary>, Data(other): Data<Binary>| [one.0, other.0].concat().len());
    let server = TestServer::start(io);
    let mut client = Client::connect(server.address).await;
    client.say(r#"51-0["file",{"name":"n","content":{"_placeholder":true,"num":0}}]"#).await;
    client.say_bytes(&[1, 2, 3]).await;
    assert_eq!(client.hear().await, r#"61-0[{"name":"n","content":{"_placeholder":true,"num":0}}]"#);
    assert_eq!(client.next().await, Heard::Bytes(vec![1, 2, 3]));
    client.say(r#"51-1["bytes",{"_placeholder":true,"num":0}]"#).await;
    client.say_bytes(&[1, 2, 3]).await;
    assert_eq!(client.hear().await, r#"61-1[{"_placeholder":true,"num":0}]"#);
    assert_eq!(client.next().await, Heard::Bytes(vec![2, 3]));
    client.say(r#"52-2["two",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#).await;
    client.say_bytes(&[1]).await;
    client.say_bytes(&[2, 3]).await;
    assert_eq!(client.hear().await, "32[3]");
    server.stop().await;
}

#[tokio::test]
async fn a_handler_answers_when_it_wants_to() {
    let go = Arc::new(Notify::new());
    let io = builder().state(Arc::clone(&go)).build();
    io.root().on("later", |ack: Ack, State(go): State<Arc<Notify>>| {
        assert!(ack.is_awaited());
        tokio::spawn(async move {
            go.notified().await;
            ack.send(("late", 1)).unwrap();
        });
    });
    io.root().on("nobody", |ack: Ack| assert!(!ack.is_awaited()));
    io.root().on("now", || 0);
    let server = TestServer::start(io);
    let mut client = Client::connect(server.address).await;
    client.say(r#"21["later"]"#).await;
    client.say(r#"2["nobody"]"#).await;
    assert_eq!(client.ask(r#"22["now"]"#).await, "32[0]");
    go.notify_one();
    assert_eq!(client.hear().await, r#"31["late",1]"#);
    server.stop().await;
}

#[tokio::test]
async fn handlers_are_told_where_they_are() {
    let io = builder().state("shared").state(7_u32).build();
    let chat = io.of("chat");
    chat.on_connection(|socket: Socket| {
        socket.extensions().insert(1.5_f64);
        socket.join("lobby").unwrap();
    });
    chat.on(
        "where",
        |socket: Socket,
         namespace: Namespace,
         id: SocketId,
         transport: Transport,
         State(text): State<&'static str>,
         State(number): State<u32>,
         Extension(float): Extension<f64>,
         none: Option<Extension<String>>| {
            assert_eq!(*socket.id(), id);
            assert_eq!(transport, Transport::WebSocket);
            assert!(none.is_none());
            assert_eq!(socket.namespace(), namespace);
            format!("{} {text} {number} {float}", namespace.name())
        },
    );
    chat.on("rooms", |socket: Socket, Rooms(rooms): Rooms| {
        let mut rooms: Vec<_> =
            rooms.iter().filter(|room| ***room != **socket.id()).map(|r| r.to_string()).collect();
        rooms.sort();
        Data(rooms)
    });
    let server = TestServer::start(io);
    let mut client = Client::open(server.address).await;
    client.join("0/chat,").await;
    assert_eq!(client.ask(r#"2/chat,1["where"]"#).await, r#"3/chat,1["/chat shared 7 1.5"]"#);
    assert_eq!(client.ask(r#"2/chat,2["rooms"]"#).await, r#"3/chat,2[["lobby"]]"#);
    server.stop().await;
}

#[tokio::test]
async fn events_of_a_socket_wait_for_each_other() {
    let go = Arc::new(Notify::new());
    let io = builder().state(Arc::clone(&go)).build();
    io.root().on("slow", |State(go): State<Arc<Notify>>| async move {
        go.notified().await;
        "slow"
    });
    io.root().on("fast", || "fast");
    io.root().on("go", |State(go): State<Arc<Notify>>| go.notify_one());
    let server = TestServer::start(io);
    let (mut one, mut other) = (Client::connect(server.address).await, Client::connect(server.address).await);
    one.say(r#"21["slow"]"#).await;
    one.say(r#"22["fast"]"#).await;
    assert_eq!(other.ask(r#"20["fast"]"#).await, r#"30["fast"]"#);
    other.say(r#"2["go"]"#).await;
    assert_eq!(one.hear().await, r#"31["slow"]"#);
    assert_eq!(one.hear().await, r#"32["fast"]"#);
    server.stop().await;
}

#[tokio::test]
async fn sockets_have_handlers_of_their_own() {
    let io = io();
    io.on_connection(|socket: Socket| {
        let count = std::sync::atomic::AtomicU32::new(0);
        socket.on("count", move || count.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        socket.once("once", || 1);
        socket.on("stop", |socket: Socket| socket.off("count"));
    });
    io.root().on_fallback(|name: EventName| format!("no {name}"));
    let server = TestServer::start(io);
    let mut one = Client::connect(server.address).await;
    assert_eq!(one.ask(r#"21["count"]"#).await, "31[0]");
    assert_eq!(one.ask(r#"21["count"]"#).await, "31[1]");
    assert_eq!(one.ask(r#"22["once"]"#).await, "32[1]");
    assert_eq!(one.ask(r#"22["once"]"#).await, r#"32["no once"]"#);
    one.say(r#"2["stop"]"#).await;
    assert_eq!(one.ask(r#"23["count"]"#).await, r#"33["no count"]"#);
    let mut other = Client::connect(server.address).await;
    assert_eq!(other.ask(r#"24["count"]"#).await, "34[0]");
    server.stop().await;
}

#[tokio::test]
async fn observers_see_what_comes_and_goes() {
    let (told, mut seen) = notes();
    let io = io();
    let incoming = told.clone();
    io.root().on_any(move |name: EventName, arguments: EventArguments| {
        incoming.send(format!("in {name} {}", arguments.len())).unwrap();
    });
    io.root().on_any_outgoing(move |_, event| {
        told.send(format!("out {} {}", event.name, event.arguments.len())).unwrap();
    });
    io.root().on("ask", |socket: Socket, TryData(number): TryData<u8>| {
        socket.emit("answer", &(number.is_ok(), Value::Null, Bytes::new().len()))
    });
    let server = TestServer::start(io);
    let mut client = Client::connect(server.address).await;
    assert_eq!(client.ask(r#"2["ask",1]"#).await, r#"2["answer",true,null,0]"#);
    assert_eq!(client.ask(r#"2["ask","x"]"#).await, r#"2["answer",false,null,0]"#);
    for expected in ["in ask 1", "out answer 3", "in ask 1", "out answer 3"] {
        assert_eq!(seen.recv().await.unwrap(), expected);
    }
    server.stop().await;
}

#[tokio::test]
async fn clients_are_asked_and_answer() {
    let io = io();
    io.root().on("ask me", |socket: Socket, ack: Ack| {
        let asked = socket.timeout(Duration::from_secs(20)).emit_with_ack("question", 41)?;
        tokio::spawn(async move {
            let answer: i32 = asked.await.unwrap().parse().unwrap();
            ack.send(answer).unwrap();
        });
        Ok::<_, antiphon::EmitError>(())
    });
    io.root().on("ask in vain", |socket: Socket| async move {
        let asked = socket.timeout(Duration::from_millis(10)).emit_with_ack("question", ())?;
        Ok::<_, Box<dyn std::error::Error>>(asked.await?)
    });
    // A dynamic namespace, for good measure.
    io.of_matching_async(|candidate| {
        let is_known = candidate.name == "/known";
        Outcome::pending(async move { is_known })
    });
    let server = TestServer::start(io);
    let mut client = Client::connect(server.address).await;
    assert_eq!(client.ask(r#"29["ask me"]"#).await, r#"20["question",41]"#);
    client.say("30[42]").await;
    assert_eq!(client.hear().await, "39[42]");
    assert_eq!(client.ask(r#"28["ask in vain"]"#).await, r#"21["question"]"#);
    assert_eq!(client.hear().await, r#"38[{"error":"the acknowledgement did not come in time"}]"#);
    client.join("0/known,").await;
    assert!(client.ask("0/unknown,").await.starts_with("4/unknown,"));
    server.stop().await;
}
