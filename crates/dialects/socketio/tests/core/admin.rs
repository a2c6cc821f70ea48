use std::sync::Arc;

use antiphon_access::Caller;
use antiphon_model::{ChannelFlags, ChannelId};
use antiphon_node::Window;
use antiphon_socketio::{
    AdminAuth, AdminMode, AdminSettings, Authenticator, ConnectRefused, Handshake, InvalidAdminSettings,
    Namespace, Outcome,
};

use crate::client::Client;
use crate::{Running, Setup, echo};

fn settings(mode: AdminMode) -> AdminSettings {
    let auth = AdminAuth { none: true, ..AdminAuth::default() };
    AdminSettings { auth, mode, ..AdminSettings::default() }
}

/// Refuses everybody.
struct Nobody;

impl Authenticator for Nobody {
    fn authenticate(
        &self,
        _handshake: &Arc<Handshake>,
        _namespace: &Namespace,
    ) -> Outcome<Result<Arc<Caller>, ConnectRefused>> {
        Outcome::Ready(Err(ConnectRefused::new("nobody may")))
    }
}

/// A dashboard, and what it is greeted with.
fn dashboard(running: &Running) -> (Client, Vec<serde_json::Value>) {
    let mut client = running.client();
    client.send("40/admin,");
    client.next_granted("40/admin,");
    let greeting = vec![told(&mut client, "config"), told(&mut client, "all_sockets")];
    (client, greeting)
}

/// What the next event of a name says, whatever comes before it.
fn told(client: &mut Client, name: &str) -> serde_json::Value {
    loop {
        let text = client.next_text();
        let event = text.strip_prefix("42/admin,").unwrap_or_else(|| panic!("{text} is not for it"));
        let mut event: Vec<serde_json::Value> = serde_json::from_str(event).unwrap();
        if event.remove(0) == name {
            return event.into();
        }
    }
}

#[test]
fn the_dashboard_is_told_and_acts() {
    let running = Setup::default().start();
    running.io.install_admin(settings(AdminMode::Development)).unwrap();
    running.io.root().on("echo", Arc::new(echo));
    let (mut client, id) = running.connected();
    let (mut watching, greeting) = dashboard(&running);
    assert_eq!(greeting[0][0]["supportedFeatures"].as_array().unwrap().len(), 9);
    assert_eq!(greeting[1][0].as_array().unwrap().iter().filter(|one| one["id"] == id).count(), 1);
    client.send(r#"421["echo",1,{"a":2}]"#);
    assert_eq!(client.next_text(), r#"431[1,{"a":2}]"#);
    let received = told(&mut watching, "event_received");
    assert_eq!((&received[1], &received[2]), (&id.clone().into(), &serde_json::json!(["echo", 1, {"a": 2}])));
    watching.send(&format!(r#"42/admin,["join","/","room","{id}"]"#));
    assert_eq!(told(&mut watching, "room_joined")[1], "room");
    assert!(running.io.root().socket(&id).unwrap().is_in("room"));
    watching.send(r#"42/admin,["emit","/","room","hello","there"]"#);
    assert_eq!(client.next_text(), r#"42["hello","there"]"#);
    watching.send(r#"42/admin,["_disconnect","/",false,"room"]"#);
    assert_eq!(client.next_text(), "41");
    assert_eq!(told(&mut watching, "socket_disconnected")[2], "server namespace disconnect");
}

#[test]
fn it_is_nobody_s_client_and_its_news_are_no_publications() {
    let running = Setup::default().start();
    running.io.install_admin(settings(AdminMode::Development)).unwrap();
    running.io.set_authenticator(Arc::new(Nobody));
    let (mut watching, _) = dashboard(&running);
    let mut refused = running.client();
    refused.send("40");
    assert!(refused.next_text().starts_with("44"));
    told(&mut watching, "server_stats");
    let (node, server) = (running.io.node(), running.io.server());
    let channel = Arc::new(ChannelId::new("/admin#", ChannelFlags::NONE).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let history = runtime.block_on(node.history(server, &channel, Window::Newest, 10)).unwrap();
    assert!(history.publications.is_empty());
}

#[test]
fn it_cannot_be_where_clients_are() {
    let running = Setup::default().start();
    let root = AdminSettings { namespace: "/".into(), ..settings(AdminMode::Production) };
    assert_eq!(running.io.install_admin(root), Err(InvalidAdminSettings::Root));
    let (mut client, _) = running.connected();
    client.send("40/admin,");
    assert_eq!(client.next_text(), r#"44/admin,{"message":"Invalid namespace"}"#);
}
