//! Publications that leave out the listeners of other channels.

use antiphon_hub::{Rule, Since};
use antiphon_model::{Draft, Payload, Position};
use antiphon_net::Client;

use crate::client::Socket;
use crate::dialect::{MESSAGES, channel, want};
use crate::script::{Script, say};
use crate::{Running, Setup};

/// `<without>` or `-`, then the text.
fn draft(without: &str, text: &str) -> Draft {
    let mut draft = Draft::new(channel("a"), Payload::Binary(text.to_owned().into()));
    if without != "-" {
        draft.except_listeners_of = Some(without.split(',').map(channel).collect());
    }
    draft
}

/// `on <channel>` and `off <channel>`, `since <channels>` for all of them; or a publication: see [`draft`].
fn message(text: &str, client: &Client) {
    for command in text.split("; ") {
        match command.split_once(' ') {
            Some(("on", name)) => {
                client.attach(&channel(name), Since::Now, &MESSAGES).unwrap();
            }
            Some(("off", name)) => assert!(client.unlisten(&channel(name))),
            Some(("since", names)) => {
                let since = Since::After(Position::ZERO);
                let wants: Vec<_> = names.split(',').map(|name| want(name, since, &MESSAGES)).collect();
                let listening = client.try_attach_all(&wants).unwrap().unwrap();
                client.send_publications(&listening);
            }
            Some((without, text)) => {
                client.publish(draft(without, text), 0).unwrap();
            }
            None => say(client, "done"),
        }
    }
}

fn start() -> Running {
    let rule = Rule { persist: false, presence: false, ring_size: 100, history_size: 100, ..Rule::default() };
    Setup { rule, script: Script::new(message), ..Setup::default() }.start()
}

fn listener(running: &Running, commands: &str) -> Socket {
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
fn whoever_listens_to_one_of_them_does_not_get_it() {
    let running = start();
    let mut listeners: Vec<_> = (0..3)
        .flat_map(|_| ["on a", "on a; on b", "on a; on c", "on b; on c; on a"])
        .map(|commands| listener(&running, commands))
        .collect();
    let all = [("-", "1"), ("b", "2"), ("b", "3"), ("b,c", "4"), ("none", "5"), ("c", "6"), ("-", "7")];
    for (without, text) in all {
        running.publish_draft(draft(without, text));
    }
    running.publish("a", "end");
    for (at, socket) in listeners.iter_mut().enumerate() {
        let expected = [
            vec!["1", "2", "3", "4", "5", "6", "7"],
            vec!["1", "5", "6", "7"],
            vec!["1", "2", "3", "5", "7"],
            vec!["1", "5", "7"],
        ];
        assert_eq!(heard(socket), expected[at % 4], "{at}");
    }
}

#[test]
fn what_counts_is_to_what_it_listens_when_it_is_published() {
    let running = start();
    let mut other = listener(&running, "on a");
    let mut socket = listener(&running, "on a");
    // All of it in one call, between two turns of the worker.
    socket.text("b 1; on b; b 2; on c; b 3; off b; b 4; c 5; off c; b,c 6; - end");
    assert_eq!(heard(&mut socket), ["1", "4", "6"]);
    assert_eq!(heard(&mut other), ["1", "2", "3", "4", "5", "6"]);
}

#[test]
fn whoever_comes_back_does_not_get_it_either() {
    let running = start();
    for (without, text) in [("-", "1"), ("b", "2"), ("c", "3"), ("-", "end")] {
        running.publish_draft(draft(without, text));
    }
    for (commands, expected) in [
        ("since a", vec!["1", "2", "3"]),
        ("since a,b", vec!["1", "3"]),
        ("on c; since a", vec!["1", "2"]),
        ("on b; since c,a", vec!["1"]),
    ] {
        let (mut socket, _) = running.scripted("/x/");
        socket.text(commands);
        assert_eq!(heard(&mut socket), expected, "{commands}");
    }
}

#[test]
fn a_session_and_the_listeners_of_a_channel_are_left_out_together() {
    let running = start();
    let mut socket = listener(&running, "on a");
    let mut other = listener(&running, "on a");
    let mut draft = draft("b", "1");
    draft.except = Some(running.script.clients.lock().unwrap()[0].session());
    running.publish_draft(draft);
    running.publish("a", "end");
    assert_eq!(heard(&mut socket), [""; 0]);
    assert_eq!(heard(&mut other), ["1"]);
}
