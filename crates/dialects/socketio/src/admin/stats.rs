//! Numbers, each two seconds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::json;

use super::seen::millis;
use crate::{Io, Namespace};

const INTERVAL: Duration = Duration::from_secs(2);
/// How many different counts are kept between two tellings.
const COUNTS_MAX: usize = 1000;

/// What happened since it was told last, by the second.
#[derive(Default)]
pub(super) struct Counts(Mutex<BTreeMap<Counted, u64>>);

/// The second, what happened, and why.
type Counted = (u64, &'static str, Option<&'static str>);

/// How often something happened within a second.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Count {
    timestamp: u64,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_type: Option<&'static str>,
    count: u64,
}

impl Counts {
    pub(super) fn add<const N: usize>(&self, io: &Io, more: [(&'static str, Option<&'static str>, u64); N]) {
        let second = millis(io.node().now().wall) / 1000 * 1000;
        let mut counts = self.0.lock();
        for (kind, sub_type, count) in more {
            if counts.len() < COUNTS_MAX {
                *counts.entry((second, kind, sub_type)).or_default() += count;
            }
        }
    }

    fn take(&self) -> Vec<Count> {
        let taken = std::mem::take(&mut *self.0.lock());
        let count = |((timestamp, kind, sub_type), count)| Count { timestamp, kind, sub_type, count };
        taken.into_iter().map(count).collect()
    }
}

/// Tells the numbers from here on, as long as the server runs.
pub(super) fn start(admin: Namespace, counts: Arc<Counts>, server_id: Option<String>) {
    let io = admin.io().clone();
    let Some(worker) = io.workers().ids().next() else { return };
    io.workers().run(worker, move |_| {
        tokio::task::spawn_local(async move {
            let began = std::time::Instant::now();
            let hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
            let server_id = server_id.unwrap_or_else(|| hostname.clone());
            let mut ticks = tokio::time::interval(INTERVAL);
            let mut sent = Sent::of(admin.io());
            loop {
                ticks.tick().await;
                let now = Sent::of(admin.io());
                let (deliveries, bytes) = (now.deliveries - sent.deliveries, now.bytes - sent.bytes);
                counts.add(admin.io(), [("packetsOut", None, deliveries), ("bytesOut", None, bytes)]);
                sent = now;
                let stats = stats(admin.io(), &server_id, &hostname, began.elapsed(), counts.take());
                // Without listeners it goes nowhere.
                let _ = admin.emit("server_stats", &stats);
            }
        });
    });
}

/// What has gone out so far, of all dialects: they share their sockets' writes.
struct Sent {
    deliveries: u64,
    bytes: u64,
}

impl Sent {
    fn of(io: &Io) -> Sent {
        let metrics = io.node().metrics();
        Sent { deliveries: metrics.deliveries.get(), bytes: metrics.written_bytes.get() }
    }
}

fn stats(
    io: &Io,
    server_id: &str,
    hostname: &str,
    uptime: Duration,
    counts: Vec<Count>,
) -> serde_json::Value {
    let namespaces = io
        .namespaces()
        .into_iter()
        .map(|namespace| json!({ "name": namespace.name(), "socketsCount": namespace.socket_count() }));
    json!({
        "serverId": server_id,
        "hostname": hostname,
        "pid": std::process::id(),
        "uptime": uptime.as_secs_f64(),
        "clientsCount": io.client_count(),
        "pollingClientsCount": io.polling_client_count(),
        "aggregatedEvents": counts,
        "namespaces": namespaces.collect::<Vec<_>>(),
    })
}
