use std::sync::Arc;

use antiphon_store::{MemoryStore, StoreSettings};
use serde_json::json;

use crate::{Polled, Running, Setup};

const GROUPS: &str = "/v1/channel-registration/sub-key/demo/channel-group";

fn done() -> serde_json::Value {
    json!({"status": 200, "message": "OK", "service": "channel-registry", "error": false})
}

#[test]
fn groups_are_made_listed_and_removed() {
    let server = Running::start();
    assert_eq!(server.get(&format!("{GROUPS}/news?add=a,b%2Cc,a")), done());
    let listed = server.get(&format!("{GROUPS}/news"));
    assert_eq!(listed["payload"], json!({"channels": ["a", "b", "c"], "group": "news"}));
    server.get(&format!("{GROUPS}/other?add=x"));
    assert_eq!(server.get(GROUPS)["payload"], json!({"namespace": "", "groups": ["news", "other"]}));
    assert_eq!(server.get(&format!("{GROUPS}/news?remove=a,b,x")), done());
    assert_eq!(server.get(&format!("{GROUPS}/news"))["payload"]["channels"], json!(["c"]));
    assert_eq!(server.get(&format!("{GROUPS}/other/remove")), done());
    assert_eq!(server.get(GROUPS)["payload"]["groups"], json!(["news"]));
    let (status, body) = server.refused(&format!("{GROUPS}/a%2Cb?add=x"));
    let expected = json!({
        "status": 400, "message": "Reserved character in input parameters.",
        "service": "channel-registry", "error": true,
    });
    assert_eq!((status, body), (400, expected));
    server.stop();
}

#[test]
fn limits_hold() {
    let setup = Setup::new(|settings| (settings.groups_max, settings.channels_per_group_max) = (1, 2));
    let server = setup.start();
    server.get(&format!("{GROUPS}/one?add=a,b"));
    assert_eq!(server.refused(&format!("{GROUPS}/one?add=c")).0, 400);
    assert_eq!(server.refused(&format!("{GROUPS}/two?add=a")).0, 400);
    server.get(&format!("{GROUPS}/one?add=a,b"));
    server.stop();
}

#[test]
fn groups_outlive_the_server() {
    let store = Arc::new(MemoryStore::new(&StoreSettings::default()).unwrap());
    let setup = || Setup { store: store.clone(), ..Setup::default() };
    let server = setup().start();
    server.get(&format!("{GROUPS}/news?add=a,b"));
    server.get(&format!("{GROUPS}/news?remove=b"));
    server.stop();
    let server = setup().start();
    assert_eq!(server.get(&format!("{GROUPS}/news"))["payload"]["channels"], json!(["a"]));
    server.stop();
}

#[test]
fn a_subscriber_follows_its_group() {
    let server = Running::start();
    server.get(&format!("{GROUPS}/news?add=a"));
    let since = server.handshake(",", "bob", "&channel-group=news,news-pnpres");
    let mut waiting = server.begin_poll(",", "bob", &since, "&channel-group=news");
    server.until_waiting(1);
    server.publish("b", "ann", &json!("before"), "");
    server.get(&format!("{GROUPS}/news?add=b"));
    server.publish("b", "ann", &json!("after"), "");
    let polled = Polled::of(&waiting.response("GET").json());
    assert_eq!(polled.payloads(), [json!("after")]);
    assert_eq!((&polled.envelopes[0]["c"], &polled.envelopes[0]["b"]), (&json!("b"), &json!("news")));
    let mut waiting = server.begin_poll(",", "bob", &polled.since, "&channel-group=news");
    server.until_waiting(1);
    server.get(&format!("{GROUPS}/news?remove=b"));
    server.publish("b", "ann", &json!("gone"), "");
    server.publish("a", "ann", &json!("stays"), "");
    assert_eq!(Polled::of(&waiting.response("GET").json()).payloads(), [json!("stays")]);
    server.stop();
}

#[test]
fn presence_of_a_group_is_that_of_its_channels() {
    let server = Running::start();
    server.get(&format!("{GROUPS}/news?add=a,b"));
    let since = server.handshake(",", "bob", "&channel-group=news-pnpres");
    server.handshake("b", "ann", "");
    let polled = server.poll(",", "bob", &since, "&channel-group=news-pnpres");
    assert_eq!(polled.events(), [("join".into(), "ann".into())]);
    assert_eq!(polled.envelopes[0]["c"], "b-pnpres");
    assert_eq!(polled.envelopes[0]["b"], "news-pnpres");
    server.stop();
}

#[test]
fn a_subscriber_hears_of_itself_where_a_group_leads_it_while_it_catches_up() {
    let server = Running::start();
    let names = "&channel-group=news,news-pnpres";
    let since = server.handshake("a", "bob", names);
    server.get(&format!("{GROUPS}/news?add=b"));
    server.publish("a", "ann", &json!("missed"), "");
    let polled = server.poll("a", "bob", &since, names);
    assert_eq!(polled.payloads(), [json!("missed")]);
    let polled = server.poll("a", "bob", &polled.since, names);
    assert_eq!(polled.events(), [("join".into(), "bob".into())]);
    server.stop();
}
