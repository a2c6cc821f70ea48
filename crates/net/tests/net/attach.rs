//! Listening by the server's own word.

use std::thread;

use antiphon_hub::Since;
use antiphon_model::Position;
use antiphon_net::{Client, ClientAddress, ListenError};

use crate::client::{Heard, Socket};
use crate::dialect::{MESSAGES, channel, want};
use crate::script::{Script, say};
use crate::{Setup, until};

/// Attaches to each of the channels, and says how many of them it begins to listen to.
fn attach(text: &str, client: &Client) {
    let begun = text.split(',').map(|name| client.attach(&channel(name), Since::Now, &MESSAGES));
    let begun: Result<Vec<_>, _> = begun.collect();
    match begun {
        Ok(begun) => say(client, &begun.iter().map(|one| one.channels.len()).sum::<usize>().to_string()),
        Err(error) => say(client, &error.to_string()),
    }
}

#[test]
fn it_is_done_once_and_within_the_limit() {
    let mut setup = Setup { script: Script::new(attach), ..Setup::default() };
    setup.limits.subscriptions_per_session_max = 3;
    let running = setup.start();
    let (mut socket, _) = running.scripted("/x/");
    for (channels, answer) in [
        ("a,a", "1"),
        ("a", "0"),
        ("b,a,c", "2"),
        ("d", "a session listens to at most 3 channels"),
        ("c,b,a", "0"),
    ] {
        socket.text(channels);
        assert_eq!(socket.next_text(), answer, "{channels}");
    }
    running.publish("b", "once");
    running.publish("a", "last");
    assert_eq!(socket.next_publication().1, "once");
    assert_eq!(socket.next_publication().1, "last");
    drop(socket);
    running.until_empty();
}

#[test]
fn another_thread_attaches_publishes_and_detaches_and_nothing_is_lost() {
    const EACH: usize = 2000;
    let running = Setup { workers: 2, script: Script::new(attach), ..Setup::default() }.start();
    let (mut socket, address) = running.scripted("/x/");
    // Another session of the worker's comes and goes on the same channel, so that its last subscriber is now this one, now that.
    let (mut other, other_address) = running.scripted("/x/");
    let workers = running.server().workers();
    thread::scope(|scope| {
        for (address, name) in [(address, "a"), (other_address, "a"), (address, "b")] {
            let running = &running;
            scope.spawn(move || {
                let caller = running.caller();
                for number in 0..EACH {
                    workers.attach(&caller, address, &channel(name), &MESSAGES).unwrap();
                    running.publish(name, format!("{name} {} {number}", address.session().0));
                    workers.detach(address, &channel(name));
                }
            });
        }
        let expect = |socket: &mut Socket, address: ClientAddress, names: &[&str]| {
            let mut counts = vec![0; names.len()];
            while counts.iter().any(|count| *count < EACH) {
                let (_, text) = socket.next_publication();
                let words: Vec<&str> = text.split(' ').collect();
                let at = names.iter().position(|name| *name == words[0]);
                if let Some(at) = at.filter(|_| words[1] == address.session().0.to_string()) {
                    assert_eq!(words[2].parse(), Ok(counts[at]), "{text}");
                    counts[at] += 1;
                }
            }
        };
        expect(&mut socket, address, &["a", "b"]);
        expect(&mut other, other_address, &["a"]);
    });
    until("no worker listens any more", || {
        let stats = running.node().orgs().next().unwrap().hub.stats();
        stats.fading == stats.channels
    });
    // Whoever has ended cannot begin.
    socket.close(1000);
    while !matches!(socket.next(), Heard::Close(_)) {}
    drop((socket, other));
    running.until_empty();
    workers.attach(&running.caller(), address, &channel("a"), &MESSAGES).unwrap();
    until("it is given up again", || {
        let stats = running.node().orgs().next().unwrap().hub.stats();
        stats.fading == stats.channels
    });
}

#[test]
fn what_was_missed_is_what_memory_has_of_it() {
    let script = Script::new(|text, client| {
        let since = Since::After(Position(text.parse().unwrap()));
        let listening = client.attach(&channel("a"), since, &MESSAGES).unwrap();
        let gap = listening.channels[0].gap.is_some();
        client.send(antiphon_net::Outgoing::Text(if gap { b"gap" } else { b"all" }));
        client.send_publications(&listening);
    });
    for (since, answer, first) in [(16, "all", 17), (3, "gap", 15)] {
        let mut setup = Setup { script: script.clone(), ..Setup::default() };
        setup.rule.ring_size = 5;
        setup.rule.history_size = 100;
        setup.rule.persist = true;
        let running = setup.start();
        // Somebody listens, so that the channel is in memory from the first on.
        let mut witness = running.open("/a");
        assert_eq!(witness.next_text(), "open");
        let positions: Vec<u64> = (0..20)
            .map(|number| {
                running.publish("a", number.to_string());
                witness.next_publication().0
            })
            .collect();
        let (mut socket, _) = running.scripted("/x/");
        socket.text(&positions[since].to_string());
        assert_eq!(socket.next_text(), answer);
        for number in first..20 {
            assert_eq!(socket.next_publication().1, number.to_string());
        }
        running.publish("a", "live");
        assert_eq!(socket.next_publication().1, "live");
    }
}

#[test]
fn several_are_begun_at_one_point_from_the_store_too() {
    let script = Script::new(|text, client| {
        let since = Since::After(Position(1));
        let wants: Vec<_> = text.split(',').map(|name| want(name, since, &MESSAGES)).collect();
        assert!(client.try_attach_all(&wants).is_none(), "the store is to be read");
        let client = client.clone();
        client.clone().spawn(async move {
            let listening = client.attach_all(wants.clone()).await.unwrap();
            say(&client, "begun");
            client.send_publications(&listening);
            let again = client.attach_all(wants).await.unwrap();
            assert!(again.channels.is_empty());
        });
    });
    let mut setup = Setup { script, ..Setup::default() };
    setup.rule.ring_size = 1;
    setup.rule.history_size = 100;
    setup.rule.persist = true;
    let running = setup.start();
    let mut witness = running.open("/a,b");
    assert_eq!(witness.next_text(), "open");
    for number in 0..30 {
        running.publish(["a", "b"][number % 2], number.to_string());
        witness.next_publication();
    }
    let (mut socket, _) = running.scripted("/x/");
    socket.text("a,b");
    assert_eq!(socket.next_text(), "begun");
    for number in 0..30 {
        assert_eq!(socket.next_publication().1, number.to_string());
    }
    running.publish("b", "live");
    assert_eq!(socket.next_publication().1, "live");
}

#[test]
fn who_is_nobody_cannot_listen() {
    let script = Script {
        decide: std::sync::Arc::new(|_, _, session| {
            antiphon_net::Upgrade::Accept(antiphon_net::Accept::new(None, session))
        }),
        ..Script::new(|_, client| {
            let refused = client.attach(&channel("a"), Since::Now, &MESSAGES);
            assert!(matches!(refused, Err(ListenError::Refused(_))));
            say(client, "refused");
        })
    };
    let running = Setup { script, ..Setup::default() }.start();
    let (mut socket, _) = running.scripted("/x/");
    socket.text("attach");
    assert_eq!(socket.next_text(), "refused");
}
