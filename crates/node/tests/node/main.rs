//! The node with a store that does what the test says, and with the real one in memory.

#![allow(clippy::unwrap_used)]

mod credentials;
mod fake;
mod history;
mod hooked;
mod past;
mod presence;
mod publish;
mod publish_all;
mod replies;

use std::sync::Arc;

use antiphon_access::{Access, Caller, OrgSettings};
use antiphon_hub::{Hub, Inbox, Rule, Rules, Since, WorkerId};
use antiphon_model::{ChannelFlags, ChannelId, Draft, OrgId, Payload};
use antiphon_node::{Node, NodeParts, NodeSettings, OrgParts, SystemClock};
use antiphon_store::Store;

/// A node with one worker, and somebody who may do everything.
struct Setup {
    node: Arc<Node>,
    caller: Caller,
    channel: Arc<ChannelId>,
}

impl Setup {
    fn new(store: Arc<dyn Store>, rule: Rule, settings: NodeSettings) -> Setup {
        let org = OrgSettings { name: "demo".into(), open: true, ..OrgSettings::default() };
        let parts = NodeParts {
            settings,
            access: Access::load(vec![org]).unwrap(),
            store,
            orgs: vec![OrgParts { id: OrgId::new("demo"), rules: Rules::new([rule]) }],
            inboxes: vec![Arc::new(Inbox::new(Box::new(|| {})))],
            on_earlier: Box::new(|| {}),
        };
        let node = Node::new(parts, SystemClock::start()).unwrap();
        let caller = node.access().authenticate(None, None, node.now().wall).unwrap();
        let channel = Arc::new(ChannelId::new("a", ChannelFlags::NONE).unwrap());
        Setup { node, caller, channel }
    }

    fn hub(&self) -> &Hub {
        self.node.hub()
    }

    fn draft(&self, payload: &str, key: Option<&str>) -> Draft {
        let payload = Payload::Text(payload.to_owned().into());
        Draft { idempotency_key: key.map(Into::into), ..Draft::new(Arc::clone(&self.channel), payload) }
    }

    /// Has the worker listen.
    fn listen(&self) {
        let org = &self.node.org(&self.caller.org).hub;
        org.subscribe(WorkerId(0), &self.channel, Since::Now, self.node.now()).unwrap();
    }

    /// What was delivered since the last time.
    fn delivered(&self) -> Vec<String> {
        let mut batch = Vec::new();
        self.hub().inbox(WorkerId(0)).drain(&mut batch);
        let text = |delivery: &antiphon_hub::Delivery| {
            let payload = &delivery.publication()?.payload;
            Some(String::from_utf8(payload.to_bytes().into_owned()).unwrap())
        };
        batch.iter().filter_map(text).collect()
    }
}
