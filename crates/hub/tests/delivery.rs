//! What workers get: several publications as one, the listeners of other channels left out, and tasks in between.

#![allow(clippy::unwrap_used)] // All of it is a test.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon_hub::{
    ChannelUid, Collect, Delivery, Fanout, Hold, Hub, HubSettings, Inbox, Org, Outcome, Reply, ReplyError,
    ReplyEvent, Rules, Since, Subscribed, Subscriber, Subscription, Task, TooManyChannels, WorkerId,
};
use antiphon_model::{
    ChannelFlags, ChannelId, Draft, Monotonic, Now, OrgId, Payload, Position, SessionId, Timestamp,
};

const WORKER: WorkerId = WorkerId(0);
const NOW: Now = Now { wall: Timestamp(1000), monotonic: Monotonic(Duration::from_secs(1)) };

fn channel(name: &str) -> Arc<ChannelId> {
    Arc::new(ChannelId::new(name, ChannelFlags::NONE).unwrap())
}

fn draft(name: &str, except: &[&str]) -> Draft {
    let mut draft = Draft::new(channel(name), Payload::Text(name.to_owned().into()));
    if !except.is_empty() {
        draft.except_listeners_of = Some(except.iter().map(|name| channel(name)).collect());
    }
    draft
}

fn hub(settings: HubSettings) -> (Hub, Arc<Org>) {
    let hub = Hub::new(settings, [Arc::new(Inbox::new(Box::new(|| {})))], Box::new(|| {}));
    let org = hub.add_org(OrgId::new("a"), Rules::default(), Position::ZERO);
    (hub, org)
}

/// A worker and its subscribers, which are their sessions' numbers.
struct Worker {
    hub: Hub,
    org: Arc<Org>,
    fanout: Fanout<u64, ()>,
}

impl Worker {
    fn new() -> Worker {
        let (hub, org) = hub(HubSettings::default());
        Worker { hub, org, fanout: Fanout::new() }
    }

    fn listen(&mut self, session: u64, name: &str) -> Subscription {
        let begun = self.org.subscribe(WORKER, &channel(name), Since::Now, NOW).unwrap();
        self.add(session, &begun)
    }

    fn add(&mut self, session: u64, begun: &Subscribed) -> Subscription {
        let subscriber =
            Subscriber { key: session, from: begun.from, session: SessionId(session), filter: None };
        self.fanout.add(begun.channel, (), subscriber)
    }

    fn batch(&self) -> Vec<Delivery> {
        let mut batch = Vec::new();
        self.hub.inbox(WORKER).drain(&mut batch);
        batch
    }

    /// Who gets what of all that is in the inbox, tasks being subscriptions of session 9.
    fn delivered(&mut self) -> Vec<(u64, String)> {
        let mut got = Vec::new();
        for delivery in self.batch() {
            match delivery {
                Delivery::Publication { channel, publication, except } => {
                    let except = except.as_deref().unwrap_or_default();
                    let left_out: Vec<_> = self.fanout.listeners_of(except, publication.position).collect();
                    for subscriber in self.fanout.groups(channel).iter().flat_map(|group| group.subscribers())
                    {
                        if subscriber.takes(&publication) && !left_out.contains(&subscriber.session) {
                            got.push((subscriber.key, publication.channel.name().to_owned()));
                        }
                    }
                }
                Delivery::Task(task) => {
                    let begun = task.downcast::<Vec<Subscribed>>().unwrap();
                    for begun in &*begun {
                        self.add(9, begun);
                    }
                    self.org.task_arrived(WORKER, begun.iter().map(|begun| begun.channel));
                }
            }
        }
        got
    }
}

fn got(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
    expected.iter().map(|(session, name)| (*session, (*name).to_owned())).collect()
}

fn boxed(begun: Vec<Subscribed>) -> Task {
    Box::new(begun)
}

#[test]
fn what_is_published_in_an_org_is_for_its_own_subscribers_alone() {
    let mut worker = Worker::new();
    worker.listen(1, "room");
    // A worker has one table for the subscribers of all orgs.
    let other = worker.hub.add_org(OrgId::new("b"), Rules::default(), Position::ZERO);
    let begun = other.subscribe(WORKER, &channel("room"), Since::Now, NOW).unwrap();
    worker.add(2, &begun);
    worker.org.publish(draft("room", &[]), Hold::No, NOW).unwrap();
    assert_eq!(worker.delivered(), got(&[(1, "room")]));
    other.publish(draft("room", &[]), Hold::No, NOW).unwrap();
    assert_eq!(worker.delivered(), got(&[(2, "room")]));
}

#[test]
fn an_emit_to_several_rooms_comes_once_to_who_is_in_several() {
    let mut worker = Worker::new();
    for (session, name) in [(1, "a"), (1, "b"), (2, "b"), (3, "c"), (3, "a"), (4, "c")] {
        worker.listen(session, name);
    }
    let drafts = [draft("a", &[]), draft("b", &["a"]), draft("c", &["a", "b"])];
    let drafts = drafts.into_iter().map(|draft| (draft, Hold::No)).collect();
    let published = worker.org.publish_all(drafts, NOW).unwrap();
    let first = published[0].position.0;
    assert_eq!(published.iter().map(|one| one.position.0 - first).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(worker.delivered(), got(&[(1, "a"), (3, "a"), (2, "b"), (4, "c")]));
    assert_eq!(worker.org.publish_all(Vec::new(), NOW).unwrap(), []);
}

#[test]
fn nothing_comes_between_though_some_are_held() {
    let mut worker = Worker::new();
    for name in ["a", "b", "c"] {
        worker.listen(1, name);
    }
    let until = Hold::Until(NOW.monotonic + Duration::from_secs(1));
    let drafts = vec![(draft("a", &[]), Hold::No), (draft("b", &[]), until), (draft("c", &[]), Hold::No)];
    let published = worker.org.publish_all(drafts, NOW).unwrap();
    worker.org.publish(draft("a", &[]), Hold::No, NOW).unwrap();
    assert_eq!(worker.delivered(), got(&[(1, "a")]));
    worker.org.settle(published[1].position, Outcome::Deliver, NOW);
    assert_eq!(worker.delivered(), got(&[(1, "b"), (1, "c"), (1, "a")]));
}

#[test]
fn an_org_may_have_a_limit_of_channels_of_its_own() {
    let hub = Hub::new(HubSettings { channels_max: 3, ..HubSettings::default() }, [], Box::new(|| {}));
    for (name, limit, expected) in [("few", 2, 2), ("more", 5, 3)] {
        let org = hub.add_org(OrgId::new(name), Rules::default(), Position::ZERO);
        org.limit_channels(limit);
        let publish = |channel: usize| org.publish(draft(&channel.to_string(), &[]), Hold::No, NOW).is_ok();
        assert_eq!((0..10).filter(|channel| publish(*channel)).count(), expected, "{name}");
        assert!(publish(0), "those that are there go on");
    }
}

#[test]
fn where_there_is_no_room_for_one_none_is_published() {
    let (_hub, org) = hub(HubSettings { channels_max: 1, ..HubSettings::default() });
    org.publish(draft("a", &[]), Hold::No, NOW).unwrap();
    let drafts = vec![(draft("a", &[]), Hold::No), (draft("b", &[]), Hold::No)];
    assert_eq!(org.publish_all(drafts, NOW), Err(TooManyChannels));
    assert_eq!(org.stats().publications, 1);
}

#[test]
fn only_channels_in_memory_are_excepted() {
    let worker = Worker::new();
    worker.org.subscribe(WORKER, &channel("a"), Since::Now, NOW).unwrap();
    let excepted = |except: &[&str]| -> Option<Vec<ChannelUid>> {
        worker.org.publish(draft("a", except), Hold::No, NOW).unwrap();
        match worker.batch().remove(0) {
            Delivery::Publication { except, .. } => except.map(|uids| uids.to_vec()),
            Delivery::Task(_) => panic!("there is none"),
        }
    };
    assert_eq!(excepted(&[]), None);
    assert_eq!(excepted(&["nobody ever", "was here"]), Some(vec![]));
    let b = worker.org.subscribe(WORKER, &channel("b"), Since::Now, NOW).unwrap().channel;
    assert_eq!(excepted(&["nobody ever", "b"]), Some(vec![b]));
}

#[test]
fn who_joins_the_excepted_room_later_still_gets_it() {
    let mut worker = Worker::new();
    worker.listen(1, "a");
    worker.listen(2, "a");
    worker.listen(2, "b");
    worker.org.publish(draft("a", &["b"]), Hold::No, NOW).unwrap();
    worker.listen(1, "b");
    assert_eq!(worker.delivered(), got(&[(1, "a")]));
    worker.org.publish(draft("a", &["b"]), Hold::No, NOW).unwrap();
    assert_eq!(worker.delivered(), []);
}

#[test]
fn what_was_missed_says_whom_it_excepts() {
    let worker = Worker::new();
    let position = worker.org.publish(draft("a", &["b"]), Hold::No, NOW).unwrap().position;
    let since = Since::After(Position(position.0 - 1));
    let begun = worker.org.subscribe(WORKER, &channel("a"), since, NOW).unwrap();
    assert_eq!(begun.missed[0].except_listeners_of.as_deref().unwrap(), [channel("b")]);
}

#[test]
fn a_task_keeps_its_place_among_publications() {
    let worker = Worker::new();
    worker.org.subscribe(WORKER, &channel("a"), Since::Now, NOW).unwrap();
    for number in 0..3_u8 {
        worker.org.publish(draft("a", &[]), Hold::No, NOW).unwrap();
        worker.hub.inbox(WORKER).push(Delivery::Task(Box::new(number)));
    }
    assert_eq!(worker.hub.inbox(WORKER).len(), 6);
    let batch = worker.batch();
    for (number, pair) in batch.chunks(2).enumerate() {
        assert!(pair[0].publication().is_some() && pair[1].publication().is_none());
        let Delivery::Task(task) = &pair[1] else { panic!("a task lies behind each publication") };
        assert_eq!(task.downcast_ref::<u8>(), Some(&(number as u8)));
    }
}

#[test]
fn a_subscription_by_task_begins_where_the_task_lies() {
    let mut worker = Worker::new();
    worker.listen(1, "a");
    worker.org.publish(draft("a", &[]), Hold::No, NOW).unwrap();
    let wanted = [(channel("a"), Since::Now), (channel("b"), Since::Now)];
    worker.org.subscribe_by_task(WORKER, &wanted, NOW, boxed).unwrap();
    worker.org.publish(draft("b", &[]), Hold::No, NOW).unwrap();
    worker.org.publish(draft("a", &[]), Hold::No, NOW).unwrap();
    assert_eq!(worker.delivered(), got(&[(1, "a"), (9, "b"), (1, "a"), (9, "a")]));
}

#[test]
fn the_last_to_go_does_not_take_the_channel_from_one_who_is_on_his_way() {
    let mut worker = Worker::new();
    let subscription = worker.listen(1, "a");
    let wanted = [(channel("a"), Since::Now)];
    worker.org.subscribe_by_task(WORKER, &wanted, NOW, boxed).unwrap();
    assert!(worker.fanout.remove(subscription));
    worker.org.unsubscribe(WORKER, subscription.channel, NOW);
    worker.org.publish(draft("a", &[]), Hold::No, NOW).unwrap();
    assert_eq!(worker.delivered(), got(&[(9, "a")]));
    // It has come: from here on its going counts.
    worker.org.unsubscribe(WORKER, subscription.channel, NOW);
    worker.org.publish(draft("a", &[]), Hold::No, NOW).unwrap();
    assert_eq!(worker.delivered(), []);
}

#[test]
fn a_subscription_by_task_that_cannot_begin_leaves_no_task() {
    let (hub, org) = hub(HubSettings { channels_max: 1, ..HubSettings::default() });
    let wanted = [(channel("a"), Since::Now), (channel("b"), Since::Now)];
    let refused = org.subscribe_by_task(WORKER, &wanted, NOW, |_| panic!("there is nothing to bring"));
    assert_eq!(refused.map_err(|refused| refused.index), Err(1));
    assert!(hub.inbox(WORKER).is_empty());
}

#[test]
fn how_many_replies_are_wanted_may_be_said_later() {
    let (_hub, org) = hub(HubSettings::default());
    for (before, until, after) in [(0, 2, 2), (1, 3, 2), (2, 2, 0), (3, 1, 0), (0, 0, 0)] {
        let told = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&told);
        let sink = Box::new(move |event| log.lock().unwrap().push(event));
        let collect = Collect { timeout: Duration::from_secs(1), until: None, sink };
        let position = org.broadcast(draft("a", &[]), Hold::No, collect, NOW).unwrap().position;
        let a = org.collecting(position).unwrap();
        assert_eq!(a, channel("a"));
        let reply = || {
            let reply = Reply { payload: Payload::Text("!".into()), publisher: None };
            org.reply(position, &a, reply)
        };
        (0..before).for_each(|_| reply().unwrap());
        org.expect_replies(position, until);
        (0..after).for_each(|_| reply().unwrap());
        assert_eq!(told.lock().unwrap().last(), Some(&ReplyEvent::End { complete: true }));
        assert_eq!(told.lock().unwrap().len(), before + after + 1);
        assert_eq!((reply(), org.collecting(position)), (Err(ReplyError::NobodyCollects), None));
        org.expect_replies(position, 5);
    }
}
