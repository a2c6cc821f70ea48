//! Publishers are slowed down while some worker has more to deliver than it should.

#![allow(clippy::unwrap_used)] // All of it is a test.

use std::sync::Arc;

use antiphon_hub::{Delivery, Hub, HubSettings, Inbox};

fn inboxes(count: usize) -> Vec<Arc<Inbox>> {
    (0..count).map(|_| Arc::new(Inbox::new(Box::new(|| {})))).collect()
}

fn fill(inbox: &Inbox, count: usize) {
    (0..count).for_each(|_| inbox.push(Delivery::Task(Box::new(()))));
}

fn drain(inbox: &Inbox) -> usize {
    let mut batch = Vec::new();
    inbox.drain(&mut batch);
    batch.len()
}

#[test]
fn it_is_congested_while_any_inbox_has_more_than_it_should() {
    let inboxes = inboxes(3);
    let settings = HubSettings { inbox_max: 10, ..HubSettings::default() };
    let hub = Hub::new(settings, inboxes.clone(), Box::new(|| {}));
    fill(&inboxes[0], 10);
    fill(&inboxes[1], 10);
    assert!(!hub.is_congested());
    fill(&inboxes[0], 1);
    assert!(hub.is_congested());
    fill(&inboxes[1], 50);
    assert_eq!(drain(&inboxes[0]), 11);
    assert!(hub.is_congested(), "the other has too much still");
    assert_eq!(drain(&inboxes[1]), 60);
    assert!(!hub.is_congested());
    assert_eq!(drain(&inboxes[1]), 0);
    fill(&inboxes[1], 11);
    assert!(hub.is_congested());
}

#[test]
fn what_was_there_before_the_hub_counts_and_nothing_is_a_limit_too() {
    let inboxes = inboxes(2);
    fill(&inboxes[1], 1);
    let hub =
        Hub::new(HubSettings { inbox_max: 0, ..HubSettings::default() }, inboxes.clone(), Box::new(|| {}));
    assert!(hub.is_congested());
    drain(&inboxes[1]);
    assert!(!hub.is_congested());
    fill(&inboxes[0], 1);
    assert!(hub.is_congested());
}
