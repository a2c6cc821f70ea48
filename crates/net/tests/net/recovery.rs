use std::thread;

use antiphon_hub::Rule;
use antiphon_net::websocket::Opcode;

use crate::client::{Heard, frame};
use crate::{Running, Setup};

/// Memory keeps little, so that what is missed has to be read from the store.
fn setup(ring_size: usize) -> Setup {
    let rule = Rule { persist: true, presence: false, ring_size, history_size: 100_000, ..Rule::default() };
    Setup { rule, ..Setup::default() }
}

/// Publishes so many and waits until they are stored.
fn publish(running: &Running, channel: &str, count: usize, payload: &str) {
    let mut socket = running.open("/");
    for number in 0..count {
        socket.text(&format!("pub {channel} {number}{payload}"));
    }
    (0..count).for_each(|_| assert_eq!(socket.next_text(), "stored"));
}

#[test]
fn whoever_comes_back_while_others_publish_misses_and_doubles_nothing() {
    const EACH: usize = 1500;
    let running = setup(5).start();
    publish(&running, "a", 300, "");
    publish(&running, "b", 300, "");
    let publishers: Vec<_> = (0..2)
        .map(|number| {
            let mut socket = running.open("/");
            thread::spawn(move || {
                for count in 0..EACH {
                    socket.text(&format!("pub {} {count}", ["a", "b"][number]));
                }
                (0..EACH).for_each(|_| assert_eq!(socket.next_text(), "stored"));
            })
        })
        .collect();
    let all = 600 + 2 * EACH;
    let address = running.server().addresses()[0];
    let listeners: Vec<_> = (0..6)
        .map(|_| {
            thread::spawn(move || {
                let mut positions: Vec<u64> = Vec::new();
                // Comes back every so often with the position it saw last.
                while positions.len() < all {
                    let since = positions.last().copied().unwrap_or(0);
                    let target = format!("/a,b?since={since}");
                    let mut socket = crate::client::Socket::connect(address).upgraded(&target);
                    assert_eq!(socket.next_text(), "open");
                    let more = (all - positions.len()).min(350);
                    positions.extend((0..more).map(|_| socket.next_publication().0));
                }
                positions
            })
        })
        .collect();
    publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
    let heard: Vec<_> = listeners.into_iter().map(|listener| listener.join().unwrap()).collect();
    assert!(heard[0].is_sorted_by(|a, b| a < b));
    assert!(heard.iter().all(|positions| *positions == heard[0]));
    running.until_empty();
}

#[test]
fn two_requests_for_one_channel_begin_it_once() {
    let running = setup(1).start();
    publish(&running, "a", 50, "");
    let mut socket = running.open("/");
    // Both have to read the store, so the second begins before the first is done.
    socket.write(&[frame(Opcode::Text, b"sub a 1"), frame(Opcode::Text, b"sub a 1")].concat());
    let mut texts: Vec<_> = (0..52).map(|_| socket.next_text()).collect();
    assert!(texts.contains(&"already subscribed to a".to_owned()));
    texts.retain(|text| text.contains(' ') && !text.starts_with("already"));
    assert_eq!(texts.len(), 50);
    socket.text("pub a live");
    let mut both = [socket.next_text(), socket.next_text()];
    both.sort();
    assert!(both[0].ends_with(" live") && both[1] == "stored", "{both:?}");
    socket.close(1000);
    assert_eq!(socket.last_words(), [Heard::Close(Some(1000))]);
}

#[test]
fn a_session_that_ends_while_the_store_is_read_leaves_no_subscription() {
    let running = setup(1).start();
    publish(&running, "a", 50, "");
    for _ in 0..30 {
        let mut socket = running.open("/a?since=1");
        socket.close(1000);
        assert!(socket.last_words().contains(&Heard::Close(Some(1000))));
    }
    running.until_empty();
    let stats = running.node().orgs().next().unwrap().hub.stats();
    assert_eq!(stats.fading, stats.channels, "no worker listens");
}

#[test]
fn whoever_missed_too_many_bytes_gets_the_newest_and_is_told() {
    for ring_size in [1, 100] {
        let mut setup = setup(ring_size);
        setup.net.recovery_bytes_max = 100 << 10;
        let running = setup.start();
        publish(&running, "a", 60, &"x".repeat(9000));
        let mut socket = running.open("/a?since=1");
        assert_eq!(socket.next_text(), "open with a gap");
        let first = socket.next_publication().1;
        let first: usize = first.trim_end_matches('x').parse().unwrap();
        assert!((48..51).contains(&first), "{first}");
        for number in first + 1..60 {
            assert!(socket.next_publication().1.starts_with(&format!("{number}x")));
        }
    }
}
