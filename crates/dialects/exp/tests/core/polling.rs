use serde_json::json;

use crate::{Setup, broadcast, channel, subscribe, subscribed};

/// As text for those who ask for it, and as bytes for all others: in ASCII whatever was published.
#[test]
fn broadcasts_come_in_both_framings() {
    let running = Setup::default().start();
    let c = channel("c");
    let payload = json!({ "text": "Grüße 😀" });
    for more in ["&b64=1", ""] {
        let mut polls = running.polls(&running.token("one"), more);
        polls.post(&subscribe([&c]));
        assert_eq!(polls.next(), subscribed([&c]));
        let position = running.publish("c", "é", &payload);
        let packet = polls.next();
        assert!(packet.is_ascii(), "{packet}");
        let read = |packet: &str| serde_json::from_str::<serde_json::Value>(&packet[2..]).unwrap();
        assert_eq!(read(&packet), read(&broadcast(position, "é", &c, &payload)));
    }
}

#[test]
fn both_framings_are_taken_whatever_the_answers_have() {
    let running = Setup::default().start();
    for more in ["&b64=1", ""] {
        let mut polls = running.polls(&running.token("one"), more);
        let [c, d] = [channel("c"), channel("Grüße")];
        polls.post(&subscribe([&c]));
        assert_eq!(polls.next(), subscribed([&c]));
        polls.post_binary(&subscribe([&d]));
        assert_eq!(polls.next(), subscribed([&d]));
        polls.post("2");
        assert_eq!(polls.next(), "3");
    }
}

#[test]
fn a_poll_that_waits_is_answered_by_a_broadcast() {
    let running = Setup::default().start();
    let mut polls = running.polls(&running.token("one"), "");
    let c = channel("c");
    polls.post(&subscribe([&c]));
    assert_eq!(polls.next(), subscribed([&c]));
    polls.begin_poll();
    let position = running.publish("c", "x", &json!(1));
    assert_eq!(polls.finish_poll().packets(), [broadcast(position, "x", &c, &json!(1))]);
}
