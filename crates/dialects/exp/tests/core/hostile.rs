use antiphon_access::CredentialKind;
use antiphon_engineio::EngineSettings;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::client::Heard;
use crate::{Setup, broadcast, channel, subscribe, subscribed};

#[test]
fn what_is_not_known_is_ignored() {
    let running = Setup::default().start();
    let mut socket = running.socket(&running.token("one"));
    for unknown in [
        "40",
        "40/namespace",
        "41/namespace",
        r#"42["unsubscribe",["c"]]"#,
        r#"42["broadcast",{"name":"x"}]"#,
        r#"42/namespace,["subscribe",["c"]]"#,
        r#"421["unknown"]"#,
        "431[]",
        r#"44"error""#,
        "6",
    ] {
        socket.text(unknown);
        socket.has_nothing();
    }
    socket.text(r#"451-["subscribe",{"_placeholder":true,"num":0}]"#);
    socket.binary(b"\x04bytes");
    socket.has_nothing();
    for odd in [r#"42["subscribe"]"#, r#"42["subscribe",null]"#, r#"42["subscribe",[1,{},["x"]]]"#] {
        socket.asks(odd, &subscribed([]));
    }
}

#[test]
fn what_is_no_packet_ends_the_session() {
    let running = Setup::default().start();
    let token = running.token("one");
    for garbage in ["4", "4x", "49", "42{", r#"42["subscribe",["#, r#"42["connect"]"#, "451-[]", "x"] {
        let mut socket = running.socket(&token);
        socket.text(garbage);
        assert!(matches!(socket.next(), Heard::Close(_)), "{garbage}");
    }
    let mut socket = running.socket(&token);
    socket.binary(b"\x04unasked");
    socket.expect_end();
    running.until_empty();
}

#[test]
fn ids_are_limited_in_number_spellings_and_bytes() {
    let running = Setup::new(|settings| {
        settings.ids_per_subscribe_max = 3;
        settings.spellings_per_channel_max = 2;
        settings.subscription_bytes_max = 8 * channel("c1").len();
    })
    .start();
    let token = running.token("one");
    let mut socket = running.socket(&token);
    let names: Vec<_> = (0..5).map(|number| channel(&format!("c{number}"))).collect();
    let asked: Vec<_> = names.iter().map(String::as_str).collect();
    let asked: [&str; 5] = asked.try_into().unwrap();
    socket.asks(&subscribe(asked), &subscribed([asked[0], asked[1], asked[2]]));

    let json = json!(["scala", "c0", 0, 0]).to_string();
    let spelled = |spaces: usize| STANDARD.encode(" ".repeat(spaces) + &json);
    let [one, two] = [spelled(1), spelled(2)];
    socket.asks(&subscribe([&one, &two]), &subscribed([&one]));
    let long = channel(&"x".repeat(200));
    socket.asks(&subscribe([&long, asked[3]]), &subscribed([asked[3]]));
    let position = running.publish("c0", "x", &json!(1));
    let mut heard = [socket.next_text(), socket.next_text()];
    heard.sort();
    let mut expected = [asked[0], &one].map(|id| broadcast(position, "x", id, &json!(1)));
    expected.sort();
    assert_eq!(heard, expected);
}

#[test]
fn a_session_listens_to_as_many_channels_as_its_org_lets_it() {
    let limits = json!({ "subscriptions_per_session_max": 3 });
    let running = Setup { limits, ..Setup::default() }.start();
    let mut socket = running.socket(&running.token("one"));
    let [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map(channel);
    socket.asks(&subscribe([&a]), &subscribed([&a]));
    socket.asks(&subscribe([&b, &c, &d, &e]), &subscribed([&b, &c]));
    socket.asks(&subscribe([&d, &a]), &subscribed([&a]));
    let position = running.publish("c", "x", &json!(1));
    running.publish("d", "x", &json!(1));
    assert_eq!(socket.next_text(), broadcast(position, "x", &c, &json!(1)));
    socket.has_nothing();
}

#[test]
fn a_client_that_does_not_read_is_let_go() {
    let engine = EngineSettings { send_buffer_bytes_max: 1000, ..EngineSettings::default() };
    let running = Setup { engine, ..Setup::default() }.start();
    let mut polls = running.polls(&running.token("one"), "");
    let c = channel("c");
    for _ in 0..40 {
        polls.post(&subscribe([&c]));
        if running.sessions("polling") == 0 {
            break;
        }
    }
    running.until_empty();
    assert!(polls.is_gone());
}

#[test]
fn an_app_of_the_same_uuid_is_somebody_else() {
    let running = Setup::default().start();
    let lifetime = std::time::Duration::from_secs(600);
    let app = running.token_for(CredentialKind::ConsumerApp, "one", lifetime);
    let mut device = running.socket(&running.token("one"));
    let mut app = running.socket(&app);
    let c = channel("c");
    device.asks(&subscribe([&c]), &subscribed([&c]));
    app.asks(&subscribe([&c]), &subscribed([]));
    let position = running.publish("c", "x", &Value::Null);
    assert_eq!(device.next_text(), broadcast(position, "x", &c, &Value::Null));
    app.has_nothing();
}
