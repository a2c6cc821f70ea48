//! Medians, spreads and ratios of all rounds.

use std::fmt::Write as _;

use antiphon_bench::{Kind, Report, grouped};

use super::cases::{Case, Goal, Metric};

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
    reference: Vec<Report>,
    antiphon: Vec<Report>,
    failures: usize,
}

impl Table {
    pub(super) fn new(cases: Vec<Case>) -> Self {
        let row = |case| Row { case, reference: Vec::new(), antiphon: Vec::new(), failures: 0 };
        Self { rows: cases.into_iter().map(row).collect() }
    }

    pub(super) fn add(&mut self, case: usize, kind: Kind, outcome: Outcome) {
        let row = &mut self.rows[case];
        match (outcome, kind) {
            (Outcome::Measured(report), Kind::Reference) => row.reference.push(*report),
            (Outcome::Measured(report), Kind::Antiphon) => row.antiphon.push(*report),
            (Outcome::Failed, _) => row.failures += 1,
        }
    }

    pub(super) fn failures(&self) -> usize {
        self.rows.iter().map(|row| row.failures).sum()
    }

    pub(super) fn goals_missed(&self) -> usize {
        self.figures().filter(|(_, figure)| figure.is_met() == Some(false)).count()
    }

    /// The table in Markdown.
    pub(super) fn render(&self) -> String {
        let mut out = String::from(
            "| load | figure | reference | antiphon | ratio | goal | met |\n|---|---|---|---|---|---|---|\n",
        );
        for (row, figure) in self.figures() {
            let decimals = figure.metric.decimals;
            let ratio = figure.ratio().map_or_else(dash, |ratio| format!("{ratio:.2}"));
            let met = match figure.is_met() {
                Some(true) => "yes",
                Some(false) => "**no**",
                None => "–",
            };
            let (reference, antiphon) = (figure.reference, figure.antiphon);
            let cell = |sample: Option<Sample>| sample.map_or_else(dash, |sample| sample.show(decimals));
            let (case, name, goal) = (row.case.name, figure.metric.name, figure.metric.goal.show());
            let (reference, antiphon) = (cell(reference), cell(antiphon));
            // Writing to a string does not fail.
            let _ =
                writeln!(out, "| {case} | {name} | {reference} | {antiphon} | {ratio} | {goal} | {met} |");
        }
        out
    }

    fn figures(&self) -> impl Iterator<Item = (&Row, Figure<'_>)> {
        self.rows.iter().flat_map(|row| row.case.metrics.iter().map(move |metric| (row, row.figure(metric))))
    }
}

impl Row {
    fn figure<'a>(&self, metric: &'a Metric) -> Figure<'a> {
        let sample = |reports: &[Report]| Sample::of(reports.iter().filter_map(metric.value).collect());
        Figure { metric, reference: sample(&self.reference), antiphon: sample(&self.antiphon) }
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
        table.add(0, Kind::Reference, Outcome::Measured(Box::new(report(100.0))));
        assert_eq!(table.goals_missed(), 0, "nothing is missed that was not measured");
        table.add(0, Kind::Antiphon, Outcome::Measured(Box::new(report(69.0))));
        assert_eq!(table.goals_missed(), 1);
        assert!(table.render().contains("| 0.69 | ≥ 0.7 × reference | **no** |"), "{}", table.render());
        table.add(0, Kind::Antiphon, Outcome::Measured(Box::new(report(100.0))));
        assert_eq!(table.goals_missed(), 0);
        table.add(5, Kind::Antiphon, Outcome::Failed);
        assert_eq!(table.failures(), 1);
    }
}
