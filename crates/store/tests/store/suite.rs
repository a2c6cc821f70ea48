use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use antiphon_model::{
    Arguments, ChannelFlags, ChannelId, Draft, Expects, Identity, IdentityKind, Kind, OrgId, Payload,
    Position, Publication, SessionId, Timestamp,
};
use antiphon_store::{Committed, Entry, Query, Range, StoreError, StoreSettings};
use bytes::Bytes;
use futures_util::FutureExt;

use crate::fixture::{
    Fixture, SECOND, append, append_and_forget, channel, channel as channel_named, entry, everything, json,
    org, plain, positions, read, read_at, wait,
};

fn payloads() -> Vec<Payload> {
    let mut all_bytes: Vec<u8> = (0..=255).collect();
    all_bytes.extend([0; 8]);
    vec![
        Payload::Json(json("{\"a\": [1, 2.50, \"\\u00e9 ü 🦀\"], \"a\": null} ")),
        Payload::Json(json("0")),
        Payload::Text(Bytes::new()),
        Payload::Text("Grüße\0 aus dem \u{202e}Norden 👩‍👩‍👧".into()),
        Payload::Binary(Bytes::new()),
        Payload::Binary(all_bytes.into()),
        Payload::Binary(vec![0xab; 3 << 20].into()),
        Payload::Text("x".repeat(100_000).into()),
        arguments("[\"a\", {\"_placeholder\":true,\"num\":5}] ", &[]),
        arguments(
            "[{\"x\": [{\"num\":1, \"_placeholder\":true}]},{\"_placeholder\":true,\"num\":0}]",
            &[b"\0\xff", b""],
        ),
    ]
}

fn arguments(text: &str, attachments: &[&'static [u8]]) -> Payload {
    let attachments = attachments.iter().map(|bytes| Bytes::from_static(bytes)).collect();
    Payload::Arguments(Arc::new(Arguments::new(json(text), attachments).unwrap()))
}

fn publications(channel: &Arc<ChannelId>) -> Vec<Publication> {
    let mut drafts: Vec<Draft> =
        payloads().into_iter().map(|payload| Draft::new(channel.clone(), payload)).collect();
    let simple = Draft::new(channel.clone(), Payload::Json(json("1")));
    for kind in [Kind::Signal, Kind::Action, Kind::File, Kind::Presence, Kind::Object] {
        drafts.push(Draft { kind, ..simple.clone() });
    }
    for kind in [IdentityKind::User, IdentityKind::Device, IdentityKind::ConsumerApp, IdentityKind::Server] {
        let publisher = Some(Arc::new(Identity::new(kind, "名前\0 '\"")));
        drafts.push(Draft { publisher, ..simple.clone() });
    }
    for name in ["", "wíth ünicode", "message", "a\0b"] {
        drafts.push(Draft { name: Some(name.into()), ..simple.clone() });
    }
    drafts.push(Draft { meta: Some(json("{\"lang\": \"de\"}")), ..simple.clone() });
    drafts.push(Draft { expects: Expects::Replies, ..simple.clone() });
    for names in [vec![], vec!["a"], vec!["Zimmer/ü 🦀", "a"]] {
        let companion = ChannelId::new("b", ChannelFlags::SYSTEM).unwrap().presence();
        let channels = names.into_iter().map(channel_named).chain([Arc::new(companion)]);
        drafts.push(Draft { except_listeners_of: Some(channels.collect()), ..simple.clone() });
    }
    drafts.push(Draft { except: Some(SessionId(u64::MAX)), ..simple });
    drafts.into_iter().zip(1..).map(|(draft, n)| draft.at(Position(n))).collect()
}

pub(crate) fn every_kind_of_publication_is_restored(fixture: &Fixture) {
    let store = fixture.open();
    let room = channel("Zimmer/ü 🦀");
    let all = publications(&room);
    for publication in &all {
        assert_eq!(append(&store, entry(publication.clone())), Ok(Committed::Stored));
    }
    let page = read(&store, &room, everything());
    let restored: Vec<Publication> = page.publications.iter().map(|p| Publication::clone(p)).collect();
    assert!(restored == all, "something was not restored as it was");
    assert!(!page.more);
}

pub(crate) fn ranges_give_what_they_say_oldest_first(fixture: &Fixture) {
    let store = fixture.open();
    let room = channel("room");
    for n in 1..=10 {
        append(&store, plain(&room, n * 10)).unwrap();
    }
    let between = |after, until| Range::AfterUntil { after: Position(after), until: Position(until) };
    for (range, limit, expected, more) in [
        (Range::After(Position(0)), 3, vec![10, 20, 30], true),
        (Range::After(Position(10)), 3, vec![20, 30, 40], true),
        (Range::After(Position(65)), 10, vec![70, 80, 90, 100], false),
        (Range::After(Position(70)), 3, vec![80, 90, 100], false),
        (Range::After(Position(100)), 3, vec![], false),
        (Range::After(Position(0)), 0, vec![], true),
        (Range::After(Position(100)), 0, vec![], false),
        (between(10, 40), 10, vec![20, 30, 40], false),
        (between(10, 40), 2, vec![20, 30], true),
        (between(10, 39), 10, vec![20, 30], false),
        (between(40, 40), 10, vec![], false),
        (between(40, 10), 10, vec![], false),
        (Range::Newest, 2, vec![90, 100], true),
        (Range::Newest, 10, vec![10, 20, 30, 40, 50, 60, 70, 80, 90, 100], false),
        (Range::Before(Position(50)), 2, vec![30, 40], true),
        (Range::Before(Position(51)), 2, vec![40, 50], true),
        (Range::Before(Position(30)), 2, vec![10, 20], false),
        (Range::Before(Position(10)), 2, vec![], false),
        (Range::Before(Position(0)), 2, vec![], false),
    ] {
        let page = read_at(&store, &room, range, limit, 0);
        assert_eq!((positions(&page), page.more), (expected, more), "{range:?} limit {limit}");
        assert_eq!(page.trimmed_to, Position::ZERO);
    }
}

pub(crate) fn extreme_positions_and_limits_are_no_trouble(fixture: &Fixture) {
    let store = fixture.open();
    let room = channel("room");
    let highest = i64::MAX as u64;
    for position in [0, 1, highest] {
        append(&store, plain(&room, position)).unwrap();
    }
    let max = Position(u64::MAX);
    assert_eq!(positions(&read(&store, &room, Range::After(Position(0)))), [1, highest]);
    assert_eq!(positions(&read(&store, &room, Range::Before(max))), [0, 1, highest]);
    assert_eq!(positions(&read(&store, &room, Range::After(Position(highest)))), [0; 0]);
    let range = Range::AfterUntil { after: Position(1), until: max };
    assert_eq!(positions(&read_at(&store, &room, range, usize::MAX, u64::MAX)), [highest]);
    assert_eq!(store.position_floor(&org()), Ok(Position(highest)));
}

pub(crate) fn pages_are_bounded_in_bytes(fixture: &Fixture) {
    let store = fixture.open_with(&StoreSettings { page_bytes_max: 10_000, ..StoreSettings::default() });
    let room = channel("room");
    for n in 1..=5 {
        let payload = Payload::Binary(vec![0; if n == 5 { 50_000 } else { 4_000 }].into());
        append(&store, entry(Draft::new(room.clone(), payload).at(Position(n)))).unwrap();
    }
    let mut seen = Vec::new();
    let mut since = Position::ZERO;
    loop {
        let page = read(&store, &room, Range::After(since));
        seen.push(positions(&page));
        match (page.more, page.publications.last()) {
            (true, Some(last)) => since = last.position,
            (more, _) => break assert!(!more),
        }
    }
    assert_eq!(seen, [vec![1, 2], vec![3, 4], vec![5]]);
    let newest = read(&store, &room, Range::Newest);
    assert_eq!((positions(&newest), newest.more), (vec![5], true));
}

pub(crate) fn channels_and_orgs_are_apart(fixture: &Fixture) {
    let store = fixture.open();
    let names = [
        channel("a"),
        channel("A"),
        channel("a "),
        Arc::new(ChannelId::new("a", ChannelFlags::SYSTEM).unwrap()),
        Arc::new(ChannelId::new("a", ChannelFlags::NONE).unwrap().presence()),
    ];
    for (position, name) in (1..).zip(&names) {
        append(&store, plain(name, position)).unwrap();
    }
    let mut foreign = plain(&names[0], 1);
    foreign.org = OrgId::new("other");
    append(&store, foreign).unwrap();
    for (position, name) in (1..).zip(&names) {
        let page = read(&store, name, everything());
        assert_eq!(positions(&page), [position]);
        assert_eq!(page.publications[0].channel, *name);
    }
    let query = Query {
        org: OrgId::new("third"),
        channel: names[0].clone(),
        range: everything(),
        limit: 1,
        now: Timestamp(0),
    };
    assert!(wait(store.read(query)).unwrap().publications.is_empty());
}

fn keyed(channel: &Arc<ChannelId>, position: u64, key: &str, publisher: Option<Identity>) -> Entry {
    let mut publication = Draft::new(channel.clone(), Payload::Json(json("1"))).at(Position(position));
    publication.publisher = publisher.map(Arc::new);
    Entry { idempotency_key: Some(key.into()), ..entry(publication) }
}

pub(crate) fn a_key_that_was_seen_is_a_duplicate(fixture: &Fixture) {
    let store = fixture.open();
    let (a, b) = (channel("a"), channel("b"));
    let user = || Some(Identity::new(IdentityKind::User, "x"));
    let device = || Some(Identity::new(IdentityKind::Device, "x"));
    let duplicate = |position| Ok(Committed::Duplicate { position: Position(position) });

    assert_eq!(append(&store, keyed(&a, 1, "k", None)), Ok(Committed::Stored));
    assert_eq!(append(&store, keyed(&a, 2, "k", None)), duplicate(1));
    assert_eq!(append(&store, keyed(&a, 3, "K", None)), Ok(Committed::Stored));
    assert_eq!(append(&store, keyed(&b, 4, "k", None)), Ok(Committed::Stored));
    assert_eq!(append(&store, keyed(&a, 5, "k", user())), Ok(Committed::Stored));
    assert_eq!(append(&store, keyed(&a, 6, "k", device())), Ok(Committed::Stored));
    assert_eq!(append(&store, keyed(&a, 7, "k", user())), duplicate(5));
    assert_eq!(append(&store, keyed(&a, 8, "k", device())), duplicate(6));
    let mut foreign = keyed(&a, 1, "k", None);
    foreign.org = OrgId::new("other");
    assert_eq!(append(&store, foreign), Ok(Committed::Stored));
    assert_eq!(positions(&read(&store, &a, everything())), [1, 3, 5, 6]);

    // Both in one group: the first completion holds up the writer until the others are queued.
    let (queued, wait_for_queue) = mpsc::channel::<()>();
    store.append(plain(&a, 10), Box::new(move |_| wait_for_queue.recv().unwrap()));
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    for position in [11, 12] {
        let outcomes = outcomes.clone();
        store.append(
            keyed(&a, position, "twice", None),
            Box::new(move |outcome| outcomes.lock().unwrap().push(outcome)),
        );
    }
    queued.send(()).unwrap();
    wait(store.flush()).unwrap();
    assert_eq!(*outcomes.lock().unwrap(), [Ok(Committed::Stored), duplicate(11)]);
}

pub(crate) fn keys_are_forgotten_in_time(fixture: &Fixture) {
    let settings = StoreSettings { idempotency_keep_secs: 10, ..StoreSettings::default() };
    let store = fixture.open_with(&settings);
    let room = channel("room");
    let at = |seconds: u64| seconds * SECOND;
    append(&store, keyed(&room, at(100), "k", None)).unwrap();
    let duplicate = Committed::Duplicate { position: Position(at(100)) };
    assert_eq!(append(&store, keyed(&room, at(110) - 1, "k", None)), Ok(duplicate));
    assert_eq!(append(&store, keyed(&room, at(110), "k", None)), Ok(Committed::Stored));

    fixture.set_now(at(115));
    wait(store.sweep()).unwrap();
    let duplicate = Committed::Duplicate { position: Position(at(110)) };
    assert_eq!(append(&store, keyed(&room, at(119), "k", None)), Ok(duplicate));
    fixture.set_now(at(121));
    wait(store.sweep()).unwrap();
    assert_eq!(append(&store, keyed(&room, at(121), "k", None)), Ok(Committed::Stored));
}

pub(crate) fn a_taken_position_fails_alone(fixture: &Fixture) {
    let store = fixture.open();
    let room = channel("room");
    append(&store, plain(&room, 1)).unwrap();
    let taken = Err(StoreError::PositionTaken(Position(1)));
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    for entry in [plain(&room, 2), keyed(&room, 1, "k", None), plain(&room, 3), keyed(&room, 4, "k", None)] {
        let outcomes = outcomes.clone();
        store.append(entry, Box::new(move |outcome| outcomes.lock().unwrap().push(outcome)));
    }
    wait(store.flush()).unwrap();
    let stored = || Ok(Committed::Stored);
    assert_eq!(*outcomes.lock().unwrap(), [stored(), taken, stored(), stored()]);
    assert_eq!(positions(&read(&store, &room, everything())), [1, 2, 3, 4]);
}

pub(crate) fn an_impossible_position_fails_alone(fixture: &Fixture) {
    let store = fixture.open();
    let room = channel("room");
    assert!(matches!(append(&store, plain(&room, u64::MAX)), Err(StoreError::Unstorable(_))));
    assert_eq!(append(&store, plain(&room, 5)), Ok(Committed::Stored));
    assert_eq!(store.position_floor(&org()), Ok(Position(5)));
}

fn expiring(channel: &Arc<ChannelId>, position: u64, expires: u64) -> Entry {
    Entry { expires: Some(Timestamp(expires)), ..plain(channel, position) }
}

pub(crate) fn what_has_expired_is_not_shown_and_then_removed(fixture: &Fixture) {
    let store = fixture.open();
    let room = channel("room");
    for n in 1..=2_000 {
        append_and_forget(&store, expiring(&room, n, 10_000 + n));
    }
    append(&store, plain(&room, 3_000)).unwrap();
    let shown = |now| {
        let page = read_at(&store, &room, everything(), 2, now);
        (positions(&page), page.trimmed_to.0)
    };
    assert_eq!(shown(10_000), (vec![1, 2], 0));
    assert_eq!(shown(10_001), (vec![2, 3], 1));
    assert_eq!(shown(10_500), (vec![501, 502], 500));
    assert_eq!(shown(u64::MAX), (vec![3_000], 2_000));
    assert_eq!(store.stats().removed, 0);

    fixture.set_now(11_500);
    wait(store.sweep()).unwrap();
    assert_eq!(store.stats().removed, 1_500);
    assert_eq!(shown(0), (vec![1_501, 1_502], 1_500));
    fixture.set_now(1_000_000);
    wait(store.sweep()).unwrap();
    assert_eq!(shown(0), (vec![3_000], 2_000));
}

pub(crate) fn one_that_expires_amid_others_makes_no_gap(fixture: &Fixture) {
    let store = fixture.open();
    let room = channel("room");
    append(&store, plain(&room, 1)).unwrap();
    append(&store, expiring(&room, 2, 50)).unwrap();
    append(&store, plain(&room, 3)).unwrap();
    for sweep in [ControlFlow::Continue(()), ControlFlow::Break(())] {
        let page = read_at(&store, &room, everything(), 10, 50);
        assert_eq!((positions(&page), page.trimmed_to), (vec![1, 3], Position::ZERO));
        if sweep.is_continue() {
            fixture.set_now(50);
            wait(store.sweep()).unwrap();
        }
    }
}

pub(crate) fn histories_are_trimmed_to_their_size(fixture: &Fixture) {
    let store = fixture.open();
    let (room, other) = (channel("room"), channel("other"));
    for n in 1..=100 {
        append_and_forget(&store, Entry { keep: Some(10), ..plain(&room, n) });
        append_and_forget(&store, plain(&other, n));
    }
    wait(store.sweep()).unwrap();
    let page = read(&store, &room, everything());
    assert_eq!(positions(&page), (91..=100).collect::<Vec<_>>());
    assert_eq!(page.trimmed_to, Position(90));
    assert_eq!(read(&store, &other, everything()).publications.len(), 100);

    // The newest word counts.
    append_and_forget(&store, Entry { keep: Some(3), ..plain(&room, 101) });
    wait(store.sweep()).unwrap();
    assert_eq!(positions(&read(&store, &room, everything())), [99, 100, 101]);
    append_and_forget(&store, plain(&room, 102));
    wait(store.sweep()).unwrap();
    append_and_forget(&store, Entry { keep: Some(3), ..plain(&room, 103) });
    wait(store.sweep()).unwrap();
    let page = read(&store, &room, everything());
    assert_eq!((positions(&page), page.trimmed_to), (vec![101, 102, 103], Position(100)));
}

pub(crate) fn a_history_of_none_keeps_nothing(fixture: &Fixture) {
    let store = fixture.open();
    let room = channel("room");
    append(&store, Entry { keep: Some(0), ..plain(&room, 7) }).unwrap();
    wait(store.sweep()).unwrap();
    let page = read(&store, &room, Range::Newest);
    assert_eq!((positions(&page), page.trimmed_to), (vec![], Position(7)));
    assert_eq!(store.position_floor(&org()), Ok(Position(7)));
}

pub(crate) fn large_histories_are_trimmed_in_steps(fixture: &Fixture) {
    let store = fixture.open();
    let room = channel("room");
    for n in 1..=10_000 {
        append_and_forget(&store, plain(&room, n));
    }
    // The size of a history that was not limited so far has to be found out first.
    append_and_forget(&store, Entry { keep: Some(2_000), ..plain(&room, 10_001) });
    wait(store.sweep()).unwrap();
    let page = read(&store, &room, everything());
    assert_eq!((page.publications.len(), page.trimmed_to), (2_000, Position(8_001)));
    assert_eq!(page.publications[0].position, Position(8_002));
    assert_eq!(store.stats().removed, 8_001);
}

pub(crate) fn empty_channels_are_forgotten_in_time(fixture: &Fixture) {
    let settings =
        StoreSettings { forget_channel_secs: 100, idempotency_keep_secs: 1, ..StoreSettings::default() };
    let store = fixture.open_with(&settings);
    let (old, young, never) = (channel("old"), channel("young"), channel("never"));
    append(&store, expiring(&old, SECOND, SECOND)).unwrap();
    append(&store, expiring(&young, 50 * SECOND, 50 * SECOND)).unwrap();
    fixture.set_now(100 * SECOND);
    wait(store.sweep()).unwrap();
    let trimmed_to = |channel| read(&store, channel, Range::Newest).trimmed_to.0 / SECOND;
    assert_eq!([trimmed_to(&old), trimmed_to(&young), trimmed_to(&never)], [1, 50, 0]);
    fixture.set_now(102 * SECOND);
    wait(store.sweep()).unwrap();
    assert_eq!([trimmed_to(&old), trimmed_to(&young), trimmed_to(&never)], [1, 50, 1]);
    // It can come back.
    append(&store, plain(&old, 103 * SECOND)).unwrap();
    let page = read(&store, &old, everything());
    assert_eq!((positions(&page), page.trimmed_to), (vec![103 * SECOND], Position(SECOND)));
}

pub(crate) fn completions_come_in_order_while_others_read(fixture: &Fixture) {
    const THREADS: u64 = 8;
    const EACH: u64 = 2_000;
    let store = fixture.open();
    let room = channel("room");
    // As the hub does: positions are given and queued under one lock.
    let positions_lock = Mutex::new(0);
    let completed = Arc::new(Mutex::new(Vec::new()));
    let acknowledged = Arc::new(AtomicU64::new(0));
    let writing = AtomicBool::new(true);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..EACH {
                        let mut last = positions_lock.lock().unwrap();
                        *last += 1;
                        let position = *last;
                        let (completed, acknowledged) = (completed.clone(), acknowledged.clone());
                        store.append(
                            plain(&room, position),
                            Box::new(move |outcome| {
                                assert_eq!(outcome, Ok(Committed::Stored));
                                completed.lock().unwrap().push(position);
                                acknowledged.store(position, SeqCst);
                            }),
                        );
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            scope.spawn(|| {
                let mut since = 0;
                while writing.load(SeqCst) || since < THREADS * EACH {
                    let safe = acknowledged.load(SeqCst);
                    let page = read(&store, &room, Range::After(Position(since)));
                    for position in positions(&page) {
                        assert_eq!(position, since + 1, "lost, doubled or out of order");
                        since = position;
                    }
                    assert!(page.more || since >= safe, "{safe} was acknowledged, only {since} can be read");
                }
            });
        }
        for writer in writers {
            writer.join().unwrap();
        }
        wait(store.flush()).unwrap();
        writing.store(false, SeqCst);
    });
    assert_eq!(*completed.lock().unwrap(), (1..=THREADS * EACH).collect::<Vec<_>>());
    assert_eq!(store.queue_len(), 0);
}

pub(crate) fn a_full_queue_refuses_at_once(fixture: &Fixture) {
    let settings = StoreSettings { queue_entries_max: 3, ..StoreSettings::default() };
    let store = fixture.open_with(&settings);
    let room = channel("room");
    let (release, released) = mpsc::channel::<()>();
    store.append(plain(&room, 1), Box::new(move |_| released.recv().unwrap()));
    for n in 2..=3 {
        append_and_forget(&store, plain(&room, n));
    }
    assert_eq!(store.queue_len(), 3);
    assert_eq!(append(&store, plain(&room, 4)), Err(StoreError::Overloaded));
    assert_eq!(store.stats().overloaded, 1);
    release.send(()).unwrap();
    wait(store.flush()).unwrap();
    assert_eq!(append(&store, plain(&room, 5)), Ok(Committed::Stored));
    assert_eq!(positions(&read(&store, &room, everything())), [1, 2, 3, 5]);
}

pub(crate) fn a_full_queue_in_bytes_refuses_at_once(fixture: &Fixture) {
    let settings = StoreSettings { queue_bytes_max: 10_000, ..StoreSettings::default() };
    let store = fixture.open_with(&settings);
    let room = channel("room");
    let large = |position, bytes| {
        let payload = Payload::Binary(vec![0; bytes].into());
        entry(Draft::new(room.clone(), payload).at(Position(position)))
    };
    // Larger than the queue, and alone in it.
    assert_eq!(append(&store, large(1, 20_000)), Ok(Committed::Stored));
    wait(store.flush()).unwrap();
    let (release, released) = mpsc::channel::<()>();
    store.append(large(2, 6_000), Box::new(move |_| released.recv().unwrap()));
    assert_eq!(append(&store, large(3, 6_000)), Err(StoreError::Overloaded));
    release.send(()).unwrap();
    wait(store.flush()).unwrap();
    assert_eq!(append(&store, large(4, 6_000)), Ok(Committed::Stored));
}

pub(crate) fn a_panicking_completion_harms_nobody(fixture: &Fixture) {
    let store = fixture.open();
    let room = channel("room");
    store.append(plain(&room, 1), Box::new(|_| panic!("on purpose")));
    assert_eq!(append(&store, plain(&room, 2)), Ok(Committed::Stored));
    assert_eq!(positions(&read(&store, &room, everything())), [1, 2]);
}

pub(crate) fn flush_waits_for_what_is_before_it(fixture: &Fixture) {
    let store = fixture.open_with(&StoreSettings { group_entries_max: 2, ..StoreSettings::default() });
    let room = channel("room");
    wait(store.flush()).unwrap();
    // The first completion holds up the writer until all are queued, the last of all until it was looked at.
    let (queued, all_queued) = mpsc::channel::<()>();
    store.append(plain(&room, 1), Box::new(move |_| all_queued.recv().unwrap()));
    for n in 2..=8 {
        append_and_forget(&store, plain(&room, n));
    }
    let (reach, reached) = mpsc::channel::<()>();
    let (looked, was_looked_at) = mpsc::channel::<()>();
    let last = move |_| {
        reach.send(()).unwrap();
        was_looked_at.recv().unwrap();
    };
    store.append(plain(&room, 9), Box::new(last));
    let mut flushed = store.flush();
    append_and_forget(&store, plain(&room, 10));
    queued.send(()).unwrap();
    reached.recv().unwrap();
    assert!((&mut flushed).now_or_never().is_none(), "it did not wait for the last");
    looked.send(()).unwrap();
    assert_eq!(wait(flushed), Ok(()));
}

pub(crate) fn floors_rise_with_publications_and_leases(fixture: &Fixture) {
    let store = fixture.open();
    let other = OrgId::new("other");
    let floors = || [store.position_floor(&org()).unwrap().0, store.position_floor(&other).unwrap().0];
    assert_eq!(floors(), [0, 0]);
    append(&store, plain(&channel("room"), 100)).unwrap();
    assert_eq!(floors(), [100, 0]);
    store.lease_positions(&org(), Position(50));
    store.lease_positions(&other, Position(7));
    wait(store.flush()).unwrap();
    assert_eq!(floors(), [100, 7]);
    store.lease_positions(&org(), Position(500));
    store.lease_positions(&org(), Position(400));
    wait(store.flush()).unwrap();
    assert_eq!(floors(), [500, 7]);
    store.lease_positions(&org(), Position(450));
    append(&store, plain(&channel("room"), 460)).unwrap();
    assert_eq!(floors(), [500, 7]);
}

pub(crate) fn closing_commits_what_is_queued(fixture: &Fixture) {
    let store = fixture.open();
    let room = channel("room");
    let stored = Arc::new(AtomicU64::new(0));
    for n in 1..=1_000 {
        let stored = stored.clone();
        let done = move |outcome| {
            assert_eq!(outcome, Ok(Committed::Stored));
            stored.fetch_add(1, SeqCst);
        };
        store.append(plain(&room, n), Box::new(done));
    }
    assert_eq!(store.close(), Ok(()));
    assert_eq!(stored.load(SeqCst), 1_000);
    assert_eq!(store.close(), Ok(()));
    assert_eq!(append(&store, plain(&room, 2_000)), Err(StoreError::Closed));
    assert_eq!(wait(store.flush()), Err(StoreError::Closed));
    assert_eq!(wait(store.sweep()), Err(StoreError::Closed));
    store.lease_positions(&org(), Position(1));
    let query = Query { org: org(), channel: room, range: Range::Newest, limit: 1, now: Timestamp(0) };
    assert_eq!(wait(store.read(query)), Err(StoreError::Closed));
}

pub(crate) fn a_completion_may_close_the_store(fixture: &Fixture) {
    let store = fixture.open();
    let room = channel("room");
    let (closed, was_closed) = mpsc::channel();
    let inner = store.clone();
    store.append(plain(&room, 1), Box::new(move |_| closed.send(inner.close()).unwrap()));
    assert_eq!(was_closed.recv().unwrap(), Ok(()));
    assert_eq!(append(&store, plain(&room, 2)), Err(StoreError::Closed));
    assert_eq!(store.close(), Ok(()));
}

pub(crate) fn counters_add_up(fixture: &Fixture) {
    let store = fixture.open();
    let room = channel("room");
    append(&store, plain(&room, 1)).unwrap();
    append(&store, keyed(&room, 2, "k", None)).unwrap();
    append(&store, keyed(&room, 3, "k", None)).unwrap();
    append(&store, plain(&room, 1)).unwrap_err();
    let stats = store.stats();
    assert_eq!((stats.queued, stats.committed, stats.duplicates, stats.failed), (4, 2, 1, 1));
    assert_eq!((stats.groups, stats.failed_groups, stats.overloaded), (4, 0, 0));
    assert!(stats.total_commit_micros >= stats.last_commit_micros);
}
