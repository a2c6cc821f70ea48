//! A publication gets its position and goes into the inboxes of those who listen.

use std::hint::black_box;
use std::sync::Arc;

use antiphon_hub::{Hold, Hub, HubSettings, Inbox, Org, Rule, Rules, Since, WorkerId};
use antiphon_model::{ChannelFlags, ChannelId, Draft, Monotonic, Now, OrgId, Payload, Position, Timestamp};

use super::HotPath;

const START: u64 = 17_000_000_000_000_000;
/// After how many publications inboxes are emptied.
const BATCH: u64 = 64;
const TIMES: u64 = 5000;

pub(super) const PATHS: &[HotPath] = &[
    HotPath {
        name: "publish-to-nobody",
        what: "a publication on a channel to which nobody listens, and which keeps nothing",
        unit: "publication",
        units: 1,
        times: TIMES,
        run: |times| publish(0, &Rule { history_size: 0, ..rule() }, times),
    },
    HotPath {
        name: "publish-and-keep",
        what: "a publication on a channel to which nobody listens, kept for those who come back",
        unit: "publication",
        units: 1,
        times: TIMES,
        run: |times| publish(0, &rule(), times),
    },
    HotPath {
        name: "publish-to-one-worker",
        what: "a publication for the listeners of one worker, however many",
        unit: "publication",
        units: 1,
        times: TIMES,
        run: |times| publish(1, &rule(), times),
    },
    HotPath {
        name: "publish-to-64-workers",
        what: "a publication for the listeners of 64 workers",
        unit: "publication",
        units: 1,
        times: 500,
        run: |times| publish(64, &rule(), times),
    },
];

fn rule() -> Rule {
    Rule { persist: false, presence: false, ..Rule::default() }
}

fn publish(listening: usize, rule: &Rule, times: u64) {
    let inboxes: Vec<_> = (0..listening.max(1)).map(|_| Arc::new(Inbox::new(Box::new(|| {})))).collect();
    let hub = Hub::new(HubSettings::default(), inboxes.clone(), Box::new(|| {}));
    let org = hub.add_org(OrgId::new("demo"), Rules::new([rule.clone()]), Position(START));
    let channel = Arc::new(ChannelId::new("room.a.b", ChannelFlags::NONE).expect("a name"));
    for worker in 0..listening {
        org.subscribe(WorkerId(worker as u16), &channel, Since::Now, at(0)).expect("room for one");
    }
    let mut batch = Vec::new();
    for number in 1..=times {
        publish_one(&org, &channel, number);
        if number % BATCH == 0 {
            for inbox in &inboxes {
                inbox.drain(&mut batch);
                batch.clear();
            }
        }
    }
}

fn publish_one(org: &Org, channel: &Arc<ChannelId>, number: u64) {
    let draft = Draft::new(Arc::clone(channel), Payload::Text("hello".into()));
    black_box(org.publish(draft, Hold::No, at(number)).expect("room for one"));
}

fn at(number: u64) -> Now {
    Now { wall: Timestamp(START + number * 10), monotonic: Monotonic::default() }
}
