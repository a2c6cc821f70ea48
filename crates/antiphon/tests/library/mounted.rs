//! In a program's own server: axum over sockets, and hyper over something that is none.

use std::net::SocketAddr;

use antiphon::{Io, PeerAddress, Socket};
use axum::Router;
use axum::routing::get;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tower::Service;

use crate::client::{Client, Heard};
use crate::lone::request;
use crate::server::io;

/// What every test of this file has a server do.
fn echoing() -> Io {
    let io = io();
    io.root().on("from", |socket: Socket| socket.handshake().address().ip().to_string());
    io.root().on("shout", |socket: Socket, antiphon::Data(text): antiphon::Data<String>| {
        socket.namespace().emit("heard", &text)
    });
    io
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

#[tokio::test]
async fn a_router_goes_on_beside_it() {
    let io = echoing();
    let app = Router::new().route("/", get(|| async { "the program's own" })).layer(io.layer().unwrap());
    let address = serve(app).await;
    assert!(request(address, "GET / HTTP/1.1", "").await.ends_with("the program's own"));
    assert!(request(address, "GET /socket.iox HTTP/1.1", "").await.starts_with("HTTP/1.1 404"));
    let (mut one, mut other) = (Client::connect(address).await, Client::connect(address).await);
    assert_eq!(one.ask(r#"21["from"]"#).await, r#"31["127.0.0.1"]"#);
    one.say(r#"2["shout","hello"]"#).await;
    assert_eq!(one.hear().await, r#"2["heard","hello"]"#);
    assert_eq!(other.hear().await, r#"2["heard","hello"]"#);
    io.root().emit("heard", "from the program").unwrap();
    assert_eq!(other.hear().await, r#"2["heard","from the program"]"#);
    io.close().await.unwrap();
    while one.next().await != Heard::Closed {}
}

#[tokio::test]
async fn polling_is_answered_by_the_worker_that_has_the_session() {
    let io = echoing();
    let address = serve(Router::new().layer(io.layer().unwrap())).await;
    // More sessions than workers, so that requests come to others than those they belong to.
    for _ in 0..5 {
        let open = request(address, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1", "").await;
        let sid = open.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1");
        let text = "content-type: text/plain";
        assert!(request(address, &format!("POST {target}\r\n{text}"), "40").await.ends_with("ok"));
        let connected = request(address, &format!("GET {target}"), "").await;
        assert!(connected.contains("40{\"sid\":"), "{connected}");
        request(address, &format!("POST {target}\r\n{text}"), r#"42["shout","polled"]"#).await;
        assert!(request(address, &format!("GET {target}"), "").await.ends_with(r#"42["heard","polled"]"#));
    }
    let unknown = "GET /socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA HTTP/1.1";
    assert!(request(address, unknown, "").await.starts_with("HTTP/1.1 400"));
    io.close().await.unwrap();
    let stopped = request(address, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1", "").await;
    assert!(stopped.starts_with("HTTP/1.1 503"), "{stopped}");
}

#[tokio::test]
async fn a_session_goes_over_from_polling_to_websocket() {
    let io = echoing();
    let address = serve(Router::new().layer(io.layer().unwrap())).await;
    for _ in 0..5 {
        let open = request(address, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1", "").await;
        let sid = open.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1");
        request(address, &format!("POST {target}\r\ncontent-type: text/plain"), "40").await;
        request(address, &format!("GET {target}"), "").await;
        let mut client = Client::upgrade(address, sid).await;
        client.say(r#"2["shout","upgraded"]"#).await;
        assert_eq!(client.hear().await, r#"2["heard","upgraded"]"#);
        client.close().await;
    }
    let mut unknown = Client::probe(address, "AAAAAAAAAAAAAAAAAAAA").await;
    assert_eq!(unknown.next().await, Heard::Closed);
    io.close().await.unwrap();
}

#[tokio::test]
async fn a_connection_that_is_no_socket_is_bridged() {
    let io = echoing();
    let service = io.service().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (socket, peer) = listener.accept().await.unwrap();
            let service = service.clone();
            tokio::spawn(async move {
                // As TLS would: something else than a socket, with one behind it.
                let (near, far) = tokio::io::duplex(1024);
                tokio::spawn(copy(socket, far));
                let answer = hyper::service::service_fn(move |mut request: Request<Incoming>| {
                    request.extensions_mut().insert(PeerAddress(peer));
                    service.clone().call(request)
                });
                let server = hyper::server::conn::http1::Builder::new();
                server.serve_connection(TokioIo::new(near), answer).with_upgrades().await
            });
        }
    });
    assert!(request(address, "GET / HTTP/1.1", "").await.starts_with("HTTP/1.1 404"));
    let mut client = Client::connect(address).await;
    assert_eq!(client.ask(r#"21["from"]"#).await, r#"31["127.0.0.1"]"#);
    let long = "x".repeat(100_000);
    assert_eq!(client.ask(&format!(r#"2["shout","{long}"]"#)).await, format!(r#"2["heard","{long}"]"#));
    io.close().await.unwrap();
    while client.next().await != Heard::Closed {}
}

async fn copy(mut socket: TcpStream, mut far: tokio::io::DuplexStream) {
    let _ = tokio::io::copy_bidirectional(&mut socket, &mut far).await;
}
