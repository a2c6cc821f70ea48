//! What all measurements came to.

use std::collections::BTreeMap;

use antiphon_bench::{Report, grouped};

use super::cases::Case;
use super::goal::Metric;
use super::section::Section;
use super::subject::Subject;

/// All outcomes, by case.
pub(super) struct Results {
    pub(super) rows: Vec<Row>,
}

/// A case and what came of it.
pub(super) struct Row {
    pub(super) case: Case,
    outcomes: BTreeMap<Subject, Outcomes>,
}

/// What all rounds of one case came to for one subject.
#[derive(Default)]
struct Outcomes {
    reports: Vec<Report>,
    failures: Vec<String>,
}

impl Results {
    pub(super) fn new(cases: Vec<Case>) -> Self {
        let row = |case| Row { case, outcomes: BTreeMap::new() };
        Self { rows: cases.into_iter().map(row).collect() }
    }

    pub(super) fn add(&mut self, row: usize, subject: Subject, outcome: Result<Report, String>) {
        let outcomes = self.rows[row].outcomes.entry(subject).or_default();
        match outcome {
            Ok(report) => outcomes.reports.push(report),
            Err(why) => outcomes.failures.push(why),
        }
    }

    pub(super) fn of(&self, section: Section) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.case.section == section)
    }

    /// How many measurements failed that must not. That a peer does not do a load right is a result like another.
    pub(super) fn failures(&self) -> usize {
        Section::ALL.into_iter().map(|section| self.failures_in(section)).sum()
    }

    /// How many of them are in a section.
    pub(super) fn failures_in(&self, section: Section) -> usize {
        let ours = self.of(section).flat_map(|row| &row.outcomes).filter(|(subject, _)| !subject.is_peer());
        ours.map(|(_, outcomes)| outcomes.failures.len()).sum()
    }

    /// The figures whose goals are missed, for a person to read.
    pub(super) fn missed(&self) -> Vec<String> {
        let figures =
            self.rows.iter().flat_map(|row| row.case.metrics.iter().map(move |metric| (row, metric)));
        let missed = figures.filter(|(row, metric)| row.is_met(metric) == Some(false));
        missed.map(|(row, metric)| format!("{}: {}", row.case.key(), metric.name)).collect()
    }

    /// Whether more of a load than a subject has shown that it cannot bear is about to be put on it.
    pub(super) fn is_beyond(&self, row: usize, subject: Subject) -> bool {
        /// The median latency, in microseconds, from which a server does not keep up.
        const OVERWHELMED_US: f64 = 50e3;
        let (Some(point), section) = (self.rows[row].case.point, self.rows[row].case.section) else {
            return false;
        };
        section == Section::Latency
            && self.of(section).filter(|row| row.case.point.is_some_and(|earlier| earlier < point)).any(
                |row| {
                    row.failure(subject).is_some()
                        || row
                            .reports(subject)
                            .iter()
                            .any(|report| report.latency.is_some_and(|all| all.p50_us > OVERWHELMED_US))
                },
            )
    }
}

impl Row {
    pub(super) fn reports(&self, subject: Subject) -> &[Report] {
        self.outcomes.get(&subject).map_or(&[], |outcomes| &outcomes.reports)
    }

    /// Why the first measurement that failed did.
    pub(super) fn failure(&self, subject: Subject) -> Option<&str> {
        self.outcomes.get(&subject)?.failures.first().map(String::as_str)
    }

    /// Who was measured, and whoever failed.
    pub(super) fn subjects(&self) -> impl Iterator<Item = Subject> {
        self.outcomes.keys().copied()
    }

    pub(super) fn sample(&self, subject: Subject, metric: &Metric) -> Option<Sample> {
        Sample::of(self.reports(subject).iter().filter_map(metric.value).collect())
    }

    /// Whether all goals of a figure are met; `None` when what it takes to say so was not measured, or there is none.
    pub(super) fn is_met(&self, metric: &Metric) -> Option<bool> {
        let median = |subject| self.sample(subject, metric).map(|sample| sample.median);
        let met: Vec<_> = metric.goals.iter().map(|goal| goal.is_met(&median)).collect();
        match () {
            () if met.contains(&Some(false)) => Some(false),
            () if met.is_empty() || met.contains(&None) => None,
            () => Some(true),
        }
    }

    pub(super) fn cell(&self, subject: Subject, metric: &Metric) -> String {
        let failures = self.outcomes.get(&subject).map_or(0, |outcomes| outcomes.failures.len());
        match (self.sample(subject, metric), failures) {
            (Some(sample), 0) => sample.show(metric.decimals),
            (Some(sample), failures) => format!("{}, {failures} failed", sample.show(metric.decimals)),
            (None, 0) => dash(),
            (None, _) => "failed".to_owned(),
        }
    }
}

/// The same figure of several rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    pub(super) least: f64,
    pub(super) median: f64,
    pub(super) most: f64,
}

impl Sample {
    pub(super) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let median = f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Self { least, median, most })
    }

    pub(super) fn show(self, decimals: usize) -> String {
        if self.least == self.most {
            return number(self.median, decimals);
        }
        let [median, least, most] = [self.median, self.least, self.most].map(|value| number(value, decimals));
        format!("{median} ({least} to {most})")
    }
}

pub(super) fn number(value: f64, decimals: usize) -> String {
    if decimals == 0 { grouped(value) } else { format!("{value:.decimals$}") }
}

pub(super) fn dash() -> String {
    "–".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_the_middle_and_both_ends() {
        assert_eq!(Sample::of(vec![]), None);
        let odd = Sample::of(vec![3.0, 1.0, 2.0]);
        assert_eq!(odd, Some(Sample { least: 1.0, median: 2.0, most: 3.0 }));
        let even = Sample::of(vec![4.0, 1.0]).unwrap();
        assert_eq!(even.median, 2.5);
        assert_eq!(even.show(0), "2 (1 to 4)");
        assert_eq!(Sample::of(vec![4.25]).unwrap().show(1), "4.2");
    }
}
