//! Connections that go to a worker of their own, or come from another HTTP server.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use antiphon_hub::WorkerId;
use antiphon_net::websocket::{self, DeflateSettings, Opcode};
use antiphon_net::{Accept, Adopted, Peer, Upgrade, Worker};
use http::request::Parts;
use http::{Method, Request, Response, Version};

use crate::client::{Heard, Socket, frame, request};
use crate::script::{self, Script, say};
use crate::{Running, Setup};

/// `/x/at/<worker>` belongs there, `/x/round` to the next worker, wherever it is.
pub(crate) fn decide(
    parts: &Parts,
    worker: &Worker,
    session: Box<dyn antiphon_net::WebSocketSession>,
) -> Upgrade {
    let path = parts.uri.path();
    let home = match path.strip_prefix("/x/at/") {
        Some(home) => WorkerId(home.parse().unwrap()),
        None if path == "/x/round" => WorkerId(1 - worker.id().0),
        None if path == "/x/refused" => {
            return Upgrade::Refuse(Response::builder().status(403).body("no".into()).unwrap());
        }
        None => worker.id(),
    };
    if home != worker.id() {
        return Upgrade::Elsewhere(home);
    }
    let accept = Accept::new(Some(script::caller(worker)), session);
    Upgrade::Accept(Accept { protocol: (path == "/x/protocol").then_some("spoken"), ..accept })
}

fn start() -> Running {
    let script = Script { decide: Arc::new(decide), ..Script::new(|text, client| say(client, text)) };
    Setup { workers: 2, script, ..Setup::default() }.start()
}

fn check(running: &Running, mut socket: Socket, home: u16) {
    let hello = socket.next_text();
    let clients = running.script.clients.lock().unwrap().clone();
    let one = clients.iter().find(|one| hello == format!("hello {}", one.session().0)).unwrap();
    assert_eq!(one.worker(), WorkerId(home));
    assert_eq!(socket.next_text(), "early");
    socket.text("late");
    assert_eq!(socket.next_text(), "late");
    socket.close(1000);
    assert_eq!(socket.last_words(), [Heard::Close(Some(1000))]);
}

#[test]
fn a_connection_goes_to_the_worker_it_belongs_to() {
    let running = start();
    let early = frame(Opcode::Text, b"early");
    for home in [0, 1] {
        let asked = request(&format!("/x/at/{home}"));
        for _ in 0..4 {
            let mut straight = running.socket();
            straight.write(&[asked.as_bytes(), &early].concat());
            assert!(straight.head().starts_with("HTTP/1.1 101 "));
            check(&running, straight, home);
            // After another request, and in pieces.
            let mut over_hyper = running.socket();
            over_hyper.write(b"GET /x/other HTTP/1.1\r\nhost: x\r\n\r\n");
            over_hyper.head();
            over_hyper.write(&[asked.as_bytes(), &early].concat());
            assert!(over_hyper.head().starts_with("/x/otherHTTP/1.1 101 "));
            check(&running, over_hyper, home);
            let mut pieces = running.socket();
            pieces.write(&asked.as_bytes()[..5]);
            pieces.write(&[&asked.as_bytes()[5..], &early].concat());
            assert!(pieces.head().starts_with("HTTP/1.1 101 "));
            check(&running, pieces, home);
        }
    }
    running.until_empty();
}

#[test]
fn a_connection_is_sent_on_once_and_only_to_where_somebody_is() {
    let running = start();
    for path in ["/x/at/7", "/x/round"] {
        let mut straight = running.socket();
        straight.write(request(path).as_bytes());
        assert!(straight.head().starts_with("HTTP/1.1 503 "), "{path}");
    }
    for (path, head) in [("/x/at/7", "/x/otherHTTP/1.1 503 "), ("/x/round", "/x/otherHTTP/1.1 101 ")] {
        let mut over_hyper = running.socket();
        over_hyper.write(b"GET /x/other HTTP/1.1\r\nhost: x\r\n\r\n");
        over_hyper.head();
        over_hyper.write(request(path).as_bytes());
        assert!(over_hyper.head().starts_with(head), "{path}");
        if head.ends_with("101 ") {
            assert_eq!(over_hyper.last_words(), [Heard::Close(Some(1008))]);
        }
    }
    running.until_empty();
}

#[test]
fn every_path_has_its_endpoint() {
    let running = start();
    for (path, answer) in [
        ("/x", "/x"),
        ("/x/", "/x/"),
        ("/x/y?z", "/x/y"),
        ("/xy", "hello"),
        ("/", "hello"),
        ("/y/x/", "hello"),
    ] {
        let mut socket = running.socket();
        socket.write(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes());
        socket.head();
        assert_eq!(socket.rest(), answer, "{path}");
    }
}

/// Answers a request as another server would, and gives the connection to a worker.
fn adopt(
    running: &Running,
    listener: &TcpListener,
    worker: u16,
    path: &str,
    rest: &[u8],
) -> (Socket, String) {
    let mut client = Socket::over(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
    let (mut socket, address) = listener.accept().unwrap();
    let asked = request(path).replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: spoken\r\n\r\n");
    client.write(asked.as_bytes());
    let mut read = vec![0; asked.len()];
    socket.read_exact(&mut read).unwrap();
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut parsed = httparse::Request::new(&mut headers);
    parsed.parse(&read).unwrap();
    let mut builder = Request::builder().method(Method::GET).version(Version::HTTP_11).uri(path);
    for header in parsed.headers.iter() {
        builder = builder.header(header.name, header.value);
    }
    let request = builder.body(()).unwrap().into_parts().0;
    let settings = DeflateSettings::default();
    let upgrade =
        websocket::Upgrade::from_request(&request.method, request.version, &request.headers, &settings)
            .unwrap()
            .unwrap();
    let mut head = String::from("HTTP/1.1 101 Switching Protocols\r\n");
    for (name, value) in &upgrade.response_headers(Some("spoken")) {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    std::io::Write::write_all(&mut socket, format!("{head}\r\n").as_bytes()).unwrap();
    let peer = Peer::plain(address, listener.local_addr().unwrap());
    let adopted = Adopted { socket, peer, request, upgrade, rest: rest.to_vec().into() };
    running.server().workers().adopt(WorkerId(worker), adopted);
    let head = client.head();
    (client, head)
}

#[test]
fn a_socket_of_another_server_is_taken_in() {
    let running = start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let early = frame(Opcode::Text, b"early");
    for (worker, path, home) in
        [(0, "/x/protocol", 0), (1, "/x/protocol", 1), (0, "/x/at/1", 1), (1, "/x/at/1", 1)]
    {
        let (socket, head) = adopt(&running, &listener, worker, path, &early);
        assert!(head.contains("sec-websocket-protocol: spoken"), "{head}");
        check(&running, socket, home);
    }
    let (mut refused, _) = adopt(&running, &listener, 0, "/x/refused", b"");
    assert_eq!(refused.last_words(), [Heard::Close(Some(1008))]);
    drop(refused);
    running.until_empty();
}

#[test]
fn no_more_are_taken_in_than_may_be() {
    let script = Script { decide: Arc::new(decide), ..Script::default() };
    let mut setup = Setup { workers: 2, script, ..Setup::default() };
    setup.net.connections_max = 1;
    let running = setup.start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut first, _) = adopt(&running, &listener, 0, "/x/", b"");
    assert!(first.next_text().starts_with("hello "));
    let (mut second, _) = adopt(&running, &listener, 1, "/x/", b"");
    assert_eq!(second.last_words(), [Heard::Close(Some(1013))]);
    assert_eq!(running.drops("connections_max"), 1);
}
