use std::path::Path;

use super::{Findings, TextFile, numbered};

/// Links in Markdown to other files of the repository lead somewhere.
pub(super) fn check(root: &Path, files: &[TextFile], findings: &mut Findings) {
    for file in files.iter().filter(|file| file.path.extension().is_some_and(|extension| extension == "md")) {
        let directory = root.join(file.path.parent().unwrap_or(Path::new("")));
        let mut in_code = false;
        for (number, line) in numbered(&file.text) {
            if line.trim_start().starts_with("```") {
                in_code = !in_code;
            }
            if in_code {
                continue;
            }
            for target in targets(line).filter(|target| !leads_elsewhere(target)) {
                let path = target.split('#').next().unwrap_or(target);
                if !directory.join(path).exists() {
                    findings.problem(format!("{}:{number}: {target} is not there", file.path.display()));
                }
            }
        }
    }
}

/// What stands in `](…)`, without a title. Code spans are left out.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let outside_of_code = line.split('`').step_by(2);
    outside_of_code.flat_map(|text| {
        let after_texts = text.split("](").skip(1);
        after_texts.filter_map(|rest| rest.split([')', ' ']).next())
    })
}

/// To another site, or to a heading of the same page.
fn leads_elsewhere(target: &str) -> bool {
    target.contains("://") || target.starts_with("mailto:") || target.starts_with('#') || target.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_off_a_line() {
        let line = "See [a](docs/a.md#top), `[b](b)`, [c](c.md \"title\") and [`d`](d.md).";
        assert_eq!(targets(line).collect::<Vec<_>>(), ["docs/a.md#top", "c.md", "d.md"]);
    }

    #[test]
    fn links_to_nowhere_are_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = "[a](Cargo.toml) [b](missing.md)\n```\n[c](missing.md)\n```\n[d](#top) [e](https://example.org/)\n";
        let mut findings = Findings::default();
        check(root, &[TextFile { path: "README.md".into(), text: text.into() }], &mut findings);
        assert_eq!(findings.problems, ["README.md:1: missing.md is not there"]);
    }
}
