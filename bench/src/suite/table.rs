//! Tables in Markdown: goals, servers beside each other, and curves.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::goal::{Better, Metric};
use super::results::{Results, Row, Sample, dash, number};
use super::section::Section;
use super::subject::Subject;

/// Every figure of a section that was measured, ours beside the reference's, and whether its goals are met; empty when there is none.
pub(super) fn goals(results: &Results, section: Section) -> String {
    let figures = || {
        let rows = results.of(section).filter(|row| row.subjects().next().is_some());
        rows.flat_map(|row| row.case.metrics.iter().map(move |metric| (row, metric)))
    };
    if figures().next().is_none() {
        return String::new();
    }
    let has_reference = figures().any(|(row, _)| row.case.subjects.contains(&Subject::Reference));
    let columns: &[&str] = if has_reference {
        &["load", "figure", "reference", "antiphon", "ratio", "goal", "met"]
    } else {
        &["load", "figure", "antiphon", "goal", "met"]
    };
    let mut out = head(columns.iter().copied());
    for (row, metric) in figures() {
        let (reference, antiphon) =
            (row.cell(Subject::Reference, metric), row.cell(Subject::Antiphon, metric));
        let met = match row.is_met(metric) {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "–",
        };
        let goals: Vec<_> = metric.goals.iter().map(|goal| goal.show()).collect();
        let goals = if goals.is_empty() { dash() } else { goals.join("; ") };
        // Writing to a string does not fail.
        let _ = match has_reference {
            true => {
                let ratio = ratio(row, metric);
                writeln!(
                    out,
                    "| {} | {} | {reference} | {antiphon} | {ratio} | {goals} | {met} |",
                    row.case.name, metric.name
                )
            }
            false => writeln!(out, "| {} | {} | {antiphon} | {goals} | {met} |", row.case.name, metric.name),
        };
    }
    out
}

fn ratio(row: &Row, metric: &Metric) -> String {
    let median = |subject| row.sample(subject, metric).map(|sample| sample.median);
    match median(Subject::Antiphon).zip(median(Subject::Reference)) {
        Some((ours, theirs)) if theirs > 0.0 => format!("{:.2}", ours / theirs),
        _ => dash(),
    }
}

/// The servers of other people below each other, each with the main figures of the section and how many times better ours
/// are; empty when none was measured.
pub(super) fn servers(results: &Results, section: Section) -> String {
    let rows = || results.of(section).filter(|row| row.subjects().any(Subject::is_peer));
    let columns = || {
        let shown = rows().filter(|row| !row.case.metrics.is_empty());
        shown
            .flat_map(|row| row.case.metrics.iter().take(row.case.headlines).map(move |metric| (row, metric)))
    };
    if columns().next().is_none() {
        return String::new();
    }
    let subjects: BTreeSet<Subject> = rows().flat_map(Row::subjects).collect();
    let names = columns().map(|(row, metric)| format!("{}: {}", row.case.key(), metric.name));
    let names: Vec<String> = std::iter::once("server".to_owned()).chain(names).collect();
    let mut out = head(names.iter().map(String::as_str));
    for subject in subjects {
        let _ = write!(out, "| {} |", subject.heading());
        for (row, metric) in columns() {
            let _ = write!(out, " {} |", beside(row, subject, metric));
        }
        out.push('\n');
    }
    out
}

/// A figure, its spread, and how many times better ours is.
fn beside(row: &Row, subject: Subject, metric: &Metric) -> String {
    let Some(Sample { least, median, most }) = row.sample(subject, metric) else {
        return row.cell(subject, metric);
    };
    let [median_text, least, most] = [median, least, most].map(|value| number(value, metric.decimals));
    let mut cell = median_text;
    if least != most {
        let _ = write!(cell, "<br>{least} to {most}");
    }
    if row.failure(subject).is_some() {
        cell.push_str("<br>(failed at times)");
    }
    let ours = row.sample(Subject::Antiphon, metric).filter(|_| subject.is_peer());
    if let Some(ours) = ours.map(|ours| ours.median).filter(|ours| *ours > 0.0 && median > 0.0) {
        let times = match metric.better {
            Better::More => ours / median,
            Better::Less => median / ours,
        };
        let _ = write!(cell, "<br>× {times:.1}");
    }
    cell
}

/// Latency at each rate, for each server; empty when the section has no such cases.
pub(super) fn rates(results: &Results, section: Section) -> String {
    let rows = || results.of(section).filter(|row| row.case.metrics.is_empty());
    let subjects: BTreeSet<Subject> = rows().flat_map(Row::subjects).collect();
    if subjects.is_empty() {
        return String::new();
    }
    let names =
        std::iter::once("p50 / p99 / p99.9 / longest, ms").chain(subjects.iter().map(|one| one.heading()));
    let mut out = head(names);
    for row in rows() {
        let (_, name) = row.case.name.split_once(": ").unwrap_or(("", row.case.name));
        let _ = write!(out, "| {name} |");
        for subject in &subjects {
            let all: Vec<_> = row.reports(*subject).iter().filter_map(|report| report.latency).collect();
            let cell = match all.first() {
                Some(all) => [all.p50_us, all.p99_us, all.p999_us, all.max_us]
                    .map(|microseconds| format!("{:.2}", microseconds / 1e3))
                    .join(" / "),
                None if row.failure(*subject).is_some() => "failed".to_owned(),
                None => dash(),
            };
            let _ = write!(out, " {cell} |");
        }
        out.push('\n');
    }
    out
}

/// Why servers failed, one line for each that did.
pub(super) fn failures(results: &Results, section: Section) -> String {
    let mut out = String::new();
    for row in results.of(section) {
        for subject in row.subjects() {
            if let Some(why) = row.failure(subject) {
                let _ = writeln!(out, "- {} failed `{}`: {why}.", subject.heading(), row.case.key());
            }
        }
    }
    out
}

fn head<'a>(columns: impl Iterator<Item = &'a str>) -> String {
    let (mut names, mut rule) = ("|".to_owned(), "|".to_owned());
    for column in columns {
        let _ = write!(names, " {column} |");
        rule.push_str("---|");
    }
    format!("{names}\n{rule}\n")
}

#[cfg(test)]
mod tests {
    use antiphon_bench::Report;

    use super::super::cases;
    use super::*;

    fn report(per_second: f64) -> Result<Report, String> {
        Ok(Report { per_second, ..Report::default() })
    }

    fn failed() -> Result<Report, String> {
        Err("nothing came".to_owned())
    }

    fn row(results: &Results, key: &str) -> usize {
        results.rows.iter().position(|row| row.case.key() == key).unwrap()
    }

    #[test]
    fn goals_relative_to_the_reference_need_both() {
        let mut results = Results::new(cases::all());
        let fanout = row(&results, "fanout-100");
        results.add(fanout, Subject::Reference, report(100.0));
        assert!(results.missed().is_empty(), "nothing is missed that was not measured");
        results.add(fanout, Subject::Antiphon, report(84.0));
        assert_eq!(results.missed(), ["fanout-100: deliveries/s"]);
        let shown = goals(&results, Section::WebSocket);
        assert!(shown.contains("| 100 | 84 | 0.84 | ≥ 0.85 × reference | **no** |"), "{shown}");
        results.add(fanout, Subject::Antiphon, report(100.0));
        assert!(results.missed().is_empty());
        results.add(fanout, Subject::Antiphon, failed());
        assert_eq!(results.failures(), 1);
    }

    #[test]
    fn every_goal_of_a_figure_has_to_be_met_and_is_open_until_all_are_measured() {
        let mut results = Results::new(cases::all());
        let room = row(&results, "socketio-room-100");
        results.add(room, Subject::Reference, report(100.0));
        results.add(room, Subject::Antiphon, report(90.0));
        results.add(room, Subject::Socketioxide, report(10.0));
        let met = |results: &Results| results.rows[room].is_met(&results.rows[room].case.metrics[0]);
        assert_eq!(met(&results), None);
        results.add(room, Subject::SocketioxideNoDelay, report(30.1));
        assert_eq!(met(&results), Some(false));
    }

    #[test]
    fn peers_stand_below_each_other_and_their_failures_are_results() {
        let mut results = Results::new(cases::all());
        let room = row(&results, "socketio-room-100");
        results.add(room, Subject::Reference, report(100.0));
        results.add(room, Subject::Antiphon, report(90.0));
        results.add(room, Subject::Socketioxide, report(12.0));
        results.add(room, Subject::Socketioxide, report(8.0));
        results.add(room, Subject::NodeSocketIo, failed());
        let shown = servers(&results, Section::SocketIo);
        assert!(shown.starts_with("| server | socketio-room-100: deliveries/s |\n|---|---|\n"), "{shown}");
        assert!(shown.contains("| antiphon | 90 |\n"), "{shown}");
        assert!(shown.contains("| socketioxide as it comes | 10<br>8 to 12<br>× 9.0 |\n"), "{shown}");
        assert!(shown.contains("| socket.io on node | failed |\n"), "{shown}");
        assert_eq!(servers(&results, Section::WebSocket), "");
        assert_eq!((results.failures(), results.missed().len()), (0, 0));
        let why = failures(&results, Section::SocketIo);
        assert_eq!(why, "- socket.io on node failed `socketio-room-100`: nothing came.\n");
    }

    #[test]
    fn no_more_is_put_on_a_server_that_did_not_keep_up() {
        let mut results = Results::new(cases::all());
        let (less, more) = (row(&results, "rate-1000"), row(&results, "rate-5000"));
        results.add(less, Subject::NodeWs, failed());
        assert!(results.is_beyond(more, Subject::NodeWs) && !results.is_beyond(less, Subject::NodeWs));
        assert!(!results.is_beyond(more, Subject::Antiphon));
        let shown = rates(&results, Section::Latency);
        assert!(shown.contains("| 1,000 messages/s | failed |"), "{shown}");
    }
}
