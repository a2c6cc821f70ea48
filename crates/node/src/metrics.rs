//! What operators measure, in Prometheus's text format.

mod striped;

use std::fmt::Write;

use antiphon_store::StoreStats;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

pub use self::striped::{Histogram, Striped};

use crate::Node;

/// A label with the protocol of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Protocol {
    /// `websocket`, `antiphon.v1`, `sse` and so on.
    pub protocol: &'static str,
}

/// A label with the reason why something was dropped or closed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Reason {
    /// One of few words.
    pub reason: &'static str,
}

/// A node's counters. Each is cheap to add to from any thread.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Sessions open, by protocol.
    pub sessions: Family<Protocol, Gauge>,
    /// TCP connections open.
    pub connections: Gauge,
    /// TCP connections accepted.
    pub accepted: Counter,
    /// Publications taken.
    pub publications: striped::Counter,
    /// Publications put into outboxes, counted for each subscriber.
    pub deliveries: striped::Counter,
    /// Replies collected.
    pub replies: Counter,
    /// Publications that could not be stored.
    pub not_stored: Counter,
    /// Deliveries that a full outbox lost, and sessions closed for it, by reason.
    pub drops: Family<Reason, Counter>,
    /// Bytes written from outboxes to WebSockets.
    pub written_bytes: striped::Counter,
    /// Bytes in outboxes.
    pub outbox_bytes: striped::Gauge,
    /// From publish to the write on the socket.
    pub delivery_seconds: Histogram,
    channels: Gauge,
    held: Gauge,
    broadcasts: Gauge,
    store_queued: Gauge,
    memory: Gauge,
    overloaded: Gauge,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut registry = Registry::with_prefix("antiphon");
        let delivery_seconds = Histogram::new([
            0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0,
            5.0,
        ]);
        let mut metrics = Metrics {
            registry: Registry::default(),
            sessions: Family::default(),
            connections: Gauge::default(),
            accepted: Counter::default(),
            publications: striped::Counter::default(),
            deliveries: striped::Counter::default(),
            replies: Counter::default(),
            not_stored: Counter::default(),
            drops: Family::default(),
            written_bytes: striped::Counter::default(),
            outbox_bytes: striped::Gauge::default(),
            delivery_seconds,
            channels: Gauge::default(),
            held: Gauge::default(),
            broadcasts: Gauge::default(),
            store_queued: Gauge::default(),
            memory: Gauge::default(),
            overloaded: Gauge::default(),
        };
        registry.register("sessions", "Sessions open, by protocol", metrics.sessions.clone());
        registry.register("connections", "TCP connections open", metrics.connections.clone());
        registry.register("connections_accepted", "TCP connections accepted", metrics.accepted.clone());
        registry.register("publications", "Publications taken", metrics.publications.clone());
        registry.register("deliveries", "Publications put into outboxes", metrics.deliveries.clone());
        registry.register("replies", "Replies collected for broadcasts", metrics.replies.clone());
        registry.register(
            "publications_not_stored",
            "Publications the store refused",
            metrics.not_stored.clone(),
        );
        registry.register("drops", "Deliveries lost or sessions closed, by reason", metrics.drops.clone());
        let written = metrics.written_bytes.clone();
        registry.register_with_unit("written", "Written to WebSockets", Unit::Bytes, written);
        registry.register_with_unit("outbox", "In outboxes", Unit::Bytes, metrics.outbox_bytes.clone());
        registry.register_with_unit(
            "delivery",
            "From publish to the write on the socket",
            Unit::Seconds,
            metrics.delivery_seconds.clone(),
        );
        registry.register("channels", "Channels in memory", metrics.channels.clone());
        registry.register(
            "publications_held",
            "Publications that wait for their commit",
            metrics.held.clone(),
        );
        registry.register("broadcasts_open", "Broadcasts collecting replies", metrics.broadcasts.clone());
        registry.register("store_queued", "Entries that wait for the store", metrics.store_queued.clone());
        registry.register_with_unit("memory", "Memory in use", Unit::Bytes, metrics.memory.clone());
        let overloaded = metrics.overloaded.clone();
        registry.register("overloaded", "1 while new work is refused for want of memory", overloaded);
        metrics.registry = registry;
        metrics
    }
}

impl Metrics {
    /// Everything in Prometheus's text format.
    pub fn render(&self, node: &Node) -> String {
        let stats: Vec<_> = node.orgs().map(|org| org.hub.stats()).collect();
        self.channels.set(stats.iter().map(|org| org.channels as i64).sum());
        self.held.set(stats.iter().map(|org| org.held as i64).sum());
        self.broadcasts.set(stats.iter().map(|org| org.broadcasts as i64).sum());
        self.store_queued.set(node.store().queue_len() as i64);
        self.memory.set(i64::try_from(node.overload().used()).unwrap_or(i64::MAX));
        self.overloaded.set(i64::from(node.overload().is_over()));
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        let end = text.trim_end().trim_end_matches("# EOF").len();
        text.truncate(end);
        let _ = render_store(&mut text, &node.store().stats());
        text.push_str("# EOF\n");
        text
    }
}

/// The store counts for itself; its numbers are written as they are.
fn render_store(text: &mut String, stats: &StoreStats) -> std::fmt::Result {
    let counters = [
        ("committed", "Entries committed", stats.committed),
        ("failed", "Entries that failed", stats.failed),
        ("groups", "Groups committed", stats.groups),
    ];
    for (name, help, value) in counters {
        writeln!(text, "# HELP antiphon_store_{name} {help}.")?;
        writeln!(text, "# TYPE antiphon_store_{name} counter")?;
        writeln!(text, "antiphon_store_{name}_total {value}")?;
    }
    let seconds = |micros: u64| micros as f64 / 1e6;
    writeln!(text, "# HELP antiphon_store_commit_seconds Time spent on commits.")?;
    writeln!(text, "# TYPE antiphon_store_commit_seconds counter")?;
    writeln!(text, "antiphon_store_commit_seconds_total {}", seconds(stats.total_commit_micros))?;
    writeln!(text, "# HELP antiphon_store_last_commit_seconds How long the last commit took.")?;
    writeln!(text, "# TYPE antiphon_store_last_commit_seconds gauge")?;
    writeln!(text, "antiphon_store_last_commit_seconds {}", seconds(stats.last_commit_micros))
}
