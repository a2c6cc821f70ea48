use std::time::Duration;

use serde_json::json;

use crate::{Running, Setup, channel, subscribe, subscribed};

fn pairing(running: &Running, lifetime: Duration) -> String {
    running.log_in(json!({ "type": "device", "allowPairing": true }), "_", lifetime)
}

#[test]
fn a_device_that_pairs_is_connected_and_may_listen_to_nothing() {
    let running = Setup::default().start();
    let token = pairing(&running, Duration::from_secs(600));
    let mut socket = running.socket(&token);
    socket.asks(&subscribe([&channel("c")]), &subscribed([]));
    socket.asks(&subscribe([]), &subscribed([]));
    running.publish("c", "x", &json!(1));
    socket.has_nothing();
    let mut polls = running.polls(&token, "");
    polls.post(&subscribe([&channel("c")]));
    assert_eq!(polls.next(), subscribed([]));
}

#[test]
fn it_ends_with_its_token() {
    let running = Setup::default().start();
    let token = pairing(&running, Duration::from_secs(1));
    let expires = running.expires(&token);
    let mut socket = running.socket(&token);
    socket.expect_end();
    assert!(running.node().now().wall >= expires);
    running.until_empty();
}
