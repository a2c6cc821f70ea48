//! What a run found, for people and for programs.

mod runs;

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// The result of one scenario.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// The scenario's name.
    pub scenario: &'static str,
    /// What was counted: deliveries, requests, publishes or connects; of `storm`, missed messages that were delivered.
    pub unit: &'static str,
    /// The load, in words.
    pub load: String,
    /// How many were counted.
    pub count: u64,
    /// In how many seconds; of `storm`, until the last client had all.
    pub seconds: f64,
    /// How many in each second.
    pub per_second: f64,
    /// How long each took, where that was measured; of `exp`, how long after each broadcast the last device had it; of
    /// `storm`, of the messages to those who stayed, while the others came back.
    pub latency: Option<Latency>,
    /// How long after each broadcast the last response to it was acknowledged.
    pub answered: Option<Latency>,
    /// In how many answers the deliveries came, where an answer may have several.
    pub answers: Option<u64>,
    /// What the server's process used, if it was named.
    pub cpu: Option<Cpu>,
    /// The server's memory, if its process was named and memory was measured.
    pub memory: Option<Memory>,
    /// What `storm` found besides.
    pub storm: Option<Storm>,
    /// Where there were several runs, each of them; all other figures are their medians then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Report>,
}

/// How clients came back.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Storm {
    /// How many.
    pub clients: u64,
    /// How many messages each had missed.
    pub missed: u64,
    /// Seconds until the last was connected, and greeted.
    pub connected_seconds: f64,
    /// How many that is in each second.
    pub connects_per_second: f64,
    /// Seconds until the last had what it missed, from the beginning.
    pub caught_up_seconds: f64,
    /// How long after the beginning each client had what it missed.
    pub caught_up: Latency,
    /// The latency of messages to those who stayed, before.
    pub calm: Latency,
}

/// Percentiles of latency in microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Latency {
    /// Half took no longer.
    pub p50_us: f64,
    /// Nine of ten took no longer.
    pub p90_us: f64,
    /// 99 of 100 took no longer.
    pub p99_us: f64,
    /// 999 of 1000 took no longer.
    pub p999_us: f64,
    /// The longest.
    pub max_us: f64,
}

impl Latency {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
        let max_us = histogram.max() as f64 / 1e3;
        Self { p50_us: at(0.5), p90_us: at(0.9), p99_us: at(0.99), p999_us: at(0.999), max_us }
    }

    /// Its figures, and what they are called.
    fn figures(&self) -> [(&'static str, f64); 5] {
        [
            ("p50", self.p50_us),
            ("p90", self.p90_us),
            ("p99", self.p99_us),
            ("p99.9", self.p999_us),
            ("max", self.max_us),
        ]
    }
}

/// CPU time of the server.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Cpu {
    /// Microseconds for each unit: delivery, request, publish or connect.
    pub microseconds_per_unit: f64,
    /// How many cores it kept busy.
    pub cores: f64,
}

impl Cpu {
    pub(crate) fn of(used: Duration, units: u64, measured: Duration) -> Self {
        let used = used.as_secs_f64();
        Self { microseconds_per_unit: used * 1e6 / units as f64, cores: used / measured.as_secs_f64() }
    }

    /// The same time, shared out among other units.
    pub(crate) fn for_units(self, units: u64, measured: Duration) -> Self {
        Self::of(measured.mul_f64(self.cores), units, measured)
    }
}

/// Resident memory of the server.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Memory {
    /// Before the connections were opened.
    pub bytes_before: u64,
    /// With all of them open.
    pub bytes_open: u64,
    /// After each of them has sent and received something.
    pub bytes_used: u64,
    /// The larger of the last two, less the first, for each connection.
    pub bytes_per_connection: f64,
}

/// How to print a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Table,
    Json,
}

impl Report {
    pub(crate) fn print(&self, format: Format) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match format {
            Format::Table => write!(out, "{self}")?,
            Format::Json => {
                serde_json::to_writer(&mut out, self)?;
                writeln!(out)?;
            }
        }
        out.flush()
    }
}

impl Report {
    /// The figures of the run in a line.
    pub(crate) fn summary(&self) -> String {
        let latency = self.latency.map_or_else(String::new, |latency| {
            format!(", p50 {:.1} us, p99 {:.1} us", latency.p50_us, latency.p99_us)
        });
        format!("{} {}/s{latency}", grouped(self.per_second), self.unit)
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = vec![
            Row::new(self.unit, Some(self.per_second), 0, "/s"),
            Row::new("in", Some(self.seconds), 2, "s"),
        ];
        let latencies = [
            (if self.storm.is_some() { "live " } else { "" }, self.latency),
            ("answered ", self.answered),
            ("caught up ", self.storm.map(|storm| storm.caught_up)),
            ("calm ", self.storm.map(|storm| storm.calm)),
        ];
        for (what, latency) in latencies {
            for (name, value) in latency.map(|latency| latency.figures()).into_iter().flatten() {
                rows.push(Row::new(&format!("{what}{name}"), Some(value), 1, "us"));
            }
        }
        let answers = self.answers.map(|answers| answers as f64);
        let bytes = |of: fn(&Memory) -> u64| self.memory.as_ref().map(|memory| of(memory) as f64 / 1024.0);
        rows.extend([
            Row::new("answers", answers, 0, ""),
            Row::new("connected in", self.storm.map(|storm| storm.connected_seconds), 3, "s"),
            Row::new("connects", self.storm.map(|storm| storm.connects_per_second), 0, "/s"),
            Row::new("server CPU", self.cpu.map(|cpu| cpu.microseconds_per_unit), 3, "us each"),
            Row::new("busy", self.cpu.map(|cpu| cpu.cores), 2, "cores"),
            Row::new("memory", self.memory.map(|memory| memory.bytes_per_connection), 0, "B each"),
            Row::new("resident before", bytes(|memory| memory.bytes_before), 0, "KiB"),
            Row::new("resident open", bytes(|memory| memory.bytes_open), 0, "KiB"),
            Row::new("resident used", bytes(|memory| memory.bytes_used), 0, "KiB"),
        ]);
        rows.retain(|row| row.value.is_some());
        rows
    }
}

/// A line of the table.
struct Row {
    name: String,
    value: Option<f64>,
    decimals: usize,
    unit: &'static str,
}

impl Row {
    fn new(name: &str, value: Option<f64>, decimals: usize, unit: &'static str) -> Self {
        Self { name: name.to_owned(), value, decimals, unit }
    }

    fn written(&self) -> String {
        let value = self.value.unwrap_or_default();
        if self.decimals == 0 { grouped(value) } else { format!("{value:.*}", self.decimals) }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.runs.len() {
            0 => writeln!(f, "{}: {}", self.scenario, self.load)?,
            runs => writeln!(f, "{}: {}; medians of {runs} runs", self.scenario, self.load)?,
        }
        let spread = self.spread().map(|(least, most)| (least.rows(), most.rows()));
        for (at, row) in self.rows().iter().enumerate() {
            let line = format!("  {:<18}{:>14} {:<8}", row.name, row.written(), row.unit);
            let spread = spread
                .as_ref()
                .map(|(least, most)| format!("{:>14} to {}", least[at].written(), most[at].written()));
            writeln!(f, "{}", format!("{line}{}", spread.unwrap_or_default()).trim_end())?;
        }
        Ok(())
    }
}

/// A number without decimals, its thousands set apart.
#[must_use]
pub fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut out = if number <= -0.5 { "-".to_owned() } else { String::new() };
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_table_of_what_was_measured() {
        let report = Report { scenario: "echo", unit: "requests", per_second: 1234.0, ..Report::default() };
        let table = report.to_string();
        assert!(table.starts_with("echo: \n  requests") && table.contains("1,234 /s"), "{table}");
        assert!(!table.contains("p50"), "{table}");
        let table =
            Report::of_runs(vec![report.clone(), Report { per_second: 1236.0, ..report }]).to_string();
        assert!(table.contains("medians of 2 runs") && table.contains("1,234 to 1,236"), "{table}");
    }

    #[test]
    fn groups_thousands() {
        let texts = [0.4, 999.0, 1000.0, 1_234_567.4, -1234.0].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567", "-1,234"]);
    }
}
