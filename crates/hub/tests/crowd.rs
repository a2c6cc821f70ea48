//! Presence on crowded channels: who comes and goes is told together.

#![allow(clippy::unwrap_used)] // All of it is a test.

use std::sync::Arc;
use std::time::Duration;

use antiphon_hub::{Delivery, Departure, Hub, HubSettings, Inbox, Org, Rules, Since, WorkerId};
use antiphon_model::{
    ChannelFlags, ChannelId, Identity, IdentityKind, Monotonic, Now, OrgId, Position, RawJson, SessionId,
    Timestamp,
};

const WORKER: WorkerId = WorkerId(0);
const SESSION: SessionId = SessionId(1);

struct Setup {
    hub: Hub,
    org: Arc<Org>,
    channel: Arc<ChannelId>,
}

fn at(secs: u64) -> Now {
    Now { wall: Timestamp(secs * Timestamp::PER_SECOND), monotonic: Monotonic(Duration::from_secs(secs)) }
}

fn named(name: &str) -> Arc<Identity> {
    Arc::new(Identity::new(IdentityKind::User, name))
}

impl Setup {
    /// With more than two members it is a crowd.
    fn new() -> Setup {
        let settings = HubSettings { presence_announce_max: 2, ..HubSettings::default() };
        let hub = Hub::new(settings, [Arc::new(Inbox::new(Box::new(|| {})))], Box::new(|| {}));
        let org = hub.add_org(OrgId::new("a"), Rules::default(), Position::ZERO);
        let channel = Arc::new(ChannelId::new("a", ChannelFlags::NONE).unwrap());
        org.subscribe(WORKER, &Arc::new(channel.presence()), Since::Now, at(0)).unwrap();
        Setup { hub, org, channel }
    }

    fn join(&self, name: &str, now: Now) {
        self.org.join(&self.channel, &named(name), SESSION, None, now).unwrap();
    }

    fn leave(&self, name: &str, departure: Departure, now: Now) {
        self.org.leave(&self.channel, &named(name), SESSION, departure, now);
    }

    /// What is told, as name and payload.
    fn told(&self) -> Vec<String> {
        let mut batch = Vec::new();
        self.hub.inbox(WORKER).drain(&mut batch);
        let told = |delivery: &Delivery| {
            let publication = delivery.publication().unwrap();
            let payload = String::from_utf8(publication.payload.to_bytes().into_owned()).unwrap();
            format!("{} {payload}", publication.name_or_default())
        };
        batch.iter().map(told).collect()
    }
}

#[test]
fn a_crowd_is_told_of_every_ten_seconds_and_a_few_one_by_one() {
    let setup = Setup::new();
    for (name, secs) in [("ann", 1), ("bob", 2), ("cem", 3), ("dan", 4), ("eve", 5)] {
        setup.join(name, at(secs));
    }
    setup.leave("dan", Departure::Left, at(6));
    setup.leave("ann", Departure::Left, at(7));
    let mood = Some(RawJson::from_serializer("1"));
    setup.org.set_state(&setup.channel, &named("eve"), mood, at(8)).unwrap();
    assert_eq!(
        setup.told(),
        [
            r#"join {"identity":"ann","occupancy":1,"timestamp":1}"#,
            r#"join {"identity":"bob","occupancy":2,"timestamp":2}"#,
            r#"state {"identity":"eve","occupancy":3,"timestamp":8,"state":1}"#,
        ]
    );
    assert_eq!(setup.hub.poll_timeout(), Some(at(13).monotonic));
    setup.hub.handle_timeout(at(12));
    assert_eq!(setup.told(), [""; 0]);
    setup.hub.handle_timeout(at(13));
    let interval =
        r#"interval {"occupancy":3,"timestamp":13,"join":["cem","eve"],"leave":["ann"],"timeout":[]}"#;
    assert_eq!(setup.told(), [interval]);

    // Only two are left, so each is told of again.
    setup.leave("cem", Departure::Left, at(14));
    assert_eq!(setup.told(), [r#"leave {"identity":"cem","occupancy":2,"timestamp":14}"#]);
    setup.hub.handle_timeout(at(60));
    assert_eq!(setup.told(), [""; 0]);
}

#[test]
fn what_is_to_be_told_together_is_told_before_what_comes_after_it() {
    let setup = Setup::new();
    for name in ["ann", "bob", "cem"] {
        setup.join(name, at(1));
    }
    setup.leave("bob", Departure::Lost { until: at(5).monotonic }, at(2));
    setup.leave("cem", Departure::Left, at(3));
    // Who is lost goes at the very time at which is told: he is told of.
    setup.hub.handle_timeout(at(11));
    let told = setup.told();
    let interval = r#"interval {"occupancy":1,"timestamp":11,"join":[],"leave":[],"timeout":["bob"]}"#;
    assert_eq!(told[2..], [interval]);
    setup.join("dan", at(12));
    assert_eq!(setup.told(), [r#"join {"identity":"dan","occupancy":2,"timestamp":12}"#]);
}

#[test]
fn a_channel_that_all_have_left_is_told_of_and_then_forgotten() {
    let setup = Setup::new();
    for name in ["ann", "bob", "cem"] {
        setup.join(name, at(1));
    }
    for name in ["ann", "bob", "cem"] {
        setup.leave(name, Departure::Left, at(2));
    }
    assert_eq!(setup.org.occupied(10, |_| true), []);
    setup.hub.handle_timeout(at(11));
    let interval = r#"interval {"occupancy":0,"timestamp":11,"join":[],"leave":["ann","bob"],"timeout":[]}"#;
    assert_eq!(setup.told()[2..], [interval]);
    assert_eq!(setup.org.stats().channels, 2);
    setup.hub.handle_timeout(at(11 + 300));
    assert_eq!(setup.org.stats().channels, 1, "the companion that is listened to");
}
