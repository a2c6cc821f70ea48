//! What a run found, for people and for programs.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// The result of one scenario.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The scenario's name.
    pub scenario: &'static str,
    /// What was counted: deliveries, requests, publishes or connects.
    pub unit: &'static str,
    /// The load, in words.
    pub load: String,
    /// How many were counted.
    pub count: u64,
    /// In how many seconds.
    pub seconds: f64,
    /// How many in each second.
    pub per_second: f64,
    /// How long each took, where that was measured; of `exp`, how long after each broadcast the last device had it.
    pub latency: Option<Latency>,
    /// How long after each broadcast the last response to it was acknowledged.
    pub answered: Option<Latency>,
    /// In how many answers the deliveries came, where an answer may have several.
    pub answers: Option<u64>,
    /// What the server's process used, if it was named.
    pub cpu: Option<Cpu>,
    /// The server's memory, if its process was named and memory was measured.
    pub memory: Option<Memory>,
}

/// Percentiles of latency in microseconds.
#[derive(Debug, Clone, Copy, Serialize)]
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

    fn write(&self, what: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, microseconds) in [
            ("p50", self.p50_us),
            ("p90", self.p90_us),
            ("p99", self.p99_us),
            ("p99.9", self.p999_us),
            ("max", self.max_us),
        ] {
            writeln!(f, "  {:<15}{microseconds:>11.1} us", format!("{what}{name}"))?;
        }
        Ok(())
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
}

/// Resident memory of the server.
#[derive(Debug, Clone, Copy, Serialize)]
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

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.scenario, self.load)?;
        let total = format!("({} in {:.2} s)", grouped(self.count as f64), self.seconds);
        writeln!(f, "  {:<12}{:>14} /s   {total}", self.unit, grouped(self.per_second))?;
        if let Some(latency) = &self.latency {
            latency.write("", f)?;
        }
        if let Some(answered) = &self.answered {
            answered.write("answered ", f)?;
        }
        if let Some(answers) = self.answers {
            writeln!(f, "  {:<12}{:>14}", "answers", grouped(answers as f64))?;
        }
        if let Some(cpu) = &self.cpu {
            writeln!(
                f,
                "  {:<12}{:>14.3} us   ({:.2} cores)",
                "server CPU", cpu.microseconds_per_unit, cpu.cores
            )?;
        }
        if let Some(memory) = &self.memory {
            let kib = |bytes: u64| grouped((bytes >> 10) as f64);
            writeln!(f, "  {:<12}{:>14} B each", "memory", grouped(memory.bytes_per_connection))?;
            writeln!(
                f,
                "  {:<12}{:>14} KiB before, {} KiB open, {} KiB used",
                "resident",
                kib(memory.bytes_before),
                kib(memory.bytes_open),
                kib(memory.bytes_used)
            )?;
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
    fn groups_thousands() {
        let texts = [0.4, 999.0, 1000.0, 1_234_567.4, -1234.0].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567", "-1,234"]);
    }
}
