use std::fs;
use std::io;
use std::time::Duration;

use antiphon_tests::{Api, Metrics};

use crate::channels::LOBBIES;

/// How many clock ticks `/proc` counts in a second, on all that Linux runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// How the server is at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// Seconds since the run began.
    pub(crate) at: f64,
    /// Resident memory, in bytes, and what of it belongs to no file.
    pub(crate) resident: u64,
    pub(crate) anonymous: u64,
    pub(crate) descriptors: u64,
    pub(crate) threads: u64,
    /// How long the process has run on a processor, in seconds.
    pub(crate) processor: f64,
    /// Of `/metrics`: what ends when clients do.
    pub(crate) gauges: Gauges,
    /// Of `/metrics`: what only rises.
    pub(crate) publications: f64,
    pub(crate) deliveries: f64,
    pub(crate) accepted: f64,
    pub(crate) drops: f64,
}

/// What there is of things that end when clients do.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Gauges {
    pub(crate) connections: f64,
    pub(crate) sessions: f64,
    pub(crate) channels: f64,
    pub(crate) outbox_bytes: f64,
    pub(crate) broadcasts: f64,
    pub(crate) held: f64,
    pub(crate) queued: f64,
}

impl Gauges {
    /// What is left beyond what was there before, and beyond the channels that are meant to stay a while.
    pub(crate) fn left(&self, before: &Gauges) -> Vec<(&'static str, f64, f64)> {
        let pairs = self.named().into_iter().zip(before.named());
        let pairs = pairs.map(|((name, left), (_, first))| match name {
            "channels" => (name, left, first + LOBBIES as f64),
            _ => (name, left, first),
        });
        pairs.filter(|(_, left, most)| left > most).collect()
    }

    /// Each with its name.
    pub(crate) fn named(&self) -> [(&'static str, f64); 7] {
        [
            ("connections", self.connections),
            ("sessions", self.sessions),
            ("channels", self.channels),
            ("outbox bytes", self.outbox_bytes),
            ("broadcasts open", self.broadcasts),
            ("publications held", self.held),
            ("store queued", self.queued),
        ]
    }
}

/// How long a scrape may take.
const SCRAPE_MAX: Duration = Duration::from_secs(10);

/// Looks at the process, and asks it.
///
/// # Errors
/// There is no such process, or it does not answer.
pub(crate) async fn look(pid: u32, api: &Api, at: f64) -> io::Result<Sample> {
    let (resident, anonymous, threads) = memory(pid)?;
    let scraped = tokio::time::timeout(SCRAPE_MAX, scrape(api)).await;
    let metrics = scraped.map_err(|_| io::Error::other("/metrics does not answer"))??;
    let sum = |name: &str| {
        let family = ["", "_total", "_bytes"]
            .iter()
            .find_map(|suffix| metrics.family(&format!("antiphon_{name}{suffix}")));
        family.map_or(0.0, |family| family.samples.iter().map(|(.., value)| value).sum())
    };
    Ok(Sample {
        at,
        resident,
        anonymous,
        threads,
        descriptors: fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64,
        processor: processor(pid)?,
        gauges: Gauges {
            // The one that asks is not counted.
            connections: sum("connections") - 1.0,
            sessions: sum("sessions"),
            channels: sum("channels"),
            outbox_bytes: sum("outbox"),
            broadcasts: sum("broadcasts_open"),
            held: sum("publications_held"),
            queued: sum("store_queued"),
        },
        publications: sum("publications"),
        deliveries: sum("deliveries"),
        accepted: sum("connections_accepted"),
        drops: sum("drops"),
    })
}

async fn scrape(api: &Api) -> io::Result<Metrics> {
    // Whether it answers is asked first: a scrape panics where there is no answer.
    let answer = api.get("/metrics").try_send().await.map_err(|lost| io::Error::other(lost.0))?;
    if answer.status != 200 {
        return Err(io::Error::other(format!("/metrics answers {}", answer.status)));
    }
    Metrics::read(&answer.text()).map_err(io::Error::other)
}

/// Resident bytes, those of them that belong to no file, and threads.
fn memory(pid: u32) -> io::Result<(u64, u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let number = |line: &str| {
        let value = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
        value.and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    Ok((number("VmRSS") * 1024, number("RssAnon") * 1024, number("Threads")))
}

/// How long it has run on a processor, in seconds: `utime` and `stime` of `/proc/<pid>/stat`.
pub(crate) fn processor(pid: u32) -> io::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let ticks: f64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS_PER_SECOND)
}
