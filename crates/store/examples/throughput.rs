//! Measures how many publications a second the SQLite backend stores, and what that takes of a processor.
//!
//! `cargo run --release -p antiphon-store --example throughput -- [entries] [directory]`

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use antiphon_model::{
    ChannelFlags, ChannelId, Draft, OrgId, Payload, Position, Publication, RawJson, Timestamp,
};
use antiphon_store::{Entry, Query, Range, SqliteStore, Store, StoreSettings, system_clock};

struct Load {
    name: &'static str,
    channels: usize,
    keyed: bool,
    expires: bool,
    keep: Option<u64>,
    /// Entries a second; none is as fast as the queue takes them.
    rate: Option<u64>,
}

const LOADS: &[Load] = &[
    Load { name: "one channel", channels: 1, keyed: false, expires: false, keep: None, rate: None },
    Load { name: "100 channels", channels: 100, keyed: false, expires: false, keep: None, rate: None },
    Load {
        name: "100 channels, expiring",
        channels: 100,
        keyed: false,
        expires: true,
        keep: None,
        rate: None,
    },
    Load {
        name: "100 channels, keep 100",
        channels: 100,
        keyed: false,
        expires: false,
        keep: Some(100),
        rate: None,
    },
    Load { name: "100 channels, keyed", channels: 100, keyed: true, expires: false, keep: None, rate: None },
    Load { name: "10,000 channels", channels: 10_000, keyed: false, expires: false, keep: None, rate: None },
    Load {
        name: "100 channels, 5,000/s",
        channels: 100,
        keyed: false,
        expires: false,
        keep: None,
        rate: Some(5_000),
    },
];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let entries = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let directory = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    println!(
        "{:<24} {:>10} {:>8} {:>9} {:>9} {:>9}",
        "", "entries/s", "cpu s", "groups", "mean µs", "max ms"
    );
    for (n, load) in LOADS.iter().enumerate() {
        let directory = directory.join(format!("antiphon-throughput-{}-{n}", std::process::id()));
        measure(load, load.rate.map_or(entries, |rate| entries.min(rate * 3)), &directory);
        if let Err(error) = std::fs::remove_dir_all(&directory) {
            eprintln!("{} is left behind: {error}", directory.display());
        }
    }
}

fn measure(load: &Load, entries: u64, directory: &std::path::Path) {
    let store = SqliteStore::open(directory, &StoreSettings::default()).expect("the store opens");
    let prepared = prepare(load, entries);
    let slowest = Arc::new(AtomicU64::new(0));
    let (cpu, start) = (cpu_time(), Instant::now());
    for (n, entry) in (0..).zip(prepared) {
        match load.rate {
            Some(rate) => pause_until(start + Duration::from_nanos(n * 1_000_000_000 / rate)),
            None => {
                while store.queue_len() > 50_000 {
                    thread::sleep(Duration::from_millis(5));
                }
            }
        }
        let (queued, slowest) = (Instant::now(), slowest.clone());
        let done = move |outcome: Result<_, _>| {
            outcome.expect("it is stored");
            slowest.fetch_max(queued.elapsed().as_micros() as u64, Relaxed);
        };
        store.append(entry, Box::new(done));
    }
    while store.queue_len() > 0 {
        thread::sleep(Duration::from_millis(1));
    }
    let (took, cpu) = (start.elapsed().as_secs_f64(), cpu_time() - cpu);
    let stats = store.stats();
    println!(
        "{:<24} {:>10.0} {cpu:>8.2} {:>9} {:>9} {:>9.1}",
        load.name,
        entries as f64 / took,
        stats.groups,
        stats.total_commit_micros / stats.groups.max(1),
        slowest.load(Relaxed) as f64 / 1000.0,
    );
    read_back(&store);
}

fn prepare(load: &Load, entries: u64) -> Vec<Entry> {
    let org = OrgId::new("bench");
    let channels: Vec<Arc<ChannelId>> = (0..load.channels)
        .map(|n| Arc::new(ChannelId::new(&format!("room-{n}"), ChannelFlags::NONE).expect("a valid name")))
        .collect();
    let payload = RawJson::from_serializer(format!("{{\"text\":\"{}\"}}", "x".repeat(64)));
    let start = system_clock()().0;
    (0..entries)
        .map(|n| {
            // Scattered, as the channels of a busy server are.
            let channel = &channels[(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as usize % channels.len()];
            let publication: Publication =
                Draft::new(channel.clone(), Payload::Json(payload.clone())).at(Position(start + n));
            Entry {
                org: org.clone(),
                publication: Arc::new(publication),
                idempotency_key: load.keyed.then(|| format!("key-{n}").into()),
                expires: load.expires.then_some(Timestamp(start + n + 3600 * Timestamp::PER_SECOND)),
                keep: load.keep,
            }
        })
        .collect()
}

fn read_back(store: &SqliteStore) {
    let room = Arc::new(ChannelId::new("room-0", ChannelFlags::NONE).expect("a valid name"));
    let query = Query {
        org: OrgId::new("bench"),
        channel: room,
        range: Range::Newest,
        limit: 100,
        now: Timestamp(0),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let start = Instant::now();
    for _ in 0..1_000 {
        runtime.block_on(store.read(query.clone())).expect("it can be read");
    }
    println!("{:<24} {:>10.0} pages of 100/s", "", 1_000.0 / start.elapsed().as_secs_f64());
}

fn pause_until(at: Instant) {
    let now = Instant::now();
    if at > now {
        thread::sleep(at - now);
    }
}

/// Processor time of this process so far in seconds, where the system tells it this way; else 0.
fn cpu_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}
