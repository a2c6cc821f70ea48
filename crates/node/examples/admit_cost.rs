//! Publishes so many times through the node, for `valgrind --tool=callgrind` to count the instructions of it.
//!
//! `admit_cost <publications> [<limits>]`: on one channel, by a client of an org with these limits, which are TOML.

use std::sync::Arc;

use antiphon_access::{Access, OrgSettings};
use antiphon_hub::{Inbox, Rule, Rules};
use antiphon_model::{ChannelFlags, ChannelId, Draft, OrgId, Payload};
use antiphon_node::{Node, NodeParts, NodeSettings, OrgParts, SystemClock};
use antiphon_store::{MemoryStore, StoreSettings};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let count: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let limits = toml::from_str(&arguments.next().unwrap_or_default()).expect("limits");
    let org = OrgSettings { name: "demo".into(), open: true, limits, ..OrgSettings::default() };
    let rule = Rule { persist: false, ..Rule::default() };
    let parts = NodeParts {
        settings: NodeSettings::default(),
        access: Access::load(vec![org]).expect("an org"),
        store: Arc::new(MemoryStore::new(&StoreSettings::default()).expect("a store")),
        orgs: vec![OrgParts { id: OrgId::new("demo"), rules: Rules::new([rule]) }],
        inboxes: vec![Arc::new(Inbox::new(Box::new(|| {})))],
        on_earlier: Box::new(|| {}),
    };
    let node = Node::new(parts, SystemClock::start()).expect("a node");
    let caller = node.access().authenticate(None, Some("ann"), node.now().wall).expect("an open org");
    let channel = Arc::new(ChannelId::new("room.a.b", ChannelFlags::NONE).expect("a name"));
    let payload = Payload::Text("hello".to_owned().into());
    for _ in 0..count {
        let draft = Draft::new(Arc::clone(&channel), payload.clone());
        node.publish(&caller, draft, || Box::new(|_| {})).expect("room for one");
    }
}
