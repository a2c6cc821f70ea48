use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::plot;
use crate::run::Options;
use crate::slope::{Line, line};
use crate::watch::Sample;
use crate::world::World;

const MIB: f64 = 1024.0 * 1024.0;

/// From how long a run on the slope of the memory is judged: before, it says more about the warm-up.
const SLOPE_JUDGED_FROM: Duration = Duration::from_secs(1200);

/// Which part of a run is its warm-up. Presence events are kept for ten minutes, and the allocator's arenas take as long to
/// become as large as they get.
const WARM_UP: f64 = 0.4;

/// How much of a processor a server may take while nobody is there.
const IDLE_MAX: f64 = 0.03;

/// How many descriptors more than at first may be open: connections to the database are opened when they are needed.
const DESCRIPTORS_MORE: u64 = 4;

/// What has to be counted at least once, else a part of the load was not there.
const SEEN: &[&str] = &[
    "connections resumed",
    "publications repeated",
    "tokens minted",
    "replies given",
    "replies collected",
    "responses collected",
    "sockets recovered",
    "upgrades",
    "logins",
    "presence events heard",
    "presences by PUT",
    "histories read",
    "histories deleted",
    "channel groups made",
    "heartbeats",
    "actions added and removed",
    "files sent, fetched and deleted",
    "credentials added and revoked",
    "visits of slow readers",
];

/// What a run came to.
pub struct Report {
    pub(crate) options: Options,
    pub(crate) before: Rest,
    pub(crate) stages: Vec<Stage>,
    pub(crate) log: Vec<String>,
}

/// The server while nobody is there.
pub(crate) struct Rest {
    pub(crate) sample: Sample,
    /// How much of a processor it takes.
    pub(crate) idle: f64,
    /// How many seconds it took until all was gone.
    pub(crate) settled_after: f64,
}

/// A part of the run.
pub(crate) struct Stage {
    name: &'static str,
    seconds: f64,
    samples: Vec<Sample>,
    counts: BTreeMap<String, u64>,
    fault_count: u64,
    faults: Vec<String>,
    latency: [Duration; 3],
    left_behind: usize,
    pub(crate) after: Rest,
}

impl Stage {
    pub(crate) fn new(
        name: &'static str,
        world: &World,
        samples: Vec<Sample>,
        seconds: f64,
        left_behind: usize,
    ) -> Stage {
        let (fault_count, faults) = world.faults();
        Stage {
            name,
            seconds,
            samples,
            counts: world.counts(),
            fault_count,
            faults,
            latency: [50.0, 99.0, 100.0].map(|percent| world.latency(percent)),
            left_behind,
            after: Rest { sample: Sample::default(), idle: 0.0, settled_after: 0.0 },
        }
    }

    /// The line through the resident memory after the warm-up, in MiB over minutes, and from when to when it is.
    fn slope(&self) -> Option<(Line, f64, f64)> {
        let (from, to) = (self.seconds * WARM_UP, self.seconds);
        let steady = self.samples.iter().filter(|sample| (from..=to).contains(&sample.at));
        let points: Vec<_> = steady.map(|sample| (sample.at / 60.0, sample.resident as f64 / MIB)).collect();
        Some((line(&points)?, from / 60.0, to / 60.0))
    }

    /// How much more there is each second, over all processes that counted it.
    fn mean(&self, value: fn(&Sample) -> f64) -> f64 {
        let steps = self.samples.windows(2).map(|pair| (value(&pair[1]) - value(&pair[0])).max(0.0));
        match (self.samples.first(), self.samples.last()) {
            (Some(first), Some(last)) if last.at > first.at => steps.sum::<f64>() / (last.at - first.at),
            _ => 0.0,
        }
    }
}

impl Report {
    /// Whether nothing was wrong.
    pub fn is_fine(&self) -> bool {
        self.wrong().is_empty()
    }

    /// What was wrong, for a person to read.
    fn wrong(&self) -> Vec<String> {
        let mut wrong = self.log.iter().map(|line| format!("the server's log: {line}")).collect::<Vec<_>>();
        for stage in &self.stages {
            let name = stage.name;
            if stage.fault_count > 0 {
                wrong.push(format!(
                    "{name}: {} faults, the first: {:?}",
                    stage.fault_count,
                    stage.faults.first()
                ));
            }
            self.check_rest(stage, &mut wrong);
        }
        let Some(steady) = self.stages.first() else { return wrong };
        if self.is_long() {
            if let Some((line, ..)) = steady.slope()
                && line.slope * MIB > self.options.slope_max
            {
                wrong.push(format!("memory rises by {:.0} KiB a minute", line.slope * 1024.0));
            }
            let unseen = SEEN.iter().filter(|what| !steady.counts.contains_key(**what));
            wrong.extend(unseen.map(|what| format!("there were no {what}")));
            if !steady.counts.contains_key("slow readers cut off") {
                wrong.push("no slow reader was cut off".into());
            }
        }
        wrong
    }

    fn is_long(&self) -> bool {
        self.options.parts.first().is_some_and(|part| part.talk >= SLOPE_JUDGED_FROM)
    }

    /// What is left of the clients of a stage must be nothing.
    fn check_rest(&self, stage: &Stage, wrong: &mut Vec<String>) {
        let (name, after, before) = (stage.name, &stage.after, &self.before);
        for (what, left, most) in after.sample.gauges.left(&before.sample.gauges) {
            wrong.push(format!("{name}: {left} {what} are left, {most} may be"));
        }
        if after.sample.descriptors > before.sample.descriptors + DESCRIPTORS_MORE {
            let (left, first) = (after.sample.descriptors, before.sample.descriptors);
            wrong.push(format!("{name}: {left} file descriptors are left, {first} were open before"));
        }
        if after.sample.threads > before.sample.threads {
            let (left, first) = (after.sample.threads, before.sample.threads);
            wrong.push(format!("{name}: {left} threads are left, {first} were there before"));
        }
        if after.idle > IDLE_MAX {
            wrong.push(format!("{name}: the idle server takes {:.1} % of a core", after.idle * 100.0));
        }
    }

    /// The result as JSON.
    pub fn json(&self) -> String {
        let stages: Vec<_> = self.stages.iter().map(|stage| self.stage_json(stage)).collect();
        let whole = json!({
            "seed": self.options.seed, "clients": self.options.clients, "fine": self.is_fine(), "wrong": self.wrong(),
            "slope_bytes_per_minute_max": self.options.slope_max, "before": rest_json(&self.before), "stages": stages,
        });
        format!("{whole:#}\n")
    }

    fn stage_json(&self, stage: &Stage) -> Value {
        let slope = stage.slope().map(|(line, ..)| line.slope * MIB);
        let every = stage.samples.len().div_ceil(300).max(1);
        let samples: Vec<_> = stage.samples.iter().step_by(every).map(sample_json).collect();
        json!({
            "name": stage.name, "seconds": stage.seconds, "slope_bytes_per_minute": slope, "counts": stage.counts,
            "fault_count": stage.fault_count, "faults": stage.faults, "left_behind": stage.left_behind,
            "latency_ms": stage.latency.map(|latency| latency.as_secs_f64() * 1e3),
            "after": rest_json(&stage.after), "samples": samples,
        })
    }

    /// Memory and descriptors over time, as SVG.
    pub fn plot(&self) -> String {
        self.stages.first().map(|steady| plot::svg(&steady.samples, steady.slope())).unwrap_or_default()
    }
}

fn rest_json(rest: &Rest) -> Value {
    let mut json = sample_json(&rest.sample);
    json["idle"] = rest.idle.into();
    json["settled_after_seconds"] = rest.settled_after.into();
    json
}

fn sample_json(sample: &Sample) -> Value {
    let gauges: BTreeMap<_, _> = sample.gauges.named().into_iter().collect();
    json!({
        "at": sample.at, "resident": sample.resident, "anonymous": sample.anonymous, "descriptors": sample.descriptors,
        "threads": sample.threads, "processor": sample.processor, "drops": sample.drops, "gauges": gauges,
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nseed {}, {} clients", self.options.seed, self.options.clients)?;
        for stage in &self.stages {
            writeln!(f, "\n{} ({} s)", stage.name, stage.seconds)?;
            for (what, count) in &stage.counts {
                writeln!(f, "  {count:>10} {what}")?;
            }
            let [half, most, all] = stage.latency.map(|latency| latency.as_secs_f64() * 1e3);
            writeln!(f, "  sent to heard: {half:.1} ms (50 %), {most:.1} ms (99 %), {all:.0} ms (most)")?;
            writeln!(
                f,
                "  {:.0} publications/s, {:.0} deliveries/s, {:.0} connects/s, {:.0} % of a core",
                stage.mean(|sample| sample.publications),
                stage.mean(|sample| sample.deliveries),
                stage.mean(|sample| sample.accepted),
                100.0 * stage.mean(|sample| sample.processor)
            )?;
            if let Some((line, from, to)) = stage.slope()
                && !stage.counts.contains_key("kills")
            {
                writeln!(
                    f,
                    "  memory from minute {from:.1} to {to:.1}: {:.1} MiB and {:+.1} KiB a minute",
                    line.at_zero + line.slope * from,
                    line.slope * 1024.0
                )?;
            }
            write_rest(f, "before", &self.before)?;
            write_rest(f, "after", &stage.after)?;
            writeln!(f, "  nothing was left after {:.0} s", stage.after.settled_after)?;
            for fault in stage.faults.iter().take(30) {
                writeln!(f, "  FAULT {fault}")?;
            }
        }
        let wrong = self.wrong();
        writeln!(f, "\n{}", if wrong.is_empty() { "all is well" } else { "WRONG:" })?;
        wrong.iter().try_for_each(|wrong| writeln!(f, "  {wrong}"))
    }
}

fn write_rest(f: &mut fmt::Formatter<'_>, when: &str, rest: &Rest) -> fmt::Result {
    let gauges: Vec<_> =
        rest.sample.gauges.named().iter().map(|(name, value)| format!("{value} {name}")).collect();
    writeln!(
        f,
        "  {when:>6}: {:.1} MiB, {} descriptors, {} threads, {:.1} % of a core, {}",
        rest.sample.resident as f64 / MIB,
        rest.sample.descriptors,
        rest.sample.threads,
        rest.idle * 100.0,
        gauges.join(", ")
    )
}
