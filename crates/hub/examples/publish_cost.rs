//! Publishes so many times, for `valgrind --tool=callgrind` to count the instructions of it.
//!
//! `publish_cost <publications> <listening workers> [<prefix>]`: on the channel `room.a.b`; with a prefix somebody listens to its wildcard.

use std::sync::Arc;

use antiphon_hub::{Hold, Hub, HubSettings, Inbox, Rules, Since, WorkerId};
use antiphon_model::{ChannelFlags, ChannelId, Draft, Monotonic, Now, OrgId, Payload, Position, Timestamp};

const START: u64 = 17_000_000_000_000_000;
/// After how many publications inboxes are emptied.
const BATCH: u64 = 64;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (count, workers) = (number(100_000), number(1));
    let wildcard = arguments.next().and_then(|prefix| ChannelId::wildcard_of(&prefix));
    let inboxes: Vec<_> = (0..4).map(|_| Arc::new(Inbox::new(Box::new(|| {})))).collect();
    let hub = Hub::new(HubSettings::default(), inboxes.clone(), Box::new(|| {}));
    let org = hub.add_org(OrgId::new("a"), Rules::default(), Position(START));
    let channel = Arc::new(ChannelId::new("room.a.b", ChannelFlags::NONE).expect("a name"));
    let at = |number: u64| Now { wall: Timestamp(START + number * 10), monotonic: Monotonic::default() };
    for worker in 0..workers as u16 {
        org.subscribe(WorkerId(worker), &channel, Since::Now, at(0)).expect("room for one");
    }
    if let Some(wildcard) = wildcard {
        org.subscribe(WorkerId(0), &Arc::new(wildcard), Since::Now, at(0)).expect("room for one");
    }
    let payload = Payload::Text("hello".to_owned().into());
    let mut batch = Vec::new();
    for number in 1..=count {
        let draft = Draft::new(Arc::clone(&channel), payload.clone());
        org.publish(draft, Hold::No, at(number)).expect("room for one");
        if number % BATCH == 0 {
            for inbox in &inboxes {
                inbox.drain(&mut batch);
                batch.clear();
            }
        }
    }
}
