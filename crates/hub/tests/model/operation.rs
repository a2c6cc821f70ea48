//! What may happen to a hub, as random sequences.

use proptest::prelude::*;
use proptest::sample::Index;

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Publish {
        chan: usize,
        hold: Option<u64>,
        except: Option<Index>,
        /// Channels whose listeners are not to get it.
        except_of: Vec<usize>,
    },
    /// To several channels, each session once: each draft excepts the listeners of those before it.
    PublishAll {
        chans: Vec<(usize, Option<u64>)>,
    },
    Settle {
        which: Index,
        keep: bool,
    },
    /// A new subscriber, of several channels at once.
    Subscribe {
        worker: u16,
        chans: Vec<(usize, Which)>,
        since: From,
        no_odd: bool,
    },
    /// One more channel, live, for a subscriber that is connected.
    Add {
        who: Index,
        chan: usize,
    },
    /// The same, from the thread of somebody else.
    AddByTask {
        who: Index,
        chan: usize,
    },
    /// A subscriber's connection breaks; it keeps the last position it has seen.
    Disconnect {
        who: Index,
    },
    Resubscribe {
        who: Index,
        worker: u16,
    },
    Unsubscribe {
        who: Index,
    },
    /// What is between two positions, of what was published until then.
    Delete {
        chan: usize,
        after: From,
        until: From,
    },
    Drain {
        worker: u16,
    },
    Recent {
        chan: usize,
        since: From,
    },
    Presence {
        chan: usize,
        who: usize,
        what: Presence,
    },
    Broadcast {
        chan: usize,
        hold: Option<u64>,
        timeout: u64,
        until: Option<usize>,
    },
    Reply {
        to: Index,
        right: Right,
    },
    ExpectReplies {
        to: Index,
        until: usize,
    },
    EndReplies {
        to: Index,
    },
    /// Both clocks go on, the wall clock by something else, perhaps backwards.
    Advance {
        millis: u64,
        wall_millis: i64,
    },
    HandleTimeout,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    Itself,
    Companion,
    Wildcard,
    WildcardCompanion,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Right {
    Channel,
    WrongChannel,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum From {
    Now,
    Zero,
    /// Any position that was given out.
    Given(Index),
    Future(u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Presence {
    Join { session: u64, state: Option<u8> },
    Leave { session: u64 },
    Lose { session: u64, millis: u64 },
    Heartbeat { millis: u64, state: Option<u8> },
    Depart,
    State(Option<u8>),
}

fn since() -> impl Strategy<Value = From> {
    prop_oneof![
        2 => Just(From::Now),
        1 => Just(From::Zero),
        6 => any::<Index>().prop_map(From::Given),
        1 => (1..1_000_000u64).prop_map(From::Future),
    ]
}

fn presence() -> impl Strategy<Value = Presence> {
    let state = || prop::option::of(0..3u8);
    prop_oneof![
        3 => (0..3u64, state()).prop_map(|(session, state)| Presence::Join { session, state }),
        2 => (0..3u64).prop_map(|session| Presence::Leave { session }),
        2 => (0..3u64, 0..4000u64).prop_map(|(session, millis)| Presence::Lose { session, millis }),
        2 => (0..4000u64, state()).prop_map(|(millis, state)| Presence::Heartbeat { millis, state }),
        1 => Just(Presence::Depart),
        1 => state().prop_map(Presence::State),
    ]
}

fn operation(chans: usize) -> impl Strategy<Value = Operation> {
    use Operation::*;
    let hold = || prop::option::weighted(0.3, 0..200u64);
    let index = any::<Index>;
    let which = prop_oneof![
        6 => Just(Which::Itself),
        2 => Just(Which::Companion),
        2 => Just(Which::Wildcard),
        1 => Just(Which::WildcardCompanion),
    ];
    let several = prop::collection::vec((0..chans, which), 1..4);
    let except_of = prop_oneof![
        4 => Just(Vec::new()),
        1 => prop::collection::vec(0..chans, 1..3),
    ];
    prop_oneof![
        24 => (0..chans, hold(), prop::option::weighted(0.2, index()), except_of)
            .prop_map(|(chan, hold, except, except_of)| Publish { chan, hold, except, except_of }),
        4 => prop::collection::vec((0..chans, hold()), 0..4).prop_map(|chans| PublishAll { chans }),
        8 => (index(), prop::bool::weighted(0.7)).prop_map(|(which, keep)| Settle { which, keep }),
        6 => (0..3u16, several, since(), prop::bool::weighted(0.3))
            .prop_map(|(worker, chans, since, no_odd)| Subscribe { worker, chans, since, no_odd }),
        2 => (index(), 0..chans).prop_map(|(who, chan)| Add { who, chan }),
        4 => (index(), 0..chans).prop_map(|(who, chan)| AddByTask { who, chan }),
        6 => index().prop_map(|who| Disconnect { who }),
        8 => (index(), 0..3u16).prop_map(|(who, worker)| Resubscribe { who, worker }),
        2 => index().prop_map(|who| Unsubscribe { who }),
        3 => (0..chans, since(), since()).prop_map(|(chan, after, until)| Delete { chan, after, until }),
        12 => (0..3u16).prop_map(|worker| Drain { worker }),
        3 => (0..chans, since()).prop_map(|(chan, since)| Recent { chan, since }),
        12 => (0..chans, 0..3usize, presence())
            .prop_map(|(chan, who, what)| Presence { chan, who, what }),
        3 => (0..chans, hold(), 0..3000u64, prop::option::of(0..4usize))
            .prop_map(|(chan, hold, timeout, until)| Broadcast { chan, hold, timeout, until }),
        6 => (index(), prop_oneof![5 => Just(Right::Channel), 1 => Just(Right::WrongChannel)])
            .prop_map(|(to, right)| Reply { to, right }),
        2 => (index(), 0..4usize).prop_map(|(to, until)| ExpectReplies { to, until }),
        1 => index().prop_map(|to| EndReplies { to }),
        10 => (prop_oneof![0..300u64, 1000..8000u64], prop_oneof![0..300i64, -5000..8000i64])
            .prop_map(|(millis, wall_millis)| Advance { millis, wall_millis }),
        8 => Just(HandleTimeout),
    ]
}

/// Sequences of operations on this many channels.
pub(crate) fn operations(chans: usize) -> impl Strategy<Value = Vec<Operation>> {
    prop::collection::vec(operation(chans), 1..160)
}
