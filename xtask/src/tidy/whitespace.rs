use super::{Findings, TextFile, numbered};

/// No tabs, no blanks at the end of lines, no carriage returns, one newline at the end.
pub(super) fn check(files: &[TextFile], findings: &mut Findings) {
    // What a corpus holds was found by a fuzzer and stays as it is.
    for file in files.iter().filter(|file| !file.path.iter().any(|part| part == "corpus")) {
        let path = file.path.display();
        for (number, line) in numbered(&file.text) {
            if line.contains('\t') {
                findings.problem(format!("{path}:{number}: a tab"));
            }
            if line.ends_with([' ', '\t', '\r']) {
                findings.problem(format!("{path}:{number}: blanks at the end of the line"));
            }
        }
        let text = &file.text;
        if text.contains("\r\n") {
            findings.problem(format!("{path}: carriage returns"));
        }
        if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
            findings.problem(format!("{path}: does not end with one newline"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_found() {
        for (text, expected) in
            [("a\n", 0), ("", 0), ("a\tb\n", 1), ("a \n", 1), ("a", 1), ("a\n\n", 1), ("a\r\n", 1)]
        {
            let mut findings = Findings::default();
            check(&[TextFile { path: "a.md".into(), text: text.into() }], &mut findings);
            assert_eq!(findings.problems.len(), expected, "{text:?}");
        }
    }
}
