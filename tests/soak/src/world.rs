use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use antiphon_tests::Api;
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::channels::Channels;
use crate::ledger::{Ledger, Moment};

/// For how long after a restart connections that broke off need no other cause.
const RECOVERY: Moment = 15_000_000_000;

/// How many faults are kept with their words; more are only counted.
const FAULTS_MAX: usize = 200;

/// What clients are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// They come, talk, and go.
    Talking,
    /// Nobody says anything more; all are there, and hear what is on its way.
    Listening,
    /// They leave for good.
    Over,
}

/// What all clients share: where the server is, who said what, and what is counted.
pub(crate) struct World {
    pub(crate) api: Api,
    pub(crate) ledger: Ledger,
    pub(crate) channels: Channels,
    phase: watch::Sender<Phase>,
    began: Instant,
    /// When the server was last started again, and until when that excuses what breaks off.
    restarted: AtomicU64,
    excused_until: AtomicU64,
    counts: Mutex<BTreeMap<String, u64>>,
    faults: Mutex<Vec<String>>,
    fault_count: AtomicU64,
    /// Connections that are neither read nor closed, until somebody notices.
    remains: Mutex<Vec<(Instant, Box<dyn Any + Send>)>>,
    /// From sending to hearing, in microseconds.
    latencies: Mutex<Histogram<u64>>,
}

impl World {
    pub(crate) fn new(api: Api, channels: Channels) -> Arc<World> {
        Arc::new(World {
            api,
            channels,
            ledger: Ledger::default(),
            phase: watch::channel(Phase::Talking).0,
            began: Instant::now(),
            restarted: AtomicU64::new(0),
            excused_until: AtomicU64::new(0),
            counts: Mutex::default(),
            faults: Mutex::default(),
            fault_count: AtomicU64::new(0),
            remains: Mutex::default(),
            latencies: Mutex::new(Histogram::new(2).expect("two digits are few enough")),
        })
    }

    pub(crate) fn now(&self) -> Moment {
        self.began.elapsed().as_nanos() as Moment
    }

    pub(crate) fn seconds(&self) -> u64 {
        self.began.elapsed().as_secs()
    }

    pub(crate) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// What follows breaks off, because the server is about to be killed.
    pub(crate) fn disturb(&self) {
        self.restarted.store(self.now(), Ordering::Relaxed);
        self.excused_until.store(Moment::MAX, Ordering::Relaxed);
    }

    /// The server is there again.
    pub(crate) fn calm(&self) {
        let now = self.now();
        self.restarted.store(now, Ordering::Relaxed);
        self.excused_until.store(now + RECOVERY, Ordering::Relaxed);
    }

    /// Whether what broke off just now has the server's restart for a cause.
    pub(crate) fn is_excused(&self) -> bool {
        self.now() < self.excused_until.load(Ordering::Relaxed)
    }

    /// When the server was last killed or started again.
    pub(crate) fn restarted(&self) -> Option<Moment> {
        Some(self.restarted.load(Ordering::Relaxed)).filter(|moment| *moment > 0)
    }

    pub(crate) fn count(&self, what: &str) {
        self.add(what, 1);
    }

    pub(crate) fn add(&self, what: &str, more: u64) {
        let mut counts = self.counts.lock();
        match counts.get_mut(what) {
            Some(count) => *count += more,
            None => {
                counts.insert(what.to_owned(), more);
            }
        }
    }

    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        self.counts.lock().clone()
    }

    /// Something is wrong.
    pub(crate) fn fault(&self, who: &str, what: impl std::fmt::Display) {
        let text = format!("{:.1} s, {who}: {what}", self.began.elapsed().as_secs_f64());
        self.fault_count.fetch_add(1, Ordering::Relaxed);
        let mut faults = self.faults.lock();
        if faults.len() < FAULTS_MAX {
            eprintln!("FAULT after {text}");
            faults.push(text);
        }
    }

    pub(crate) fn faults(&self) -> (u64, Vec<String>) {
        (self.fault_count.load(Ordering::Relaxed), self.faults.lock().clone())
    }

    /// A message that was sent at this moment was heard.
    pub(crate) fn heard(&self, sent: Moment) {
        let micros = self.now().saturating_sub(sent) / 1000;
        // It grows with what is recorded, so nothing is out of its range.
        let _ = self.latencies.lock().record(micros);
    }

    /// The latency that so many percent do not exceed.
    pub(crate) fn latency(&self, percent: f64) -> Duration {
        Duration::from_micros(self.latencies.lock().value_at_percentile(percent))
    }

    /// Keeps a connection, which nobody reads or closes, for a while.
    pub(crate) fn leave_behind(&self, connection: impl Any + Send, duration: Duration) {
        self.remains.lock().push((Instant::now() + duration, Box::new(connection)));
    }

    /// Closes what was left behind for long enough; how much is left.
    pub(crate) fn sweep(&self) -> usize {
        let now = Instant::now();
        let mut remains = self.remains.lock();
        let (kept, gone) = remains.drain(..).partition(|(until, _)| *until > now);
        *remains = kept;
        let left = remains.len();
        drop(remains);
        drop::<Vec<_>>(gone);
        left
    }

    /// Closes all that was left behind.
    pub(crate) fn bury(&self) {
        let gone = std::mem::take(&mut *self.remains.lock());
        drop(gone);
    }
}
