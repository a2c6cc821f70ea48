use std::time::Duration;

use antiphon_access::CredentialKind;
use antiphon_model::{ChannelFlags, ChannelId};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use serde_json::json;

use crate::{Setup, broadcast, channel, id, subscribe, subscribed};

#[test]
fn what_is_published_comes_as_a_broadcast() {
    let running = Setup::default().start();
    let mut socket = running.socket(&running.token("one"));
    let c = channel("c");
    socket.asks(&subscribe([]), &subscribed([]));
    socket.asks(&subscribe([&c]), &subscribed([&c]));
    let payload = json!({ "text": "hello?", "é": ["😀", null] });
    let position = running.publish("c", "Grüße", &payload);
    assert_eq!(socket.next_text(), broadcast(position, "Grüße", &c, &payload));
    running.publish("d", "x", &json!(1));
    let position = running.publish("c", "y", &json!(null));
    assert_eq!(socket.next_text(), broadcast(position, "y", &c, &json!(null)));
}

#[test]
fn who_asks_again_is_told_again_and_gets_each_broadcast_once() {
    let running = Setup::default().start();
    let mut socket = running.socket(&running.token("one"));
    let (c, d) = (channel("c"), channel("d"));
    socket.asks(&subscribe([&c, &c]), &subscribed([&c, &c]));
    socket.asks(&subscribe([&d, &c]), &subscribed([&d, &c]));
    let position = running.publish("c", "x", &json!(1));
    assert_eq!(socket.next_text(), broadcast(position, "x", &c, &json!(1)));
    socket.has_nothing();
}

#[test]
fn what_may_not_be_listened_to_is_left_out_and_nothing_else_happens() {
    let running = Setup::default().start();
    let (c, foreign) = (channel("c"), id("other", "c", 0, 0));
    let mut socket = running.socket(&running.token("one"));
    let (not_an_id, no_name) = (STANDARD.encode("{}"), id("scala", "", 0, 0));
    let asked = subscribe([&c, "", "?", "bm90IGpzb24=", &not_an_id, &no_name, &foreign]);
    socket.asks(&asked, &subscribed([&c]));

    let mut deaf = running.socket(&running.token("deaf"));
    deaf.asks(&subscribe([&c]), &subscribed([]));
    let mut narrow = running.socket(&running.token("narrow"));
    let room = channel("room.1");
    narrow.asks(&subscribe([&c, &room]), &subscribed([&room]));
    let mut stranger = running.socket(&running.token("stranger"));
    stranger.asks(&subscribe([&c, &foreign]), &subscribed([&foreign]));

    let position = running.publish("c", "x", &json!(1));
    assert_eq!(socket.next_text(), broadcast(position, "x", &c, &json!(1)));
    for mut silent in [deaf, narrow, stranger] {
        silent.has_nothing();
    }
}

#[test]
fn consumer_apps_are_on_consumer_channels_and_all_listen_to_system_channels() {
    let running = Setup::default().start();
    let lifetime = Duration::from_secs(600);
    let mut app = running.socket(&running.token_for(CredentialKind::ConsumerApp, "one", lifetime));
    let mut device = running.socket(&running.token("one"));
    let [plain, system, consumer, both] =
        [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(system, consumer)| id("scala", "c", system, consumer));
    let asked = subscribe([&plain, &system, &consumer, &both]);
    app.asks(&asked, &subscribed([&consumer, &both]));
    device.asks(&asked, &subscribed([&plain, &system, &consumer, &both]));
    let flags = ChannelFlags::SYSTEM.with(ChannelFlags::CONSUMER);
    for (flags, id, to_app) in [
        (ChannelFlags::NONE, &plain, false),
        (ChannelFlags::SYSTEM, &system, false),
        (ChannelFlags::CONSUMER, &consumer, true),
        (flags, &both, true),
    ] {
        let position = running.publish_on(&ChannelId::new("c", flags).unwrap(), "update", &json!(1));
        let expected = broadcast(position, "update", id, &json!(1));
        assert_eq!(device.next_text(), expected);
        if to_app {
            assert_eq!(app.next_text(), expected);
        }
    }
}

/// Ids are matched as they were written: each client gets its own, and one that wrote several gets each.
#[test]
fn each_spelling_of_a_channel_is_echoed() {
    let running = Setup::default().start();
    let json = r#"["scala","~~~Grüße",0,0]"#;
    let escaped = r#"["scala", "~~~Gr\u00fc\u00dfe", false, false]"#;
    let spellings = [
        STANDARD.encode(json),
        URL_SAFE.encode(json),
        STANDARD_NO_PAD.encode(json),
        STANDARD.encode(escaped),
    ];
    let [standard, url_safe, unpadded, escaped] = spellings.each_ref().map(|id| id.as_str());
    let mut sockets = [(); 3].map(|()| running.socket(&running.token("one")));
    sockets[0].asks(&subscribe([standard]), &subscribed([standard]));
    sockets[1].asks(&subscribe([url_safe, escaped]), &subscribed([url_safe, escaped]));
    sockets[2].asks(&subscribe([unpadded]), &subscribed([unpadded]));
    sockets[2].asks(&subscribe([escaped]), &subscribed([escaped]));
    let position = running.publish("~~~Grüße", "x", &json!(1));
    for (socket, expected) in
        sockets.iter_mut().zip([vec![standard], vec![url_safe, escaped], vec![unpadded, escaped]])
    {
        let mut heard: Vec<_> = expected.iter().map(|_| socket.next_text()).collect();
        let mut expected: Vec<_> =
            expected.into_iter().map(|id| broadcast(position, "x", id, &json!(1))).collect();
        heard.sort();
        expected.sort();
        assert_eq!(heard, expected);
        socket.has_nothing();
    }
}

#[test]
fn an_id_is_acknowledged_by_no_ack() {
    let running = Setup::default().start();
    let mut socket = running.socket(&running.token("one"));
    let c = channel("c");
    socket.asks(&subscribe([&c]).replacen("42", "427", 1), &subscribed([&c]));
    socket.has_nothing();
}
