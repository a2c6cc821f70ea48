//! The server is told to stop: everybody hears of it, and nothing that was begun is lost.

use antiphon_tests::{EventReader, Frame, Server, V1, WebSocket, within};
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpStream;

const CONFIG: &str = "[store]\nbusy_timeout_millis = 20000\n[timeouts]\ndrain = \"20s\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_told_and_what_was_begun_is_finished() {
    let mut server = Server::start(CONFIG).await;
    let api = server.api();
    let path = "/v1/channels/room";
    let mut raw = WebSocket::connect(api.address(), path, None, &[]).await.unwrap();
    let mut client = V1::connect(&api, "").await;
    client.subscribe(json!("room")).await;
    let mut events = EventReader::new(api.get(path).header("accept", "text/event-stream").stream().await);
    let mut lines = api.get(path).header("accept", "application/x-ndjson").stream().await;
    assert_eq!(lines.json().await["type"], "open");
    // Connected, and nothing said yet.
    let silent = TcpStream::connect(api.address()).await.unwrap();
    let since = api.post("/v1/channels/quiet").json(&json!(0)).send().await.expect(201).json();
    let since = since["position"].as_str().unwrap().to_owned();
    let poll = tokio::spawn(api.get(&format!("/v1/channels/quiet?since={since}&wait=60s")).send());

    // Somebody else has the database, so a publish waits for its commit; it is begun when it is heard.
    let file = std::fs::read_dir(server.data_dir())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0")));
    let lock = Connection::open(file.unwrap()).unwrap();
    lock.busy_timeout(antiphon_tests::DEADLINE).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let publish = tokio::spawn(api.post(path).json(&json!("begun")).send());
    assert_eq!(raw.next().await, Frame::Text("\"begun\"".into()));
    assert_eq!(client.next().await["payload"], "begun");
    assert_eq!(events.next().await.data, "\"begun\"");
    assert_eq!(lines.json().await["payload"], "begun");

    server.signal(Signal::TERM);
    assert_eq!(raw.closed().await.code, Some(1012));
    let (said, closed) = client.closed().await;
    assert_eq!((&said["type"], &said["reconnect"]), (&json!("close"), &json!(true)), "{said}");
    assert_eq!(closed.code, Some(1012));
    let event = events.next().await;
    assert_eq!(event.name, "antiphon.close");
    assert!(event.json()["reason"].is_string(), "{event:?}");
    assert_eq!(within("the stream's end", events.try_next()).await, Ok(None));
    let line = lines.json().await;
    assert_eq!(line["type"], "close", "{line}");
    assert_eq!(within("the stream's end", lines.try_json()).await, Ok(None));
    let polled = within("the long poll's end", poll).await.unwrap();
    assert!(polled.status.is_success() || polled.status == 503, "{}", polled.text());
    if polled.status.is_success() {
        assert_eq!(polled.json()["messages"], json!([]));
    }
    drop(silent);

    // It waits for the publish, and takes nobody new meanwhile.
    assert!(server.is_running());
    assert!(TcpStream::connect(api.address()).await.is_err(), "a new connection was taken");
    lock.execute_batch("ROLLBACK").unwrap();
    let receipt = within("the publish", publish).await.unwrap().expect(201).json();
    assert_eq!(receipt["stored"], true);
    let status = server.wait().await;
    assert!(status.success(), "{status}");

    server.start_again().await;
    let page = server.api().get(path).send().await.expect(200).json();
    let stored: Vec<(&Value, &Value)> = page["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| (&message["payload"], &message["position"]))
        .collect();
    assert_eq!(stored, [(&json!("begun"), &receipt["position"])]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_server_ends_at_once_and_an_interrupt_does_the_same() {
    let mut server = Server::start("").await;
    server.signal(Signal::INT);
    assert!(server.wait().await.success());
    server.start_again().await;
    assert!(server.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_does_not_go_is_cut_off_in_time() {
    let mut server = Server::start("[timeouts]\ndrain = \"1s\"\nclose = \"60s\"\n").await;
    let mut stubborn = crate::bytes::Bytes::websocket(server.address(), "/v1/channels/room").await;
    server.signal(Signal::TERM);
    // It never answers the close frame.
    server.wait().await;
    assert_eq!(stubborn.close_code().await, 1012);
}
