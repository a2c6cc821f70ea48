//! What was counted before.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;

/// What stands above the figures.
const PREFACE: &str = "\
# Instructions of the hot paths. Written by `cargo xtask bench --record`, compared by `cargo xtask bench --check`.
# Record them anew with a change that is meant to cost what it costs, and say why in its message.
";

/// Counts, and what they hold for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The compiler they were counted with, as it names itself.
    pub compiler: String,
    /// How much more a path may take, in percent.
    pub tolerance_percent: f64,
    /// Instructions for each unit of a path, by its name.
    pub instructions: BTreeMap<String, f64>,
}

/// The record cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The disk says no.
    #[error("{}: {cause}", path.display())]
    File {
        /// Where it is.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It is not one.
    #[error("{}: {cause}", path.display())]
    Invalid {
        /// Where it is.
        path: PathBuf,
        /// Why.
        cause: toml::de::Error,
    },
}

impl Record {
    /// An empty one, with a tolerance of 5 %: what other machines' ways of copying bytes, and hash tables whose seeds differ, come to
    /// is less.
    pub fn new(compiler: &str) -> Record {
        Record { compiler: compiler.to_owned(), tolerance_percent: 5.0, instructions: BTreeMap::new() }
    }

    /// Reads one.
    ///
    /// # Errors
    /// It is not there, or is none.
    pub fn read(path: &Path) -> Result<Record, RecordError> {
        let text = fs::read_to_string(path)
            .map_err(|cause| RecordError::File { path: path.to_path_buf(), cause })?;
        toml::from_str(&text).map_err(|cause| RecordError::Invalid { path: path.to_path_buf(), cause })
    }

    /// Writes it.
    ///
    /// # Errors
    /// The disk says no.
    pub fn write(&self, path: &Path) -> Result<(), RecordError> {
        fs::write(path, self.to_text()).map_err(|cause| RecordError::File { path: path.to_path_buf(), cause })
    }

    fn to_text(&self) -> String {
        let mut text = format!(
            "{PREFACE}compiler = {:?}\ntolerance_percent = {:?}\n\n[instructions]\n",
            self.compiler, self.tolerance_percent
        );
        for (name, instructions) in &self.instructions {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name} = {instructions:.1}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut record = Record::new("rustc 1.95.0");
        record.instructions.insert("fanout-websocket".into(), 12.25);
        record.instructions.insert("filter".into(), 2000.0);
        let read: Record = toml::from_str(&record.to_text()).unwrap();
        assert_eq!(read.instructions["fanout-websocket"], 12.2);
        record.instructions.insert("fanout-websocket".into(), 12.2);
        assert_eq!(read, record);
    }

    #[test]
    fn there_is_one_for_each_path() {
        let record = Record::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("counts.toml")).unwrap();
        let recorded: Vec<_> = record.instructions.keys().map(String::as_str).collect();
        let mut names: Vec<_> = crate::HotPath::all().map(|path| path.name).collect();
        names.sort_unstable();
        assert_eq!(recorded, names);
    }
}
