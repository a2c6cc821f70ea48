//! Medians, spreads and ratios of all rounds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use antiphon_bench::{Report, grouped};

use super::cases::{Case, Goal, Metric, Section};
use super::subject::Subject;

/// What one measurement came to.
pub(super) enum Outcome {
    Measured(Box<Report>),
    Failed,
}

/// All outcomes, by case.
pub(super) struct Table {
    rows: Vec<Row>,
}

struct Row {
    case: Case,
    results: BTreeMap<Subject, Results>,
}

/// What all rounds of one case came to for one subject.
#[derive(Default)]
struct Results {
    reports: Vec<Report>,
    failures: usize,
}

impl Table {
    pub(super) fn new(cases: Vec<Case>) -> Self {
        let row = |case| Row { case, results: BTreeMap::new() };
        Self { rows: cases.into_iter().map(row).collect() }
    }

    pub(super) fn add(&mut self, case: usize, subject: Subject, outcome: Outcome) {
        let results = self.rows[case].results.entry(subject).or_default();
        match outcome {
            Outcome::Measured(report) => results.reports.push(*report),
            Outcome::Failed => results.failures += 1,
        }
    }

    /// How many measurements failed that must not. That a peer does not do a load right is a result like another.
    pub(super) fn failures(&self) -> usize {
        let results = self.rows.iter().flat_map(|row| &row.results);
        results.filter(|(subject, _)| !subject.is_peer()).map(|(_, results)| results.failures).sum()
    }

    pub(super) fn goals_missed(&self) -> usize {
        self.figures().filter(|(_, figure)| figure.is_met() == Some(false)).count()
    }

    /// The table of one section's cases in Markdown; empty when there are none.
    pub(super) fn render(&self, section: Section) -> String {
        let figures = || self.figures().filter(|(row, _)| row.case.section == section);
        if figures().next().is_none() {
            return String::new();
        }
        let peers: BTreeSet<Subject> =
            figures().flat_map(|(row, _)| row.results.keys().copied()).filter(|one| one.is_peer()).collect();
        let mut out = String::from("| load | figure | reference | antiphon | ratio | goal | met |");
        let mut rule = String::from("\n|---|---|---|---|---|---|---|");
        for peer in &peers {
            // Writing to a string does not fail.
            let _ = write!(out, " {} |", peer.heading());
            rule.push_str("---|");
        }
        out.push_str(&rule);
        for (row, figure) in figures() {
            let ratio = figure.ratio().map_or_else(dash, |ratio| format!("{ratio:.2}"));
            let met = match figure.is_met() {
                Some(true) => "yes",
                Some(false) => "**no**",
                None => "–",
            };
            let cell = |subject| row.cell(subject, figure.metric);
            let (case, name, goal) = (row.case.name, figure.metric.name, figure.metric.goal.show());
            let (reference, antiphon) = (cell(Subject::Reference), cell(Subject::Antiphon));
            let _ =
                write!(out, "\n| {case} | {name} | {reference} | {antiphon} | {ratio} | {goal} | {met} |");
            for &peer in &peers {
                let _ = write!(out, " {} |", cell(peer));
            }
        }
        out.push('\n');
        out
    }

    fn figures(&self) -> impl Iterator<Item = (&Row, Figure<'_>)> {
        self.rows.iter().flat_map(|row| row.case.metrics.iter().map(move |metric| (row, row.figure(metric))))
    }
}

impl Row {
    fn figure<'a>(&self, metric: &'a Metric) -> Figure<'a> {
        let sample = |subject| self.sample(subject, metric);
        Figure { metric, reference: sample(Subject::Reference), antiphon: sample(Subject::Antiphon) }
    }

    fn sample(&self, subject: Subject, metric: &Metric) -> Option<Sample> {
        let reports = &self.results.get(&subject)?.reports;
        Sample::of(reports.iter().filter_map(metric.value).collect())
    }

    fn cell(&self, subject: Subject, metric: &Metric) -> String {
        let failures = self.results.get(&subject).map_or(0, |results| results.failures);
        match (self.sample(subject, metric), failures) {
            (Some(sample), 0) => sample.show(metric.decimals),
            (Some(sample), failures) => format!("{}, {failures} failed", sample.show(metric.decimals)),
            (None, 0) => dash(),
            (None, _) => "failed".to_owned(),
        }
    }
}

struct Figure<'a> {
    metric: &'a Metric,
    reference: Option<Sample>,
    antiphon: Option<Sample>,
}

impl Figure<'_> {
    fn ratio(&self) -> Option<f64> {
        Some(self.antiphon?.median / self.reference?.median)
    }

    /// Whether the goal is met; `None` when what it takes to say so was not measured.
    fn is_met(&self) -> Option<bool> {
        match self.metric.goal {
            Goal::RatioFloor(goal) => self.ratio().map(|ratio| ratio >= goal),
            Goal::RatioCeiling(goal) => self.ratio().map(|ratio| ratio <= goal),
            Goal::Floor(goal) => self.antiphon.map(|sample| sample.median >= goal),
            Goal::Ceiling(goal) => self.antiphon.map(|sample| sample.median <= goal),
            Goal::None => None,
        }
    }
}

impl Goal {
    fn show(self) -> String {
        match self {
            Self::RatioFloor(goal) => format!("≥ {goal} × reference"),
            Self::RatioCeiling(goal) => format!("≤ {goal} × reference"),
            Self::Floor(goal) => format!("≥ {}", grouped(goal)),
            Self::Ceiling(goal) => format!("≤ {}", grouped(goal)),
            Self::None => dash(),
        }
    }
}

/// The same figure of several rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sample {
    least: f64,
    median: f64,
    most: f64,
}

impl Sample {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let median = f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Self { least, median, most })
    }

    fn show(self, decimals: usize) -> String {
        let number = |value: f64| if decimals == 0 { grouped(value) } else { format!("{value:.decimals$}") };
        format!("{} ({} to {})", number(self.median), number(self.least), number(self.most))
    }
}

fn dash() -> String {
    "–".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(per_second: f64) -> Report {
        Report {
            scenario: "s",
            unit: "u",
            load: String::new(),
            count: 1,
            seconds: 1.0,
            per_second,
            latency: None,
            answered: None,
            answers: None,
            cpu: None,
            memory: None,
        }
    }

    #[test]
    fn a_sample_is_the_middle_and_both_ends() {
        assert_eq!(Sample::of(vec![]), None);
        let odd = Sample::of(vec![3.0, 1.0, 2.0]);
        assert_eq!(odd, Some(Sample { least: 1.0, median: 2.0, most: 3.0 }));
        let even = Sample::of(vec![4.0, 1.0]).unwrap();
        assert_eq!(even.median, 2.5);
        assert_eq!(even.show(0), "2 (1 to 4)");
    }

    #[test]
    fn goals_relative_to_the_reference_need_both() {
        let mut table = Table::new(super::super::cases::all());
        table.add(0, Subject::Reference, Outcome::Measured(Box::new(report(100.0))));
        assert_eq!(table.goals_missed(), 0, "nothing is missed that was not measured");
        table.add(0, Subject::Antiphon, Outcome::Measured(Box::new(report(69.0))));
        assert_eq!(table.goals_missed(), 1);
        let shown = table.render(Section::WebSocket);
        assert!(shown.contains("| 0.69 | ≥ 0.7 × reference | **no** |"), "{shown}");
        table.add(0, Subject::Antiphon, Outcome::Measured(Box::new(report(100.0))));
        assert_eq!(table.goals_missed(), 0);
        table.add(5, Subject::Antiphon, Outcome::Failed);
        assert_eq!(table.failures(), 1);
    }

    #[test]
    fn peers_stand_beside_what_they_are_compared_with_and_their_failures_are_results() {
        let cases = super::super::cases::all();
        let room = cases.iter().position(|case| case.name.starts_with("socketio-room-100:")).unwrap();
        let mut table = Table::new(cases);
        table.add(room, Subject::Reference, Outcome::Measured(Box::new(report(100.0))));
        table.add(room, Subject::Socketioxide, Outcome::Measured(Box::new(report(12.0))));
        table.add(room, Subject::NodeSocketIo, Outcome::Failed);
        let shown = table.render(Section::SocketIo);
        assert!(shown.contains("| met | socketioxide | socket.io on node |\n"), "{shown}");
        assert!(shown.contains("| – | 12 (12 to 12) | failed |\n"), "{shown}");
        assert!(!table.render(Section::WebSocket).contains("socketioxide"));
        assert_eq!((table.failures(), table.goals_missed()), (0, 0));
    }
}
