use std::path::Path;

use super::{Findings, TextFile, numbered};

/// Past this, a file has a second idea in it.
const LINES_MAX: usize = 800;
/// Past this, a file is worth a look.
const LINES_COMFORTABLE: usize = 400;

/// What is not left behind.
const LEFTOVERS: &[&str] = &["#[ignore", "todo!(", "unimplemented!(", "dbg!(", "TODO", "FIXME"];

/// The files that may hold unsafe code, each for the reason that stands in it.
const UNSAFE_ALLOWED: &[&str] = &["crates/net/src/allocator.rs", "crates/net/src/readiness.rs"];

/// What every other crate says of it.
const FORBID_UNSAFE: &str = "#![forbid(unsafe_code)]";

/// Rules for each Rust file on its own.
pub(super) fn check(files: &[TextFile], findings: &mut Findings) {
    for file in files.iter().filter(|file| file.path.extension().is_some_and(|extension| extension == "rs")) {
        check_length(file, findings);
        // These rules name what they forbid.
        if !file.path.starts_with("xtask/src/tidy") {
            check_lines(file, findings);
        }
        if is_crate_root(&file.path) && !file.text.starts_with("//!") {
            findings.problem(format!("{} does not begin with what the crate is for", file.path.display()));
        }
        if is_crate_root(&file.path) && !may_hold_unsafe(&file.path) && !file.text.contains(FORBID_UNSAFE) {
            findings.problem(format!("{} does not have `{FORBID_UNSAFE}`", file.path.display()));
        }
    }
}

fn check_length(file: &TextFile, findings: &mut Findings) {
    let lines = file.text.lines().count();
    if lines > LINES_MAX {
        findings.problem(format!("{} has {lines} lines, more than {LINES_MAX}", file.path.display()));
    } else if lines > LINES_COMFORTABLE {
        findings.note(format!("{} has {lines} lines", file.path.display()));
    }
}

fn check_lines(file: &TextFile, findings: &mut Findings) {
    let may_be_unsafe = UNSAFE_ALLOWED.iter().any(|allowed| file.path == Path::new(allowed));
    for (number, line) in numbered(&file.text) {
        for leftover in LEFTOVERS.iter().filter(|leftover| line.contains(**leftover)) {
            findings.problem(format!("{}:{number}: `{leftover}` is left behind", file.path.display()));
        }
        if !may_be_unsafe && (line.contains("allow(unsafe_code") || line.contains("expect(unsafe_code")) {
            findings.problem(format!(
                "{}:{number}: unsafe code is allowed here; list the file in {} if it has to be",
                file.path.display(),
                file!()
            ));
        }
    }
}

fn is_crate_root(path: &Path) -> bool {
    path.ends_with("src/lib.rs") || path.ends_with("src/main.rs")
}

/// Whether a file of this crate root's crate is among those that may hold unsafe code.
fn may_hold_unsafe(root: &Path) -> bool {
    UNSAFE_ALLOWED.iter().any(|allowed| Path::new(allowed).parent() == root.parent())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> usize {
        let mut findings = Findings::default();
        check(&[TextFile { path: path.into(), text: text.into() }], &mut findings);
        findings.problems.len()
    }

    #[test]
    fn leftovers_and_unsafe_code_are_found() {
        assert_eq!(problems("crates/hub/src/ring.rs", "fn f() { todo!() }\n"), 1);
        assert_eq!(problems("crates/hub/src/ring.rs", "#![allow(unsafe_code)]\n"), 1);
        assert_eq!(problems("crates/hub/src/ring.rs", "fn f() {}\n"), 0);
    }

    #[test]
    fn crates_say_what_they_are_for() {
        assert_eq!(problems("crates/hub/src/lib.rs", "#![forbid(unsafe_code)]\n\nmod ring;\n"), 1);
        assert_eq!(problems("crates/hub/src/lib.rs", "//! The hub.\n#![forbid(unsafe_code)]\n"), 0);
    }

    #[test]
    fn crates_forbid_unsafe_code_unless_a_file_of_theirs_may_hold_it() {
        assert_eq!(problems("crates/hub/src/lib.rs", "//! The hub.\n"), 1);
        assert_eq!(problems("crates/net/src/lib.rs", "//! Sockets.\n"), 0);
    }

    #[test]
    fn long_files_fail() {
        assert_eq!(problems("crates/hub/src/ring.rs", &"\n".repeat(LINES_MAX)), 0);
        assert_eq!(problems("crates/hub/src/ring.rs", &"\n".repeat(LINES_MAX + 1)), 1);
    }
}
