//! What of a report is shown, and what is aimed at.

use antiphon_bench::{Latency, Report, grouped};

use super::subject::Subject;

/// A figure of a report.
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) value: fn(&Report) -> Option<f64>,
    pub(super) decimals: usize,
    pub(super) better: Better,
    /// All of them are to be met. None: it is there to explain the others, as CPU time does, which holds still where a busy
    /// machine makes rates swing.
    pub(super) goals: &'static [Goal],
}

/// Which of two figures is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Better {
    More,
    Less,
}

/// What a figure should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// At least so many times what another server makes of it.
    TimesAtLeast(f64, Subject),
    /// At most so many times what another server makes of it.
    TimesAtMost(f64, Subject),
    /// One of both is enough.
    Either(&'static Goal, &'static Goal),
}

impl Goal {
    /// Whether it is met; `None` when what it takes to say so was not measured.
    pub(super) fn is_met(self, median: &impl Fn(Subject) -> Option<f64>) -> Option<bool> {
        let ours = median(Subject::Antiphon)?;
        match self {
            Self::AtLeast(goal) => Some(ours >= goal),
            Self::AtMost(goal) => Some(ours <= goal),
            Self::TimesAtLeast(times, other) => median(other).map(|theirs| ours >= times * theirs),
            Self::TimesAtMost(times, other) => median(other).map(|theirs| ours <= times * theirs),
            Self::Either(one, other) => match (one.is_met(median), other.is_met(median)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
        }
    }

    pub(super) fn show(self) -> String {
        match self {
            Self::AtLeast(goal) => format!("≥ {}", number(goal)),
            Self::AtMost(goal) => format!("≤ {}", number(goal)),
            Self::TimesAtLeast(times, other) => format!("≥ {times} × {}", other.heading()),
            Self::TimesAtMost(times, other) => format!("≤ {times} × {}", other.heading()),
            Self::Either(one, other) => format!("{} or {}", one.show(), other.show()),
        }
    }
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 { grouped(value) } else { value.to_string() }
}

impl Metric {
    pub(super) const fn new(
        name: &'static str,
        better: Better,
        decimals: usize,
        value: fn(&Report) -> Option<f64>,
        goals: &'static [Goal],
    ) -> Self {
        Self { name, value, decimals, better, goals }
    }

    pub(super) const fn per_second(name: &'static str, goals: &'static [Goal]) -> Self {
        Self::new(name, Better::More, 0, |report| Some(report.per_second), goals)
    }

    /// CPU time of the server for each unit.
    pub(super) const fn cpu(goals: &'static [Goal]) -> Self {
        Self::new(
            "server CPU each, us",
            Better::Less,
            3,
            |report| report.cpu.map(|cpu| cpu.microseconds_per_unit),
            goals,
        )
    }

    pub(super) const fn cores() -> Self {
        Self::new(
            "cores that the server is busy on",
            Better::Less,
            2,
            |report| report.cpu.map(|cpu| cpu.cores),
            &[],
        )
    }

    pub(super) const fn resident(goals: &'static [Goal]) -> Self {
        Self::new(
            "resident bytes each",
            Better::Less,
            0,
            |report| report.memory.map(|memory| memory.bytes_per_connection),
            goals,
        )
    }

    /// A time in milliseconds.
    pub(super) const fn millis(
        name: &'static str,
        value: fn(&Report) -> Option<f64>,
        goals: &'static [Goal],
    ) -> Self {
        Self::new(name, Better::Less, 2, value, goals)
    }
}

/// A percentile of a latency in milliseconds.
pub(super) fn in_millis(latency: Option<Latency>, percentile: fn(Latency) -> f64) -> Option<f64> {
    latency.map(|latency| percentile(latency) / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OR: Goal = Goal::Either(&Goal::AtLeast(40_000.0), &Goal::TimesAtLeast(0.8, Subject::Reference));

    fn of(ours: f64, theirs: Option<f64>) -> impl Fn(Subject) -> Option<f64> {
        move |subject| if subject == Subject::Antiphon { Some(ours) } else { theirs }
    }

    #[test]
    fn one_of_two_is_enough_and_the_other_may_be_unknown() {
        assert_eq!(OR.is_met(&of(41_000.0, None)), Some(true));
        assert_eq!(OR.is_met(&of(30_000.0, None)), None);
        assert_eq!(OR.is_met(&of(30_000.0, Some(33_000.0))), Some(true));
        assert_eq!(OR.is_met(&of(30_000.0, Some(50_000.0))), Some(false));
        assert_eq!(OR.show(), "≥ 40,000 or ≥ 0.8 × reference");
    }

    #[test]
    fn ends_count_as_met() {
        assert_eq!(Goal::AtMost(2.0).is_met(&of(2.0, None)), Some(true));
        assert_eq!(Goal::TimesAtMost(1.15, Subject::Reference).is_met(&of(1.15, Some(1.0))), Some(true));
        assert_eq!(Goal::TimesAtLeast(5.0, Subject::Socketioxide).is_met(&of(4.9, Some(1.0))), Some(false));
        assert_eq!(Goal::TimesAtLeast(5.0, Subject::Socketioxide).is_met(&of(4.9, None)), None);
    }
}
