//! The clients of each dialect.

mod administrator;
mod exp;
mod native;
mod pubnub;
mod raw;
mod slow;
mod socketio;
mod stream;
mod v1;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use antiphon_tests::Technique;

use crate::client::Client;
use crate::life::{Pace, live};
use crate::random::Random;
use crate::world::World;

pub(crate) use administrator::administrate;
pub(crate) use slow::{feed, read_slowly};

/// A sort of client, and how many of a hundred are of it.
struct Kind {
    name: &'static str,
    percent: usize,
    make: fn(&Arc<World>, Random) -> Box<dyn Client>,
}

const KINDS: &[Kind] = &[
    Kind { name: "v1", percent: 16, make: |world, random| Box::new(v1::V1Client::new(world, random)) },
    Kind { name: "raw", percent: 6, make: |world, random| Box::new(raw::RawClient::new(world, random)) },
    Kind { name: "sse", percent: 10, make: |world, random| stream(world, random, Technique::Sse) },
    Kind { name: "ndjson", percent: 6, make: |world, random| stream(world, random, Technique::Ndjson) },
    Kind {
        name: "longpoll",
        percent: 6,
        make: |world, random| stream(world, random, Technique::LongPolling),
    },
    Kind { name: "poll", percent: 2, make: |world, random| stream(world, random, Technique::Polling) },
    Kind {
        name: "sio5.websocket",
        percent: 8,
        make: |world, random| Box::new(socketio::SocketIoClient::new(world, random, wire::Way::Socket, 4)),
    },
    Kind {
        name: "sio5.polling",
        percent: 5,
        make: |world, random| Box::new(socketio::SocketIoClient::new(world, random, wire::Way::Polling, 4)),
    },
    Kind {
        name: "sio5.upgrade",
        percent: 8,
        make: |world, random| Box::new(socketio::SocketIoClient::new(world, random, wire::Way::Upgrade, 4)),
    },
    Kind {
        name: "sio4.websocket",
        percent: 4,
        make: |world, random| Box::new(socketio::SocketIoClient::new(world, random, wire::Way::Socket, 3)),
    },
    Kind {
        name: "sio4.upgrade",
        percent: 4,
        make: |world, random| Box::new(socketio::SocketIoClient::new(world, random, wire::Way::Upgrade, 3)),
    },
    Kind { name: "exp", percent: 9, make: |world, random| Box::new(exp::ExpClient::new(world, random)) },
    Kind {
        name: "pubnub",
        percent: 16,
        make: |world, random| Box::new(pubnub::PubnubClient::new(world, random)),
    },
];

fn stream(world: &Arc<World>, random: Random, technique: Technique) -> Box<dyn Client> {
    Box::new(stream::StreamClient::new(world, random, technique))
}

/// Starts so many clients of all kinds, at least one of each. They end when all is over.
pub(crate) fn start(
    world: &Arc<World>,
    clients: usize,
    says: Duration,
    seed: u64,
) -> tokio::task::JoinSet<()> {
    let mut tasks = tokio::task::JoinSet::new();
    let mut who = 0;
    for kind in KINDS {
        for number in 0..(clients * kind.percent / 100).max(1) {
            who += 1;
            let mut random = Random::new(seed, who);
            let pace = Pace {
                says,
                chores: Duration::from_secs(6),
                stays: random.between(Duration::from_secs(2), Duration::from_secs(40)),
                channels: if random.chance(20) { 8 } else { 3 },
            };
            let client = (kind.make)(world, Random::new(seed, who + 1_000_000));
            tasks.spawn(live(
                Arc::clone(world),
                format!("{}-{number}.{seed:x}", kind.name),
                client,
                random,
                pace,
            ));
        }
    }
    tasks
}
