use antiphon_net::SlowReader;

use crate::client::Heard;
use crate::{Setup, until};

const PAYLOAD: usize = 100 << 10;

fn setup(slow_reader: SlowReader) -> Setup {
    let mut setup = Setup::default();
    setup.net.slow_reader = slow_reader;
    setup.net.outbox_bytes_max = 1 << 20;
    setup
}

#[test]
fn whoever_does_not_read_is_disconnected_and_others_hear_everything() {
    let running = setup(SlowReader::Disconnect).start();
    let (mut slow, mut good, mut publisher) = (running.open("/a"), running.open("/a"), running.open("/"));
    assert_eq!((slow.next_text(), good.next_text()), ("open".into(), "open".into()));
    let payload = "x".repeat(PAYLOAD);
    let mut sent = 0;
    while running.drops("slow reader closed") == 0 {
        publisher.text(&format!("pub a {sent} {payload}"));
        assert!(good.next_publication().1.starts_with(&format!("{sent} ")));
        sent += 1;
    }
    let heard = slow.last_words();
    let (last, publications) = heard.split_last_chunk::<2>().map(|(rest, last)| (last, rest)).unwrap();
    assert_eq!(*last, [Heard::Text("closing 1013".into()), Heard::Close(Some(1013))]);
    for (number, publication) in publications.iter().enumerate() {
        // Nothing is missing in between, so what it saw last is from where it comes back.
        let Heard::Text(text) = publication else { panic!("{publication:?}") };
        assert_eq!(text.split(' ').nth(1).unwrap(), number.to_string());
    }
    assert!(publications.len() < sent);
    drop((slow, good, publisher));
    running.until_empty();
    assert_eq!(running.drops("slow reader closed"), 1);
}

#[test]
fn whoever_may_lose_some_stays_and_what_comes_is_in_order() {
    let running = setup(SlowReader::Drop).start();
    let (mut slow, mut publisher) = (running.open("/a"), running.open("/"));
    assert_eq!(slow.next_text(), "open");
    let payload = "x".repeat(PAYLOAD);
    let mut sent = 0;
    while running.drops("outbox full") < 5 {
        publisher.text(&format!("pub a {sent} {payload}"));
        sent += 1;
    }
    publisher.text("pub a last");
    let mut numbers = Vec::new();
    loop {
        let (_, text) = slow.next_publication();
        match text.split_once(' ') {
            Some((number, _)) => numbers.push(number.parse::<u64>().unwrap()),
            None => break,
        }
        // There is room again: whatever was lost, the last will come.
        publisher.text("pub a last");
    }
    assert!(numbers.is_sorted_by(|a, b| a < b));
    assert!(numbers.len() as u64 <= sent - 5);
}

#[test]
fn signals_are_lost_before_a_reader_is_disconnected() {
    let running = setup(SlowReader::Disconnect).start();
    let (mut slow, mut publisher) = (running.open("/a"), running.open("/"));
    assert_eq!(slow.next_text(), "open");
    let payload = "x".repeat(PAYLOAD);
    let mut sent = 0;
    while running.drops("volatile") == 0 {
        publisher.text(&format!("sig a {sent} {payload}"));
        sent += 1;
    }
    assert_eq!(running.drops("slow reader closed"), 0);
    let mut heard = Vec::new();
    loop {
        let (_, text) = slow.next_publication();
        match text.split_once(' ') {
            Some((number, _)) => heard.push(number.parse::<u64>().unwrap()),
            None => break,
        }
        // There is room again: whatever was lost, the last will come.
        publisher.text("sig a last");
    }
    assert!(heard.is_sorted_by(|a, b| a < b));
    assert!(heard.len() < sent);
}

#[test]
fn a_reader_that_asks_for_more_and_more_is_disconnected() {
    let mut setup = setup(SlowReader::Disconnect);
    setup.net.recovery_bytes_max = 4 << 20;
    let running = setup.start();
    let (mut greedy, mut publisher) = (running.open("/"), running.open("/a"));
    assert_eq!(publisher.next_text(), "open");
    for _ in 0..30 {
        publisher.text(&"x".repeat(PAYLOAD));
        publisher.next_publication();
    }
    for _ in 0..30 {
        greedy.text("sub a 0");
        greedy.text("unsub a");
    }
    until("it is noticed", || running.drops("outbox full") == 1);
    assert!(greedy.last_words().contains(&Heard::Close(Some(1013))));
}
