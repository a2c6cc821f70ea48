//! A server by itself: pages, the native dialect beside, and how it stops.

use std::net::SocketAddr;
use std::time::Duration;

use antiphon::settings::OrgSettings;
use antiphon::{EventArguments, Io, Socket, StartError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Client, Heard};
use crate::server::{TestServer, builder};

/// The answer to a request that closes its connection.
pub(crate) async fn request(server: SocketAddr, head: &str, body: &str) -> String {
    let mut socket = TcpStream::connect(server).await.unwrap();
    let length = body.len();
    let request =
        format!("{head}\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(20), socket.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

#[tokio::test]
async fn pages_are_served_beside() {
    let server = TestServer::start(builder().page("/", "<h1>chat</h1>").build());
    let page = request(server.address, "GET / HTTP/1.1", "").await;
    assert!(page.starts_with("HTTP/1.1 200") && page.ends_with("<h1>chat</h1>"), "{page}");
    assert!(request(server.address, "GET /other HTTP/1.1", "").await.starts_with("HTTP/1.1 404"));
    assert!(request(server.address, "GET /v1/channels/a HTTP/1.1", "").await.starts_with("HTTP/1.1 404"));
    let open = request(server.address, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1", "").await;
    assert!(open.starts_with("HTTP/1.1 200") && open.contains("0{\"sid\":"), "{open}");
    server.stop().await;
}

#[tokio::test]
async fn other_dialects_meet_the_rooms() {
    let org = OrgSettings { name: "app".into(), open: true, ..OrgSettings::default() };
    let io = builder().native_http(org).build();
    io.on_connection(|socket: Socket| socket.join("news").map(drop));
    let server = TestServer::start(io);
    let mut client = Client::connect(server.address).await;
    // The room is joined before the client's next event is handled: this tells that it was.
    server.io.root().to("news").emit("ready", ()).unwrap();
    assert_eq!(client.hear().await, r#"2["ready"]"#);
    let answer = request(
        server.address,
        "POST /v1/channels/news?event=told HTTP/1.1\r\ncontent-type: application/json",
        r#"{"text":"hello"}"#,
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
    let heard = client.hear().await;
    assert!(heard.contains(r#"{"text":"hello"}"#), "{heard}");
    server.stop().await;
}

#[tokio::test]
async fn it_is_started_once_and_stops_in_good_order() {
    let io: Io = builder().build();
    let listening = io.bind("127.0.0.1:0").unwrap();
    assert!(matches!(io.bind("127.0.0.1:0"), Err(StartError::StartedBefore)));
    assert!(matches!(io.layer(), Err(StartError::StartedBefore)));
    let mut client = Client::connect(listening.addresses()[0]).await;
    let waiting = tokio::spawn(async move { listening.stopped().await });
    io.close().await.unwrap();
    waiting.await.unwrap();
    while client.next().await != Heard::Closed {}
    io.close().await.unwrap();
    assert!(matches!(io.bind("127.0.0.1:0"), Err(StartError::StartedBefore)));
}

#[tokio::test]
async fn it_serves_on_sockets_that_listen_already() {
    let sockets = [0, 0].map(|port| std::net::TcpListener::bind(("127.0.0.1", port)).unwrap());
    let io = builder().build();
    io.root().on("echo", |arguments: EventArguments| arguments);
    let listening = io.serve(sockets.into()).unwrap();
    assert_eq!(listening.addresses().len(), 2);
    for address in listening.addresses() {
        let mut client = Client::connect(*address).await;
        assert_eq!(client.ask(r#"21["echo",1]"#).await, "31[1]");
    }
    io.close().await.unwrap();
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let error = builder().build().bind(taken.local_addr().unwrap()).unwrap_err();
    assert!(matches!(error, StartError::Server(_)), "{error}");
    assert!(matches!(builder().build().bind("no port"), Err(StartError::Address(_))));
}

#[tokio::test]
async fn what_cannot_work_is_not_started() {
    let io = builder().ping_interval(Duration::ZERO).build();
    assert!(matches!(io.bind("127.0.0.1:0"), Err(StartError::Settings(_))));
}

#[tokio::test]
async fn lost_connections_are_recovered_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let start = || {
        let recovery = Duration::from_secs(60);
        let io = builder().sqlite(directory.path()).connection_state_recovery(recovery).build();
        io.on_connection(|socket: Socket| {
            let _ = socket.emit("recovered", socket.recovered());
            socket.join("news").map(drop)
        });
        TestServer::start(io)
    };
    let server = start();
    let mut client = Client::open(server.address).await;
    let answer = client.ask("0").await;
    let answer: serde_json::Value = serde_json::from_str(&answer[1..]).unwrap();
    let first = client.hear().await;
    assert!(first.starts_with(r#"2["recovered",false"#), "{first}");
    server.io.root().to("news").emit("news", "one").unwrap();
    let news = client.hear().await;
    let arguments: Vec<String> = serde_json::from_str(&news[1..]).unwrap();
    server.stop().await;

    let server = start();
    server.io.root().to("news").emit("news", "two").unwrap();
    let mut client = Client::open(server.address).await;
    let auth = format!(r#"0{{"pid":{},"offset":"{}"}}"#, answer["pid"], arguments[2]);
    client.say(&auth).await;
    let mut heard = Vec::new();
    while heard.len() < 3 {
        heard.push(client.hear().await);
    }
    assert!(heard.iter().any(|one| one.starts_with(r#"2["news","two""#)), "{heard:?}");
    assert!(heard.iter().any(|one| one.starts_with(r#"2["recovered",true"#)), "{heard:?}");
    let connected = heard.iter().find(|one| one.starts_with('0')).unwrap();
    assert!(connected.contains(answer["sid"].as_str().unwrap()), "{connected}");
    server.stop().await;
}
