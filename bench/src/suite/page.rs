//! The page that the tables stand on: what it was measured on, and how to do it again. Each section is a part of it that is
//! replaced by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::pictures::Picture;
use super::results::{Results, dash};
use super::section::Section;
use super::subject::Subject;
use super::table;

/// How the measuring was done, for all parts alike.
pub(super) struct Circumstances {
    pub(super) rounds: u16,
    /// Seconds.
    pub(super) duration: u16,
    /// The processor, the memory and the kernel.
    pub(super) machine: String,
    /// Which commit, in a sentence, or nothing.
    pub(super) commit: String,
    /// At what priority, in a sentence, or nothing.
    pub(super) priority: &'static str,
}

/// What is told of a section besides its results.
pub(super) struct Notes {
    /// Each server of other people with its version.
    pub(super) versions: BTreeMap<Subject, String>,
    /// What was not measured, and why.
    pub(super) left_out: Vec<String>,
}

/// The part of the page that is about a section, its heading included.
pub(super) fn part(
    section: Section,
    results: &Results,
    circumstances: &Circumstances,
    notes: &Notes,
    picture: Option<&Picture>,
) -> String {
    let Circumstances { rounds, duration, machine, commit, priority } = circumstances;
    let (heading, name, intro) = (section.heading(), section.name(), section.intro());
    let of_cases = results.of(section).map(|row| row.case.rounds_max).max().unwrap_or(u16::MAX);
    let each = match (*rounds).min(of_cases) {
        1 => "Each figure is of one measurement".to_owned(),
        rounds => format!(
            "Each figure is the median of {rounds} rounds (of {} with the servers of others), with the least and the most where they differ",
            rounds.div_ceil(2)
        ),
    };
    let mut out = format!(
        "## {heading}\n\n```\ncargo xtask bench --only {name} --rounds {rounds} --duration {duration}\n```\n\n\
         {intro}\n\n{machine}.{commit}{priority} {each}.\n"
    );
    if let Some(Picture { file, shows, .. }) = picture {
        // Writing to a string does not fail.
        let _ = write!(out, "\n![{shows}](benchmarks/{file})\n");
    }
    let servers = table::servers(results, section);
    for table in [table::goals(results, section), table::rates(results, section)] {
        if !table.is_empty() {
            let _ = write!(out, "\n{table}");
        }
    }
    if !servers.is_empty() {
        let peers: BTreeSet<Subject> =
            results.of(section).flat_map(|row| row.subjects()).filter(|one| one.is_peer()).collect();
        let peers: BTreeSet<&str> =
            peers.iter().filter_map(|peer| notes.versions.get(peer)).map(String::as_str).collect();
        let peers: Vec<_> = peers.into_iter().collect();
        let _ = write!(
            out,
            "\nBeside others ({}); × is how many times better antiphon is:\n\n{servers}",
            peers.join(", ")
        );
    }
    let failures = table::failures(results, section);
    if !failures.is_empty() {
        let _ = write!(
            out,
            "\nA server has *failed* where it lost, doubled or reordered a message, or stood still; the first time it did:\n\n{failures}"
        );
    }
    if !notes.left_out.is_empty() {
        let _ = write!(out, "\nNot measured: {}.\n", notes.left_out.join("; "));
    }
    out
}

/// The page with these parts in the place of those that it has.
pub(super) fn with_parts(page: &str, parts: &BTreeMap<Section, String>) -> String {
    let mut known: BTreeMap<Section, String> = BTreeMap::new();
    let mut others = String::new();
    for text in page.split("\n## ").skip(1) {
        let heading = text.lines().next().unwrap_or_default();
        let whole = format!("## {}\n", text.trim_end());
        match Section::ALL.into_iter().find(|section| section.heading() == heading) {
            Some(section) => drop(known.insert(section, whole)),
            None if heading == OVERVIEW => {}
            None => {
                let _ = write!(others, "\n{whole}");
            }
        }
    }
    known.extend(parts.iter().map(|(section, text)| (*section, text.clone())));
    let overview = overview(&known);
    let parts: Vec<String> = known.into_values().collect();
    format!("{INTRO}\n{overview}\n{}{others}", parts.join("\n"))
}

/// The heading of what is made of all parts together.
const OVERVIEW: &str = "Goals";

const INTRO: &str = "\
# Benchmarks

Written by the suite, each part by itself; what it says holds for one machine, and the ratios carry further than the figures.

```
cargo xtask bench
```

Loopback TCP with TCP_NODELAY, 128-byte messages. The server has one core and one worker, the load another core; where both share both, it is said. \
In every round each server is started afresh, and they take turns. Every delivery is checked to be the next one of its subscriber: \
a figure is that of a run in which nothing was lost, doubled or out of order.

The **reference** is the least that serves the same load: one thread on epoll without channels, limits or sessions. It copies up to 64 messages \
that arrived together and writes them once to each socket.
";

/// How many goals each part meets, as its table says.
fn overview(parts: &BTreeMap<Section, String>) -> String {
    let mut out = format!("## {OVERVIEW}\n\n| part | met | missed |\n|---|---|---|\n");
    for (section, text) in parts {
        let count = |end: &str| text.lines().filter(|line| line.ends_with(end)).count();
        let (met, missed) = (count("| yes |"), count("| **no** |"));
        let anchor = section.heading().to_lowercase().replace(' ', "-").replace('.', "");
        let [met, missed] = [met, missed].map(|count| if count == 0 { dash() } else { count.to_string() });
        let _ = writeln!(out, "| [{}](#{anchor}) | {met} | {missed} |", section.heading());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::cases;
    use super::*;

    #[test]
    fn parts_are_replaced_and_the_others_stay() {
        let new = BTreeMap::from([(Section::Exp, "## EXP network\n\n| a | yes |\n".to_owned())]);
        let page = with_parts(
            "# Before\n\n## Socket.IO\n\nstays\n\n## By hand\n\nx\n\n## EXP network\nBefore\n",
            &new,
        );
        let parts: Vec<_> = page.split("\n## ").skip(1).map(|part| part.lines().next().unwrap()).collect();
        assert_eq!(parts, ["Goals", "Socket.IO", "EXP network", "By hand"]);
        assert!(page.contains("stays") && !page.contains("Before"), "{page}");
        assert!(
            page.contains("| [Socket.IO](#socketio) | – | – |\n| [EXP network](#exp-network) | 1 | – |"),
            "{page}"
        );
        assert_eq!(with_parts(&page, &new), page, "writing it again changes nothing");
    }

    #[test]
    fn a_part_says_how_it_was_measured_and_what_was_not() {
        let circumstances = Circumstances {
            rounds: 5,
            duration: 3,
            machine: "A machine".to_owned(),
            commit: " Commit 123.".to_owned(),
            priority: "",
        };
        let notes =
            Notes { versions: BTreeMap::new(), left_out: vec!["rumqttd (it is not there)".to_owned()] };
        let results = Results::new(cases::all());
        let text = part(Section::WebSocket, &results, &circumstances, &notes, None);
        assert!(text.starts_with(
            "## Raw WebSocket\n\n```\ncargo xtask bench --only websocket --rounds 5 --duration 3\n```\n"
        ));
        assert!(
            text.contains("A machine. Commit 123. Each figure is the median of 5 rounds (of 3 with"),
            "{text}"
        );
        assert!(text.ends_with("Not measured: rumqttd (it is not there).\n"), "{text}");
    }
}
