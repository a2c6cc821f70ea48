use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The table that people read, relative to this crate.
const DOCUMENT: &str = "../../docs/faults.md";

/// What clients saw, as rows of a table: the fault, who saw it, and what.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<(String, String, String)>>>);

impl Seen {
    /// Notes a row, once it has been checked.
    pub(crate) fn row(&self, fault: &str, who: &str, what: &str) {
        let row = (fault.to_owned(), who.to_owned(), what.to_owned());
        let mut rows = self.0.lock().unwrap();
        if !rows.contains(&row) {
            rows.push(row);
        }
    }

    /// All of them, as they stand in the document.
    pub(crate) fn table(&self) -> String {
        let lines = ["| fault | who | sees |".to_owned(), "|---|---|---|".to_owned()];
        lines.into_iter().chain(self.lines()).collect::<Vec<_>>().join("\n")
    }

    /// Where the document says something else: rows that it lacks, and, where `everything` ran, rows that nobody saw.
    pub(crate) fn differences(&self, everything: bool) -> Vec<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT);
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let is_row = |line: &&str| line.starts_with("| ") && *line != "| fault | who | sees |";
        let written: BTreeSet<&str> = text.lines().filter(is_row).collect();
        let lines = self.lines();
        let mut differences: Vec<String> = lines
            .iter()
            .filter(|line| !written.contains(line.as_str()))
            .map(|line| format!("docs/faults.md lacks the row {line}"))
            .collect();
        if everything {
            let seen: BTreeSet<&str> = lines.iter().map(String::as_str).collect();
            let stale = written.difference(&seen);
            differences.extend(stale.map(|line| format!("docs/faults.md has a row that nobody saw: {line}")));
        }
        differences
    }

    fn lines(&self) -> Vec<String> {
        let rows = self.0.lock().unwrap();
        rows.iter().map(|(fault, who, what)| format!("| {fault} | {who} | {what} |")).collect()
    }
}
