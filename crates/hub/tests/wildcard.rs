//! Wildcard companions: who listens to all channels whose names begin alike.

#![allow(clippy::unwrap_used)] // All of it is a test.

use std::sync::Arc;
use std::time::Duration;

use antiphon_hub::{
    Delivery, Hold, Hub, HubSettings, Inbox, Org, PresenceError, Rules, Since, Subscribed, WorkerId,
};
use antiphon_model::{
    ChannelFlags, ChannelId, Draft, Identity, IdentityKind, Monotonic, Now, OrgId, Payload, Position,
    SessionId, Timestamp,
};

const WORKER: WorkerId = WorkerId(0);
const IDLE: Duration = Duration::from_secs(300);

struct Setup {
    hub: Hub,
    org: Arc<Org>,
}

fn at(secs: u64) -> Now {
    Now { wall: Timestamp(secs * Timestamp::PER_SECOND), monotonic: Monotonic(Duration::from_secs(secs)) }
}

fn channel(name: &str) -> Arc<ChannelId> {
    Arc::new(ChannelId::new(name, ChannelFlags::NONE).unwrap())
}

fn wildcard(prefix: &str) -> Arc<ChannelId> {
    Arc::new(ChannelId::wildcard_of(prefix).unwrap())
}

impl Setup {
    fn new() -> Setup {
        let settings = HubSettings { channel_idle: IDLE, ..HubSettings::default() };
        let hub = Hub::new(settings, [Arc::new(Inbox::new(Box::new(|| {})))], Box::new(|| {}));
        let org = hub.add_org(OrgId::new("a"), Rules::default(), Position::ZERO);
        Setup { hub, org }
    }

    fn listen(&self, id: &Arc<ChannelId>, since: Since, now: Now) -> Subscribed {
        self.org.subscribe(WORKER, id, since, now).unwrap()
    }

    fn publish(&self, id: &Arc<ChannelId>, now: Now) -> Position {
        let draft = Draft::new(Arc::clone(id), Payload::Text("x".to_owned().into()));
        self.org.publish(draft, Hold::No, now).unwrap().position
    }

    /// What the worker gets: the names of the channels that were published on, with those that it is subscribed to and those whose
    /// listeners are left out.
    fn delivered(&self, known: &[(&'static str, &Subscribed)]) -> Vec<String> {
        let name = |uid| known.iter().find(|(_, one)| one.channel == uid).map_or("?", |(name, _)| name);
        let mut batch = Vec::new();
        self.hub.inbox(WORKER).drain(&mut batch);
        let told = |delivery: &Delivery| {
            let Delivery::Publication { channel, publication, except } = delivery else { panic!() };
            let except =
                except.iter().flat_map(|except| except.iter().map(|uid| format!(" -{}", name(*uid))));
            format!("{} to {}{}", publication.channel, name(*channel), except.collect::<String>())
        };
        batch.iter().map(told).collect()
    }
}

#[test]
fn each_companion_above_gets_it_without_those_who_listen_closer() {
    let setup = Setup::new();
    let (above, below) = (wildcard("a"), wildcard("a.b"));
    let far = setup.listen(&above, Since::Now, at(1));
    setup.publish(&channel("a.b.c"), at(1));
    let near = setup.listen(&below, Since::Now, at(1));
    setup.publish(&channel("a.b.c"), at(1));
    let itself = setup.listen(&channel("a.b.c"), Since::Now, at(1));
    let known = [("a.*", &far), ("a.b.*", &near), ("a.b.c", &itself)];
    for name in ["a.b.c", "a.b.c.d", "a.c", "a", "b.a.b"] {
        setup.publish(&channel(name), at(2));
    }
    assert_eq!(
        setup.delivered(&known),
        [
            "a.b.c to a.*",
            "a.b.c to a.b.*",
            "a.b.c to a.* -a.b.*",
            "a.b.c to a.b.* -a.b.c",
            "a.b.c to a.* -a.b.c -a.b.*",
            "a.b.c to a.b.c",
            "a.b.c.d to a.b.*",
            "a.b.c.d to a.* -a.b.*",
            "a.c to a.*",
        ]
    );
    // Who is left out by the publication itself is left out everywhere.
    let mut draft = Draft::new(channel("a.c"), Payload::Text("x".to_owned().into()));
    draft.except_listeners_of = Some(Arc::from([channel("a.b.c"), channel("nobody listens")]));
    setup.org.publish(draft, Hold::No, at(2)).unwrap();
    assert_eq!(setup.delivered(&known), ["a.c to a.* -a.b.c"]);
}

#[test]
fn flags_have_companions_of_their_own() {
    let setup = Setup::new();
    let plain = setup.listen(&wildcard("a"), Since::Now, at(1));
    let presence = setup.listen(&Arc::new(wildcard("a").presence()), Since::Now, at(1));
    let known = [("a.*", &plain), ("presence of a.*", &presence)];
    setup.publish(&Arc::new(ChannelId::new("a.b", ChannelFlags::SYSTEM).unwrap()), at(1));
    let ann = Arc::new(Identity::new(IdentityKind::User, "ann"));
    setup.org.join(&channel("a.b"), &ann, SessionId(1), None, at(1)).unwrap();
    setup.publish(&channel("a.b"), at(1));
    setup.publish(&channel("a.*"), at(1));
    assert_eq!(setup.delivered(&known), ["a.b (presence) to presence of a.*", "a.b to a.*", "a.* to a.*"]);
    let nobody_is_there = setup.org.join(&wildcard("a"), &ann, SessionId(1), None, at(1));
    assert_eq!(nobody_is_there, Err(PresenceError::Off));
}

#[test]
fn who_comes_back_soon_has_missed_nothing() {
    let setup = Setup::new();
    let begun = setup.listen(&wildcard("a"), Since::Now, at(1));
    setup.org.unsubscribe(WORKER, begun.channel, at(1));
    let positions: Vec<_> =
        (0..500).map(|number| setup.publish(&channel(&format!("a.{number}")), at(2))).collect();
    let back = setup.listen(&wildcard("a"), Since::After(positions[99]), at(3));
    let missed: Vec<_> = back.missed.iter().map(|one| one.position).collect();
    assert_eq!((missed.as_slice(), back.gap), (&positions[100..], false));
    let late = setup.listen(&wildcard("a.b"), Since::After(positions[99]), at(3));
    assert!(late.missed.is_empty() && late.gap, "nobody listened to that one before");
}

#[test]
fn nobody_listens_for_long_and_it_is_forgotten_though_its_channels_are_busy() {
    let setup = Setup::new();
    let begun = setup.listen(&wildcard("a"), Since::Now, at(1));
    let position = setup.publish(&channel("a.b"), at(1));
    setup.org.unsubscribe(WORKER, begun.channel, at(1));
    for secs in 2..=IDLE.as_secs() {
        setup.publish(&channel("a.b"), at(secs));
        setup.hub.handle_timeout(at(secs));
    }
    assert_eq!(setup.org.stats().channels, 2);
    setup.hub.handle_timeout(at(1 + IDLE.as_secs()));
    assert_eq!(setup.org.stats().channels, 1);
    let again = setup.listen(&wildcard("a"), Since::After(position), at(2 + IDLE.as_secs()));
    assert!(again.channel != begun.channel && again.missed.is_empty() && again.gap);
}

#[test]
fn what_is_deleted_is_not_had_by_a_wildcard_either() {
    let setup = Setup::new();
    setup.listen(&wildcard("a"), Since::Now, at(1));
    let positions: Vec<_> = ["a.b", "a.c", "a.b"].map(|name| setup.publish(&channel(name), at(1))).into();
    assert_eq!(setup.org.delete(&channel("a.b"), Position::ZERO, positions[1]), 1);
    let back = setup.listen(&wildcard("a"), Since::After(Position(1)), at(1));
    assert_eq!(back.missed.iter().map(|one| one.position).collect::<Vec<_>>(), positions[1..]);
}
