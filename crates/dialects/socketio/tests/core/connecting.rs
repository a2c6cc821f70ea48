use std::sync::Arc;

use antiphon_access::Caller;
use antiphon_model::OrgId;
use antiphon_socketio::{Authenticator, ConnectRefused, Handshake, Namespace, Outcome, Parser};
use serde::Deserialize;
use serde_json::json;

use crate::client::Client;
use crate::{Notes, Running, Setup, done, echo, until};

#[test]
fn a_client_connects_to_the_main_namespace_and_to_others() {
    let running = Setup::default().start();
    running.io.of("/chat").unwrap();
    let (mut client, id) = running.connected();
    assert_eq!(id.len(), 20);
    assert_ne!(Some(&*id), client.opened["sid"].as_str());
    client.send("40/chat,");
    let other = client.next_connected("40/chat,");
    assert_ne!(id, other);
    let socket = running.io.root().socket(&id).unwrap();
    assert!(socket.is_connected() && !socket.recovered());
    assert_eq!(Some(socket.client_id()), client.opened["sid"].as_str());
    assert_eq!(running.io.of("chat").unwrap().socket_count(), 1);
    assert_eq!(running.io.client_count(), 1);
}

#[test]
fn an_unknown_namespace_is_refused_and_the_connection_stays() {
    let running = Setup::default().start();
    let mut client = running.client();
    client.send("40/random,");
    assert_eq!(client.next_text(), r#"44/random,{"message":"Invalid namespace"}"#);
    client.send("40");
    client.next_connected("40");
}

#[test]
fn what_the_client_says_is_seen() {
    #[derive(Deserialize)]
    struct Auth {
        token: String,
    }
    let running = Setup::default().start();
    let (notes, told) = Notes::new();
    running.io.root().on_connection(Arc::new(move |socket| {
        let handshake = socket.handshake();
        let auth: Auth = handshake.auth_as().unwrap();
        let query = handshake.query_value("x").unwrap().into_owned();
        notes.say(format!("{} {query} {:?}", auth.token, handshake.header("host")));
        assert!(!handshake.is_secure() && !handshake.is_cross_domain());
        assert!(handshake.address().ip().is_loopback());
        assert!(handshake.url().starts_with("/socket.io/?"));
        done()
    }));
    let mut client = running.client_at("/socket.io/?EIO=4&transport=websocket&x=a%20b");
    client.send(r#"40{"token":"secret"}"#);
    client.next_connected("40");
    assert_eq!(told.next(), r#"secret a b Some("localhost")"#);
}

#[test]
fn whoever_speaks_before_he_connects_is_put_out() {
    let running = Setup::default().start();
    let mut client = running.client();
    client.send(r#"42["early"]"#);
    client.expect_end();
    let (mut client, _) = running.connected();
    client.send("40");
    client.expect_end();
    let (mut client, _) = running.connected();
    client.send(r#"44{"message":"no"}"#);
    client.expect_end();
    until("nobody is left", || running.io.client_count() == 0 && running.io.root().socket_count() == 0);
}

#[test]
fn whoever_does_not_connect_in_time_is_put_out() {
    let running = Setup::new(|settings| settings.connect_timeout_ms = 50).start();
    running.client().expect_end();
    let mut client = running.client();
    client.send("40/nowhere,");
    client.next_text();
    client.expect_end();
}

#[test]
fn middlewares_refuse_with_their_words_or_let_in() {
    let running = Setup::default().start();
    let root = running.io.root();
    root.use_(Arc::new(|socket| {
        socket.data().set("seen", &1).unwrap();
        match socket.handshake().auth().map(|auth| auth.as_str()) {
            Some(r#"{"bad":1}"#) => {
                Outcome::Ready(Err(ConnectRefused::new("not you").with_data(&json!({ "code": 7 }))))
            }
            Some(r#"{"panic":1}"#) => panic!("a middleware that does"),
            _ => Outcome::Ready(Ok(())),
        }
    }));
    root.use_(Arc::new(|socket| {
        Outcome::pending(async move {
            tokio::task::yield_now().await;
            assert_eq!(socket.data().get::<u32>("seen"), Some(1));
            match socket.handshake().auth() {
                Some(_) => Err(ConnectRefused::new("nor \"you\"")),
                None => Ok(()),
            }
        })
    }));
    let mut client = running.client();
    client.send(r#"40{"bad":1}"#);
    assert_eq!(client.next_text(), r#"44{"message":"not you","data":{"code":7}}"#);
    client.send(r#"40{"late":1}"#);
    assert_eq!(client.next_text(), r#"44{"message":"nor \"you\""}"#);
    client.send(r#"40{"panic":1}"#);
    assert_eq!(client.next_text(), r#"44{"message":"Internal server error"}"#);
    client.send("40");
    client.next_connected("40");
    assert_eq!(root.socket_count(), 1);
}

#[test]
fn two_connects_at_once_are_one_too_many() {
    let running = Setup::default().start();
    running.io.root().use_(Arc::new(|_| Outcome::pending(std::future::pending())));
    let mut client = running.client();
    client.send("40");
    client.send("40");
    client.expect_end();
}

struct Doorkeeper;

impl Authenticator for Doorkeeper {
    fn authenticate(
        &self,
        handshake: &Arc<Handshake>,
        namespace: &Namespace,
    ) -> Outcome<Result<Arc<Caller>, ConnectRefused>> {
        let caller = Caller::server(OrgId::new("demo"), Arc::default());
        Outcome::Ready(match handshake.auth() {
            Some(_) => Ok(Arc::new(caller)),
            None => Err(ConnectRefused::new(format!("who are you in {}", namespace.name()))),
        })
    }
}

#[test]
fn an_authenticator_says_who_it_is() {
    let running = Setup::default().start();
    running.io.set_authenticator(Arc::new(Doorkeeper));
    let mut client = running.client();
    client.send("40");
    assert_eq!(client.next_text(), r#"44{"message":"who are you in /"}"#);
    client.send(r#"40{"token":"x"}"#);
    let id = client.next_connected("40");
    assert_eq!(running.io.root().socket(&id).unwrap().caller().identity.id.as_ref(), "server");
}

#[test]
fn namespaces_are_made_when_they_are_asked_for_and_go_when_they_are_empty() {
    let running = Setup::new(|settings| settings.dynamic_namespaces_max = 2).start();
    let (notes, told) = Notes::new();
    let parent = running.io.of_matching(|candidate| candidate.name.starts_with("/room-").into());
    parent.on("echo", Arc::new(echo));
    running.io.on_new_namespace(Arc::new(move |namespace| notes.say(namespace.name())));
    let connect = |client: &mut Client, name: &str| {
        client.send(&format!("40/{name},"));
        client.next_connected(&format!("40/{name},"));
    };
    let (mut one, mut other) = (running.client(), running.client());
    connect(&mut one, "room-1");
    connect(&mut other, "room-1");
    connect(&mut other, "room-2");
    assert_eq!((told.next().as_str(), told.next().as_str()), ("/room-1", "/room-2"));
    one.send("40/room-3,");
    assert_eq!(one.next_text(), r#"44/room-3,{"message":"Invalid namespace"}"#);
    one.send(r#"42/room-1,7["echo","x"]"#);
    assert_eq!(one.next_text(), r#"43/room-1,7["x"]"#);
    assert_eq!(running.io.namespace("/room-1").unwrap().socket_count(), 2);
    one.send("41/room-1,");
    other.vanish();
    until("they are gone", || running.io.namespaces().len() == 1);
    connect(&mut one, "room-4");
    told.nothing_more_but("/room-4");
}

impl crate::Told {
    fn nothing_more_but(&self, note: &str) {
        assert_eq!(self.next(), note);
        self.nothing_more();
    }
}

#[test]
fn a_client_is_in_so_many_namespaces_and_no_more() {
    let running = Setup::new(|settings| settings.namespaces_per_connection_max = 1).start();
    running.io.of("/chat").unwrap();
    let (mut client, _) = running.connected();
    client.send("40/chat,");
    assert_eq!(client.next_text(), r#"44/chat,{"message":"Too many namespaces"}"#);
    client.send("41");
    client.send("40/chat,");
    client.next_connected("40/chat,");
}

#[test]
fn what_is_no_packet_ends_the_connection() {
    for packet in ["4x", "42", "42{}", "42[\"connect\"]", "451-[\"a\"]", "4"] {
        let running = Setup::default().start();
        let (mut client, _) = running.connected();
        client.send(packet);
        client.expect_end();
    }
    let running: Running = Setup::new(|settings| settings.parser = Parser::Msgpack).start();
    let mut client = running.client();
    client.send("40");
    client.expect_end();
}
