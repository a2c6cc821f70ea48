//! Handlers that fail: who is told, and what.

use antiphon::{Ack, Data, ExtractError, FromSocket, HandlerError, Io, Socket, State};

use crate::client::Client;
use crate::server::{TestServer, io, notes};

#[tokio::test]
async fn an_error_is_acknowledged_and_reported() {
    let (told, mut reported) = notes();
    let io = io();
    let root = io.root();
    root.on_error(move |socket: Socket, error: &HandlerError| {
        told.send(format!("{} {error}", socket.namespace().name())).unwrap();
    });
    root.on("fails", || Err::<(), _>("on purpose"));
    root.on("fails later", || async { Err::<u8, _>(std::io::Error::other("later")) });
    root.on("fails with an ack", |_ack: Ack| Err::<(), _>("not answered"));
    root.on("answers and fails", |ack: Ack| {
        ack.send(1).unwrap();
        Err::<(), _>("answered before")
    });
    let server = TestServer::start(io);
    let mut client = Client::connect(server.address).await;
    for (event, answer, report) in [
        ("fails", r#"[{"error":"on purpose"}]"#, "on purpose"),
        ("fails later", r#"[{"error":"later"}]"#, "later"),
        ("fails with an ack", r#"[{"error":"not answered"}]"#, "not answered"),
        ("answers and fails", "[1]", "answered before"),
    ] {
        assert_eq!(client.ask(&format!(r#"25["{event}"]"#)).await, format!("35{answer}"), "{event}");
        assert_eq!(reported.recv().await.unwrap(), format!("/ {report}"));
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_as_asked_for_is_an_error() {
    let io = io();
    io.root().on("number", |Data(number): Data<u8>| number);
    io.root().on("second", |Data(_): Data<u8>, Data(second): Data<String>| second);
    let server = TestServer::start(io);
    let mut client = Client::connect(server.address).await;
    for (said, problem) in [
        (r#"20["number","x"]"#, "invalid type"),
        (r#"20["number",256]"#, "256"),
        (r#"20["number"]"#, "argument 1 is missing"),
        (r#"20["second",1]"#, "argument 2 is missing"),
        (r#"20["second",1,2]"#, "invalid type"),
    ] {
        let answer = client.ask(said).await;
        assert!(answer.starts_with(r#"30[{"error":""#) && answer.contains(problem), "{said}: {answer}");
    }
    assert_eq!(client.ask(r#"20["number",255]"#).await, "30[255]");
    server.stop().await;
}

#[tokio::test]
async fn the_programs_own_mistakes_are_not_told_to_clients() {
    struct Picky;
    impl FromSocket for Picky {
        fn from_socket(_: &antiphon::Context<'_>) -> Result<Picky, ExtractError> {
            Err(ExtractError::Refused("not today".to_owned()))
        }
    }
    let (told, mut reported) = notes();
    let io = io();
    io.root().on_error(move |_, error: &HandlerError| told.send(error.to_string()).unwrap());
    io.root().on("no state", |State(_): State<u64>| {});
    io.root().on("picky", |_: Picky| {});
    let server = TestServer::start(io);
    let mut client = Client::connect(server.address).await;
    assert_eq!(client.ask(r#"21["no state"]"#).await, r#"31[{"error":"internal error"}]"#);
    assert!(reported.recv().await.unwrap().contains("u64"));
    assert_eq!(client.ask(r#"22["picky"]"#).await, r#"32[{"error":"not today"}]"#);
    server.stop().await;
}

#[tokio::test]
async fn a_panic_ends_nothing_but_its_handler() {
    let io: Io = io();
    let root = io.root();
    root.on("panics", || {
        if true {
            panic!("on purpose");
        }
    });
    root.on("panics later", || async {
        tokio::task::yield_now().await;
        if true {
            panic!("on purpose");
        }
    });
    root.on("works", || 1);
    root.use_(|socket: Socket| {
        let query = socket.handshake().auth().map(|auth| auth.as_str().to_owned());
        assert!(query.is_none(), "a middleware that panics");
    });
    let server = TestServer::start(io);
    let mut client = Client::connect(server.address).await;
    for event in ["panics", "panics later"] {
        let answer = client.ask(&format!(r#"25["{event}"]"#)).await;
        assert_eq!(answer, r#"35[{"error":"internal error"}]"#, "{event}");
        assert_eq!(client.ask(r#"26["works"]"#).await, "36[1]");
    }
    let mut refused = Client::open(server.address).await;
    assert!(refused.ask(r#"0{"panic":true}"#).await.starts_with('4'));
    assert_eq!(client.ask(r#"27["works"]"#).await, "37[1]");
    server.stop().await;
}
