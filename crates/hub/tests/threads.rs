//! Real threads: many publish while workers drain. What each subscriber sees is still one rising order.

#![allow(clippy::unwrap_used)] // All of it is a test.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use antiphon_hub::{
    Collect, Delivery, Fanout, Hold, Hub, HubSettings, Inbox, Org, Outcome, Reply, ReplyError, ReplyEvent,
    Rule, Rules, Since, Subscribed, Subscriber, Task, WorkerId,
};
use antiphon_model::{
    ChannelFlags, ChannelId, ChannelPattern, Draft, Monotonic, Now, OrgId, Payload, Position, SessionId,
    Timestamp,
};

const PUBLISHERS: usize = 4;
const EACH: usize = 1000;
const WORKERS: usize = 2;
const CHANNELS: usize = 3;

fn channels() -> Vec<Arc<ChannelId>> {
    let name = |n| format!("channel {n}");
    (0..CHANNELS).map(|n| Arc::new(ChannelId::new(&name(n), ChannelFlags::NONE).unwrap())).collect()
}

/// A clock that every thread reads for itself, late and out of step: no thread's `now` follows another's.
fn now(step: usize) -> Now {
    let wall = Timestamp(1_000_000 + (step as u64 * 7919) % 5000);
    Now { wall, monotonic: Monotonic(Duration::from_nanos(step as u64)) }
}

/// What a worker waits for.
enum Wake {
    /// Its inbox has something.
    Signal,
    /// Nobody publishes any more, and all signals were given.
    Finished,
}

struct Threads {
    hub: Hub,
    org: Arc<Org>,
    wakers: Vec<Sender<Wake>>,
}

/// A hub that wakes its workers by messages, and where each worker waits for them.
fn hub() -> (Threads, Vec<Receiver<Wake>>) {
    let (wakers, waits): (Vec<Sender<Wake>>, Vec<_>) = (0..WORKERS).map(|_| channel()).unzip();
    let inboxes = wakers.clone().into_iter().map(|waker| {
        Arc::new(Inbox::new(Box::new(move || {
            // A worker that has everything it waited for is gone.
            let _ = waker.send(Wake::Signal);
        })))
    });
    let hub = Hub::new(HubSettings::default(), inboxes, Box::new(|| {}));
    let rule = Rule {
        channels: ChannelPattern::new("*"),
        persist: false,
        history_size: usize::MAX,
        history_age: None,
        ring_size: usize::MAX,
        ..Rule::default()
    };
    let org = hub.add_org(OrgId::new("a"), Rules::new([rule]), Position::ZERO);
    (Threads { hub, org, wakers }, waits)
}

fn publish(org: &Org, channels: &[Arc<ChannelId>], publisher: usize, half: &Barrier) -> Vec<Position> {
    let mut positions = Vec::new();
    for n in 0..EACH {
        if n == EACH / 2 {
            half.wait();
        }
        let draft = Draft::new(Arc::clone(&channels[(publisher + n) % CHANNELS]), Payload::Text("x".into()));
        // Some are held, and settled by their publisher after the next one.
        let hold = if n % 5 == 0 { Hold::Until(Monotonic(Duration::MAX)) } else { Hold::No };
        positions.push(org.publish(draft, hold, now(n)).unwrap().position);
        if n % 5 == 1 {
            org.settle(positions[n - 1], Outcome::Deliver, now(n));
        }
    }
    positions
}

/// Listens to every channel from the beginning until all is published.
fn listen(threads: &Threads, worker: WorkerId, wait: &Receiver<Wake>, begun: &Barrier) -> Vec<Position> {
    let wanted: Vec<_> = channels().into_iter().map(|id| (id, Since::After(Position::ZERO))).collect();
    let subscribed = threads.org.subscribe_all(worker, &wanted, now(0)).unwrap();
    begun.wait();
    let mut fanout = Fanout::new();
    let mut seen = Vec::new();
    for one in subscribed {
        seen.extend(one.missed.iter().map(|publication| publication.position));
        let subscriber = Subscriber { key: (), from: one.from, session: SessionId(1), filter: None };
        fanout.add(one.channel, (), subscriber);
    }
    seen.sort();
    let mut batch = Vec::new();
    while let Wake::Signal = wait.recv().unwrap() {
        threads.hub.inbox(worker).drain(&mut batch);
        for delivery in batch.drain(..) {
            let Delivery::Publication { channel, publication, .. } = delivery else { continue };
            let groups = fanout.groups(channel).iter();
            for subscriber in groups.flat_map(antiphon_hub::Group::subscribers) {
                if subscriber.takes(&publication) {
                    seen.push(publication.position);
                }
            }
        }
    }
    seen
}

#[test]
fn every_subscriber_sees_every_publication_once_in_rising_order() {
    let (threads, waits) = hub();
    let (threads, channels) = (&threads, &*channels());
    // One worker listens before the first publication, the other begins when half is published.
    let (start, half) = (&Barrier::new(PUBLISHERS + 1), &Barrier::new(PUBLISHERS + 1));
    thread::scope(|scope| {
        let publisher = |n| {
            move || {
                start.wait();
                publish(&threads.org, channels, n, half)
            }
        };
        let publishers: Vec<_> = (0..PUBLISHERS).map(|n| scope.spawn(publisher(n))).collect();
        let listeners: Vec<_> = waits
            .into_iter()
            .zip([start, half])
            .enumerate()
            .map(|(n, (wait, begun))| scope.spawn(move || listen(threads, WorkerId(n as u16), &wait, begun)))
            .collect();
        let mut published = Vec::new();
        for publisher in publishers {
            let positions = publisher.join().unwrap();
            assert!(positions.is_sorted_by(|a, b| a < b), "a publisher's own are in order");
            published.extend(positions);
        }
        for waker in &threads.wakers {
            waker.send(Wake::Finished).unwrap();
        }
        published.sort();
        for listener in listeners {
            assert_eq!(listener.join().unwrap(), published, "each once, and in order");
        }
        assert!((0..WORKERS).all(|n| threads.hub.inbox(WorkerId(n as u16)).is_empty()));
    });
}

#[test]
fn subscribers_that_come_and_go_lose_nothing() {
    let (threads, _waits) = hub();
    let (threads, channels) = (&threads, &*channels());
    let (finished, half) = (&AtomicUsize::new(0), &Barrier::new(PUBLISHERS + WORKERS));
    thread::scope(|scope| {
        let publisher = |n| {
            move || {
                let positions = publish(&threads.org, channels, n, half);
                finished.fetch_add(1, Ordering::Release);
                positions
            }
        };
        let publishers: Vec<_> = (0..PUBLISHERS).map(|n| scope.spawn(publisher(n))).collect();
        let listener = |n| move || come_and_go(threads, WorkerId(n as u16), half, finished);
        let listeners: Vec<_> = (0..WORKERS).map(|n| scope.spawn(listener(n))).collect();
        let mut published: Vec<_> = publishers.into_iter().flat_map(|one| one.join().unwrap()).collect();
        published.sort();
        for listener in listeners {
            assert_eq!(listener.join().unwrap(), published);
        }
    });
}

/// Subscribes from the last position seen, takes what is there, goes, and comes again until all is published.
fn come_and_go(threads: &Threads, worker: WorkerId, half: &Barrier, finished: &AtomicUsize) -> Vec<Position> {
    let (org, inbox) = (&threads.org, threads.hub.inbox(worker));
    let (mut seen, mut batch) = (Vec::new(), Vec::new());
    let mut cursor = Position::ZERO;
    for turn in 0.. {
        // Read first: what was published before is in the ring by now, and so is had in this turn.
        let last_turn = finished.load(Ordering::Acquire) == PUBLISHERS;
        let wanted: Vec<_> = channels().into_iter().map(|id| (id, Since::After(cursor))).collect();
        let begun = org.subscribe_all(worker, &wanted, now(0)).unwrap();
        if turn == 3 {
            half.wait();
        }
        let mut missed: Vec<_> = begun.iter().flat_map(|one| &one.missed).map(|one| one.position).collect();
        missed.sort();
        seen.append(&mut missed);
        inbox.drain(&mut batch);
        let live = batch.drain(..).filter_map(|delivery| Some(delivery.publication()?.position));
        seen.extend(live.filter(|position| *position > begun[0].from));
        for one in &begun {
            assert!(!one.gap && one.from == begun[0].from);
            org.unsubscribe(worker, one.channel, now(0));
        }
        cursor = seen.last().copied().unwrap_or_default().max(begun[0].from);
        if last_turn {
            break;
        }
    }
    seen
}

#[test]
fn who_is_subscribed_by_another_thread_misses_nothing_from_there_on() {
    let (threads, _waits) = hub();
    let (threads, id, worker) = (&threads, &channels()[0], WorkerId(0));
    let finished = &AtomicUsize::new(0);
    thread::scope(|scope| {
        // Each time it brings the worker a subscriber, and then publishes for it, twice.
        let joiner = |session: SessionId| {
            let publish = || {
                let mut draft = Draft::new(Arc::clone(id), Payload::Text("x".into()));
                draft.except = Some(session);
                threads.org.publish(draft, Hold::No, now(0)).unwrap().position
            };
            let turn = |_| {
                let task = |begun: Vec<Subscribed>| -> Task { Box::new((session, begun[0].clone())) };
                let wanted = [(Arc::clone(id), Since::Now)];
                threads.org.subscribe_by_task(worker, &wanted, now(0), task).unwrap();
                [publish(), publish()]
            };
            let published: Vec<_> = (0..EACH).flat_map(turn).collect();
            finished.fetch_add(1, Ordering::Release);
            published
        };
        let joiner = |n| move || joiner(SessionId(n));
        let joiners: Vec<_> = (0..PUBLISHERS as u64).map(|n| scope.spawn(joiner(n))).collect();
        let seen = scope.spawn(|| join_and_leave(threads, worker, finished)).join().unwrap();
        let mut expected: Vec<_> = joiners.into_iter().flat_map(|one| one.join().unwrap()).collect();
        expected.sort();
        assert!(seen == expected, "of {} published {} were seen", expected.len(), seen.len());
    });
}

/// Takes subscribers in as they are brought, and has each go when it has had the two publications that are for it.
fn join_and_leave(threads: &Threads, worker: WorkerId, finished: &AtomicUsize) -> Vec<Position> {
    let (org, inbox) = (&threads.org, threads.hub.inbox(worker));
    let (mut batch, mut seen, mut present) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let last_turn = finished.load(Ordering::Acquire) == PUBLISHERS;
        inbox.drain(&mut batch);
        for delivery in batch.drain(..) {
            match delivery {
                Delivery::Task(task) => {
                    let (session, begun) = *task.downcast::<(SessionId, Subscribed)>().unwrap();
                    present.push((session, begun.from, 0));
                    org.task_arrived(worker, [begun.channel]);
                }
                Delivery::Publication { channel, publication, .. } => {
                    for (session, from, had) in &mut present {
                        if publication.position > *from && publication.except == Some(*session) {
                            *had += 1;
                            seen.push(publication.position);
                        }
                    }
                    present.retain(|(.., had)| *had < 2);
                    if present.is_empty() {
                        org.unsubscribe(worker, channel, now(0));
                    }
                }
            }
        }
        if last_turn {
            return seen;
        }
    }
}

#[test]
fn replies_race_to_their_collector_and_it_is_told_the_end_once() {
    let (threads, _waits) = hub();
    let (org, id) = (&threads.org, &channels()[0]);
    let (told, collected) = channel();
    let collect = Collect {
        timeout: Duration::from_secs(1),
        until: Some(EACH),
        sink: Box::new(move |event| told.send(event).unwrap()),
    };
    let draft = Draft::new(Arc::clone(id), Payload::Text("?".into()));
    let position = org.broadcast(draft, Hold::No, collect, now(0)).unwrap().position;
    let taken: usize = thread::scope(|scope| {
        let replier = || {
            let reply = || Reply { payload: Payload::Text("!".into()), publisher: None };
            let results = (0..EACH).map(|_| org.reply(position, id, reply()));
            results.filter(|result| *result != Err(ReplyError::NobodyCollects)).map(Result::unwrap).count()
        };
        let repliers: Vec<_> = (0..2).map(|_| scope.spawn(replier)).collect();
        repliers.into_iter().map(|one| one.join().unwrap()).sum()
    });
    let events: Vec<_> = collected.iter().collect();
    assert_eq!((taken, events.len()), (EACH, EACH + 1));
    assert_eq!(events[EACH], ReplyEvent::End { complete: true });
    assert!(events[..EACH].iter().all(|event| matches!(event, ReplyEvent::Reply(_))));
}
