use std::sync::Arc;
use std::time::Duration;

use antiphon_hub::Rule;
use antiphon_model::{ChannelFlags, ChannelId, Draft, Payload};
use antiphon_node::Window;
use antiphon_socketio::{RecoverySettings, builtin};

use crate::client::Client;
use crate::{Running, Setup};

const BOUNDS: builtin::Bounds =
    builtin::Bounds { history_limit_max: 10, broadcast_timeout_max: Duration::from_secs(60) };

fn start(setup: Setup) -> Running {
    let running = setup.start();
    builtin::install(&running.io, BOUNDS);
    running
}

fn channel(name: &str) -> Arc<ChannelId> {
    Arc::new(ChannelId::new(name, ChannelFlags::NONE).unwrap())
}

/// Publishes as somebody else does.
fn publish(running: &Running, name: &str, payload: &str) {
    let draft = Draft::new(channel(name), Payload::Text(payload.to_owned().into()));
    running.io.node().publish(running.io.server(), draft, || Box::new(|_| {})).unwrap();
}

/// The answer to an event: the object in its acknowledgement.
fn ask(client: &mut Client, event: &str) -> serde_json::Value {
    client.send(&format!("420{event}"));
    let text = client.next_text();
    let answer = text.strip_prefix("430").unwrap_or_else(|| panic!("{text} is no answer"));
    serde_json::from_str::<[serde_json::Value; 1]>(answer).unwrap()[0].take()
}

fn granted(client: &mut Client, auth: &str) -> serde_json::Value {
    client.send(&format!("40{auth}"));
    client.next_granted("40")
}

#[test]
fn clients_listen_to_what_they_ask_for_and_to_nothing_else() {
    let recovery = |settings: &mut antiphon_socketio::SocketIoSettings| {
        settings.connection_state_recovery = Some(RecoverySettings::default());
    };
    for setup in [Setup::default(), Setup::new(recovery)] {
        let running = start(setup);
        let (mut client, id) = running.connected();
        assert_eq!(ask(&mut client, r#"["subscribe","room"]"#)["channels"][0]["channel"], "room");
        for name in ["/#", &id, "/", "elsewhere"] {
            publish(&running, name, "not asked for");
        }
        publish(&running, "room", "asked for");
        assert!(client.next_text().starts_with(r#"42["message","asked for""#));
        assert_eq!(ask(&mut client, r#"["unsubscribe","room"]"#)["status"], "ok");
        publish(&running, "room", "not any more");
        assert_eq!(ask(&mut client, r#"["presence","room"]"#)["occupancy"], 0);
    }
}

#[test]
fn what_a_server_sends_to_everyone_goes_to_each_and_is_published_nowhere() {
    let rule = Rule { persist: true, ..Rule::default() };
    let running = start(Setup { rule, ..Setup::default() });
    let (mut one, id) = running.connected();
    let (mut other, _) = running.connected();
    assert_eq!(ask(&mut one, r#"["subscribe","room"]"#)["status"], "ok");
    let root = running.io.root();
    root.emit("all", (1, "two")).unwrap();
    root.to("room").emit("members", ()).unwrap();
    root.to(&*id).emit("alone", 3).unwrap();
    let acks = root.timeout(Duration::from_secs(10)).emit_with_ack("asked", ()).unwrap();
    for client in [&mut one, &mut other] {
        assert_eq!(client.next_text(), r#"42["all",1,"two"]"#);
    }
    assert_eq!(one.next_text(), r#"42["members"]"#);
    assert_eq!(one.next_text(), r#"42["alone",3]"#);
    for client in [&mut one, &mut other] {
        assert_eq!(client.next_text(), r#"420["asked"]"#);
        client.send(r#"430["yes"]"#);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(acks).unwrap().len(), 2);
    for name in ["/#", "room", &id] {
        let (node, server) = (running.io.node(), running.io.server());
        let history = runtime.block_on(node.history(server, &channel(name), Window::Newest, 10)).unwrap();
        assert!(history.publications.is_empty(), "{name}");
    }
}

#[test]
fn who_comes_back_has_what_it_subscribed_to() {
    let running = start(Setup::new(|settings| {
        settings.connection_state_recovery = Some(RecoverySettings::default());
    }));
    publish(&running, "past", "p1");
    let mut client = running.client();
    let known = granted(&mut client, "");
    assert_eq!(
        ask(&mut client, r#"["subscribe",["/odd",{"channel":"room","events":["wanted"]}]]"#)["status"],
        "ok"
    );
    publish(&running, "/odd", "o1");
    assert!(client.next_text().contains("o1"));
    client.send(r#"420["subscribe",{"channel":"past","since":"0"}]"#);
    let past = client.next_text();
    assert!(past.contains("p1"), "{past}");
    assert!(client.next_text().starts_with("430"));
    client.vanish();
    crate::until("it is gone", || running.io.root().socket_count() == 0);
    publish(&running, "room", "not wanted");
    publish(&running, "/odd", "o2");
    publish(&running, "past", "p2");
    // The last that it has got is older than what it had got of the other channel before.
    let offset = past.rsplit('"').nth(1).unwrap();
    let mut client = running.client();
    client.send(&format!(r#"40{{"pid":{},"offset":"{offset}"}}"#, known["pid"]));
    assert!(client.next_text().contains(r#""o2""#));
    assert!(client.next_text().contains(r#""p2""#));
    assert_eq!(client.next_granted("40")["sid"], known["sid"]);
}

#[test]
fn errors_are_answered_or_told() {
    let running = start(Setup::default());
    let (mut client, _) = running.connected();
    let error = ask(&mut client, r#"["publish","room"]"#)["error"].take();
    assert_eq!((&error["parameter"], &error["status"]), (&"payload".into(), &400.into()));
    client.send(r#"42["nothing like it"]"#);
    let told = client.next_text();
    assert!(told.starts_with(r#"42["antiphon.error",{"#) && told.contains("not-found"), "{told}");
    let history = r#"["history",{"channel":"room","limit":11}]"#;
    assert_eq!(ask(&mut client, history)["error"]["detail"], "limit is a number from 1 to 10");
}
