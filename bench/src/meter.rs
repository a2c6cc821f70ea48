//! What is common to the scenarios that run for a time: warm-up, counting, latency, the end.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::args::Span;
use crate::error::Error;
use crate::process::Process;
use crate::progress::Progress;
use crate::report::{Cpu, Latency, Report};

/// How long nothing may arrive, while something is due, before a run is given up.
pub(crate) const STALL: Duration = Duration::from_secs(10);

/// The longest latency that is told apart.
pub(crate) const LATENCY_MAX: Duration = Duration::from_secs(600);

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Load without counting.
    WarmUp,
    /// Load that counts.
    Measuring,
    /// No new load; what is under way must still arrive.
    Draining,
}

/// Counts units (deliveries, requests, publishes) and times them.
#[derive(Debug)]
pub(crate) struct Meter {
    phase: Phase,
    phase_began: Instant,
    span: Span,
    units_max: Option<u64>,
    units: u64,
    measured: Duration,
    latency: Histogram<u64>,
    process: Option<Process>,
    cpu_at_start: Duration,
    cpu: Option<Duration>,
    arrivals: u64,
    arrivals_seen: u64,
    arrived_at: Instant,
    progress: Progress,
}

impl Meter {
    /// Starts the warm-up of a run in which each message makes so many units.
    pub(crate) fn start(span: Span, units_per_message: u64, pid: Option<u32>) -> Self {
        let now = Instant::now();
        let latency = Histogram::new_with_bounds(1, LATENCY_MAX.as_nanos() as u64, 3)
            .expect("the bounds and digits are ones that the histogram takes");
        Self {
            phase: Phase::WarmUp,
            phase_began: now,
            span,
            units_max: span.messages.map(|messages| messages.saturating_mul(units_per_message)),
            units: 0,
            measured: Duration::ZERO,
            latency,
            process: pid.map(Process::new),
            cpu_at_start: Duration::ZERO,
            cpu: None,
            arrivals: 0,
            arrivals_seen: 0,
            arrived_at: now,
            progress: Progress::new(),
        }
    }

    /// One that counts nothing, and lets the load go on.
    pub(crate) fn idle() -> Self {
        let span = Span { warm_up: Duration::MAX, duration: Duration::MAX, messages: None };
        Self::start(span, 1, None)
    }

    /// One that counts from here on, until it is told to [`stop`](Self::stop).
    ///
    /// # Errors
    /// The process that is to be accounted for is gone.
    pub(crate) fn until_stopped(pid: Option<u32>) -> Result<Self, Error> {
        let span = Span { warm_up: Duration::ZERO, duration: Duration::MAX, messages: None };
        let mut meter = Self::start(span, 1, pid);
        meter.tick(Instant::now(), 0)?;
        Ok(meter)
    }

    /// Counts `units` that arrived, all with the same latency.
    #[inline]
    pub(crate) fn record(&mut self, latency: Duration, units: u64) {
        self.arrivals += units;
        if self.phase == Phase::WarmUp {
            return;
        }
        if self.phase == Phase::Measuring {
            self.units += units;
        }
        self.latency.saturating_record_n(latency.as_nanos() as u64, units);
    }

    /// Moves on to the phase that is due; to be called once in each turn, with what is still to arrive.
    ///
    /// # Errors
    /// Nothing arrived for too long, or the process that is accounted for is gone.
    pub(crate) fn tick(&mut self, now: Instant, outstanding: u64) -> Result<Phase, Error> {
        let elapsed = now.saturating_duration_since(self.phase_began);
        match self.phase {
            Phase::WarmUp if elapsed >= self.span.warm_up => {
                if let Some(process) = self.process {
                    self.cpu_at_start = process.cpu_time()?;
                }
                self.enter(Phase::Measuring);
            }
            Phase::Measuring
                if elapsed >= self.span.duration || self.units_max.is_some_and(|max| self.units >= max) =>
            {
                self.stop(now)?;
            }
            _ => {}
        }
        self.check_stall(now, outstanding)?;
        let (phase, units) = (self.phase, self.units);
        self.progress.show(now, || match phase {
            Phase::WarmUp => "warming up".to_owned(),
            Phase::Measuring => format!("{:.0}/s", units as f64 / elapsed.as_secs_f64()),
            Phase::Draining => format!("{outstanding} still to come"),
        });
        Ok(self.phase)
    }

    /// Ends what is measured: what is still under way is timed, and not counted.
    ///
    /// # Errors
    /// The process that is accounted for is gone.
    pub(crate) fn stop(&mut self, now: Instant) -> Result<(), Error> {
        if let Some(process) = self.process {
            self.cpu = Some(process.cpu_time()?.saturating_sub(self.cpu_at_start));
        }
        self.measured = now.saturating_duration_since(self.phase_began);
        self.enter(Phase::Draining);
        Ok(())
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.phase_began = Instant::now();
    }

    fn check_stall(&mut self, now: Instant, outstanding: u64) -> Result<(), Error> {
        if self.arrivals != self.arrivals_seen || outstanding == 0 {
            self.arrivals_seen = self.arrivals;
            self.arrived_at = now;
        } else if now.saturating_duration_since(self.arrived_at) > STALL {
            return Err(Error::Stalled { seconds: STALL.as_secs(), outstanding });
        }
        Ok(())
    }

    /// The latency of all that arrived after the warm-up.
    pub(crate) fn latency(&self) -> Latency {
        Latency::of(&self.latency)
    }

    /// Ends the run.
    pub(crate) fn finish(mut self, scenario: &'static str, unit: &'static str, load: String) -> Report {
        self.progress.clear();
        let seconds = self.measured.as_secs_f64();
        let cpu = self.cpu.filter(|_| self.units > 0).map(|cpu| Cpu::of(cpu, self.units, self.measured));
        Report {
            scenario,
            unit,
            load,
            count: self.units,
            seconds,
            per_second: self.units as f64 / seconds,
            latency: Some(Latency::of(&self.latency)),
            answered: None,
            answers: None,
            cpu,
            memory: None,
            storm: None,
            runs: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(warm_up: u64, messages: Option<u64>) -> Span {
        Span { warm_up: Duration::from_secs(warm_up), duration: Duration::from_secs(3600), messages }
    }

    #[test]
    fn counts_only_between_warm_up_and_drain_but_times_the_drain_too() {
        let mut meter = Meter::start(span(0, Some(1)), 5, None);
        let now = Instant::now();
        meter.record(Duration::from_micros(1), 100);
        assert_eq!(meter.tick(now, 1).unwrap(), Phase::Measuring);
        meter.record(Duration::from_micros(2), 5);
        assert_eq!(meter.tick(now, 1).unwrap(), Phase::Draining);
        meter.record(Duration::from_micros(900), 1);
        let report = meter.finish("s", "u", String::new());
        assert_eq!(report.count, 5);
        let latency = report.latency.unwrap();
        assert!(latency.max_us >= 899.0 && latency.p50_us < 3.0, "{latency:?}");
    }

    #[test]
    fn gives_up_only_when_something_is_due() {
        let mut meter = Meter::start(span(3600, None), 1, None);
        let late = Instant::now() + STALL * 2;
        meter.tick(late, 0).unwrap();
        meter.tick(late + STALL, 3).unwrap();
        let error = meter.tick(late + STALL * 2, 3).unwrap_err();
        assert!(matches!(error, Error::Stalled { outstanding: 3, .. }));
    }
}
