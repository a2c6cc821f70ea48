//! Listening to all channels whose names begin alike, beside listening to some of them.

use std::sync::Arc;

use antiphon_hub::{Rule, Since};
use antiphon_model::{ChannelId, Draft, Payload, Position};
use antiphon_net::{Client, Want};

use crate::client::Socket;
use crate::dialect::{MESSAGES, channel, want};
use crate::script::{Script, say};
use crate::{Running, Setup};

/// What a client means by a name: `a.*` is a wildcard.
fn meant(name: &str) -> Arc<ChannelId> {
    name.strip_suffix(".*").and_then(ChannelId::wildcard_of).map_or_else(|| channel(name), Arc::new)
}

/// `on <channels>` from here on, `since <channels>` from the beginning, `off <channel>`; or `pub <channel>:<text>`.
fn message(text: &str, client: &Client) {
    for command in text.split("; ") {
        let (command, names) = command.split_once(' ').unwrap_or((command, ""));
        let since = if command == "on" { Since::Now } else { Since::After(Position(1)) };
        match command {
            "on" | "since" => {
                let want = |name: &str| Want { channel: meant(name), ..want(name, since, &MESSAGES) };
                let wants: Vec<_> = names.split(',').map(want).collect();
                let listening = client.try_listen(&wants).unwrap().unwrap();
                client.send_publications(&listening);
            }
            "off" => assert!(client.unlisten(&meant(names))),
            "pub" => {
                let (name, text) = names.split_once(':').unwrap();
                let payload = Payload::Binary(text.to_owned().into());
                client.publish(Draft::new(channel(name), payload), 0).unwrap();
            }
            _ => say(client, "done"),
        }
    }
}

fn start() -> Running {
    let rule = Rule { persist: false, presence: false, ring_size: 100, history_size: 100, ..Rule::default() };
    Setup { workers: 2, rule, script: Script::new(message), ..Setup::default() }.start()
}

fn told(running: &Running, commands: &str) -> Socket {
    let (mut socket, _) = running.scripted("/x/");
    socket.text(&format!("{commands}; done"));
    assert_eq!(socket.next_text(), "done");
    socket
}

/// What came up to `end`.
fn heard(socket: &mut Socket) -> Vec<String> {
    let texts = std::iter::repeat_with(|| socket.next_publication().1);
    texts.take_while(|text| text != "end").collect()
}

#[test]
fn whoever_listens_to_a_channel_and_above_it_has_each_message_once_and_in_order() {
    let running = start();
    let cases = [
        ("on a.*", vec!["1", "2", "3"]),
        ("on a.b.*", vec!["2", "3"]),
        ("on a.b.c", vec!["2"]),
        ("on a.*,a.b.*,a.b.c", vec!["1", "2", "3"]),
        ("on a.b.c; on a.*; on a.b.*", vec!["1", "2", "3"]),
        ("on a.b.*; on x", vec!["2", "3", "4"]),
        ("on x,a.*", vec!["1", "2", "3", "4"]),
        ("on *,b.*", vec![]),
    ];
    // Each twice, so that sessions share their workers with others.
    let mut listeners: Vec<_> = cases
        .iter()
        .chain(&cases)
        .map(|(commands, _)| told(&running, &format!("{commands}; on z")))
        .collect();
    for (name, text) in
        [("a.1", "1"), ("a.b.c", "2"), ("a.b.d.e", "3"), ("x", "4"), ("a", "5"), ("ab.c", "6")]
    {
        running.publish(name, text);
    }
    running.publish("z", "end");
    for (socket, (commands, expected)) in listeners.iter_mut().zip(cases.iter().chain(&cases)) {
        assert_eq!(heard(socket), *expected, "{commands}");
    }
}

#[test]
fn whoever_comes_back_has_each_message_once_too() {
    for (commands, expected) in [
        ("since a.*", ["1", "2", "3"].as_slice()),
        ("since a.*,a.b.c,a.b.*", &["1", "2", "3"]),
        ("since a.b.c", &["2"]),
        // What has come live by one of them is not missed by another.
        ("on a.*; pub a.b.c:4; since a.b.c,a.b.*", &["4", "2", "3"]),
        ("on a.b.d; pub a.b.d:4; since a.*", &["4", "1", "2", "3"]),
    ] {
        let running = start();
        // A companion is in memory for some time once somebody has listened.
        drop(told(&running, "on a.*; on a.b.*"));
        for (name, text) in [("a.1", "1"), ("a.b.c", "2"), ("a.b.d", "3")] {
            running.publish(name, text);
        }
        let (mut socket, _) = running.scripted("/x/");
        socket.text(&format!("on z; {commands}; pub z:end"));
        assert_eq!(heard(&mut socket), expected, "{commands}");
    }
}
