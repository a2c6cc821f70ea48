use serde_json::json;

use crate::{Setup, broadcast, channel, subscribe, subscribed};

/// The Python SDK polls once, and goes over to a WebSocket before it polls again.
#[test]
fn what_was_not_polled_comes_over_the_websocket() {
    let running = Setup::default().start();
    let polls = running.opened(&running.token("one"), "");
    let mut socket = polls.probe();
    socket.text("5");
    assert_eq!(socket.next_text(), "40");
    let c = channel("c");
    socket.asks(&subscribe([&c]), &subscribed([&c]));
}

/// Nothing is lost or doubled while a client goes over, and it goes on in the form of its new transport.
#[test]
fn subscriptions_go_over_with_the_client() {
    let running = Setup::default().start();
    let mut polls = running.polls(&running.token("one"), "&b64=1");
    let [c, d] = [channel("c"), channel("d")];
    polls.post(&subscribe([&c]));
    assert_eq!(polls.next(), subscribed([&c]));
    let position = running.publish("c", "é", &json!("before"));
    let before = broadcast(position, "\\u00e9", &c, &json!("before")).replace("\\\\", "\\");
    polls.begin_poll();
    let mut socket = polls.probe();
    let released = polls.finish_poll().packets();
    assert!(released == [before.clone()] || released == ["6"], "{released:?}");
    if released == ["6"] {
        assert_eq!(polls.next(), before);
    }
    let position = running.publish("c", "x", &json!("while"));
    // A client posts what it is asked for until it has gone over.
    polls.post(&subscribe([&d]));
    socket.text("5");
    assert_eq!(socket.next_text(), broadcast(position, "x", &c, &json!("while")));
    assert_eq!(socket.next_text(), subscribed([&d]));
    for (name, id) in [("c", &c), ("d", &d)] {
        let position = running.publish(name, "é", &json!("after"));
        assert_eq!(socket.next_text(), broadcast(position, "é", id, &json!("after")));
    }
    socket.has_nothing();
}
