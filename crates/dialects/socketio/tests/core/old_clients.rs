use std::sync::Arc;

use antiphon_socketio::{ConnectRefused, Disconnect, Outcome, Version};
use serde_json::json;

use crate::client::Client;
use crate::{Running, Setup, echo, until};

const TARGET: &str = "/socket.io/?EIO=3&transport=websocket&token=t";

#[test]
fn a_client_of_version_4_is_in_the_main_namespace_unasked() {
    let running = Setup::default().start();
    running.io.root().on("echo", Arc::new(echo));
    let mut client = running.client_at(TARGET);
    assert_eq!(client.next_text(), "40");
    let id = client.opened["sid"].as_str().unwrap().to_owned();
    let socket = running.io.root().socket(&id).unwrap();
    assert_eq!(socket.version(), Version::V4);
    assert_eq!(socket.handshake().query_value("token").as_deref(), Some("t"));
    client.send(r#"421["echo","x"]"#);
    assert_eq!(client.next_text(), r#"431["x"]"#);
    client.send(r#"451-2["echo",{"_placeholder":true,"num":0}]"#);
    client.send_binary(b"\x04abc");
    assert_eq!(client.next_text(), r#"461-2[{"_placeholder":true,"num":0}]"#);
    assert_eq!(client.next_binary(), b"\x04abc");
}

#[test]
fn its_other_namespaces_have_the_query_for_an_auth() {
    let running = Setup::default().start();
    let chat = running.io.of("/chat").unwrap();
    let mut client = running.client_at(TARGET);
    assert_eq!(client.next_text(), "40");
    client.send("40/chat?token=a%20b&x=1,");
    assert_eq!(client.next_text(), "40/chat,");
    let id = format!("/chat#{}", client.opened["sid"].as_str().unwrap());
    let socket = chat.socket(&id).unwrap();
    assert_eq!(
        socket.handshake().auth_as::<serde_json::Value>().unwrap(),
        json!({ "token": "a b", "x": "1" })
    );
    client.send("40/nowhere");
    assert_eq!(client.next_text(), r#"44/nowhere,"Invalid namespace""#);
    socket.disconnect(Disconnect::Namespace);
    assert_eq!(client.next_text(), "41/chat,");
}

fn refused(running: &Running) -> Client {
    let mut client = running.client_at(TARGET);
    client.send("2probe");
    client
}

#[test]
fn it_is_refused_in_its_own_way() {
    let running = Setup::default().start();
    let root = running.io.root();
    root.use_(Arc::new(|_| Outcome::Ready(Err(ConnectRefused::new("not you")))));
    assert_eq!(refused(&running).next_text(), r#"44"not you""#);
    let chat = running.io.of("/chat").unwrap();
    chat.use_(Arc::new(|_| {
        Outcome::Ready(Err(ConnectRefused::new("not you").with_data(&json!({ "code": 1 }))))
    }));
    let mut client = refused(&running);
    client.next_text();
    assert_eq!(client.next_text(), "3probe");
    client.send("40/chat,");
    assert_eq!(client.next_text(), r#"44/chat,{"code":1}"#);
    drop(client);
    until("they are gone", || running.io.client_count() == 0);
}
