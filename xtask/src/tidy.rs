//! The rules of the house that no ready-made lint knows. Each module is one rule or a few of a kind.

mod arrows;
mod links;
mod purity;
mod rust;
mod whitespace;

use std::fs;
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::command::{command, run as run_command, succeeds};
use crate::workspace::Workspace;

/// A text file of the repository.
pub(crate) struct TextFile {
    /// Relative to the root.
    path: PathBuf,
    text: String,
}

/// What the rules have to say.
#[derive(Default)]
struct Findings {
    /// Rules that are broken.
    problems: Vec<String>,
    /// What is worth a look, and allowed.
    notes: Vec<String>,
}

impl Findings {
    fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    fn into_outcome(self) -> Outcome {
        for note in self.notes {
            println!("note: {note}");
        }
        for problem in &self.problems {
            println!("tidy: {problem}");
        }
        match self.problems.len() {
            0 => Ok(()),
            count => Err(format!("{count} broken rules").into()),
        }
    }
}

/// Checks this repository.
///
/// # Errors
/// A rule is broken.
pub(crate) fn run() -> Outcome {
    check(&Workspace::here())?;
    println!("All tidy.");
    Ok(())
}

/// Checks a repository.
///
/// # Errors
/// A rule is broken.
pub(crate) fn check(workspace: &Workspace) -> Outcome {
    let metadata = workspace.metadata()?;
    let files = text_files(workspace)?;
    let mut findings = Findings::default();
    arrows::check(workspace, &metadata, &mut findings);
    purity::check(&files, &mut findings);
    rust::check(&files, &mut findings);
    whitespace::check(&files, &mut findings);
    links::check(&workspace.root, &files, &mut findings);
    findings.into_outcome()?;
    check_spelling(&workspace.root)
}

/// All files of the repository that are text: UTF-8 without NUL.
fn text_files(workspace: &Workspace) -> Outcome<Vec<TextFile>> {
    let mut files = Vec::new();
    for path in workspace.files()? {
        let bytes = fs::read(workspace.root.join(&path))?;
        if let Ok(text) = String::from_utf8(bytes)
            && !text.contains('\0')
        {
            files.push(TextFile { path, text });
        }
    }
    Ok(files)
}

fn check_spelling(root: &Path) -> Outcome {
    if !succeeds(command("typos", root).arg("--version")) {
        println!("note: typos is not installed; spelling is not checked");
        return Ok(());
    }
    run_command(&mut command("typos", root))
}

/// The lines of a text with their numbers as people count them.
fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}
