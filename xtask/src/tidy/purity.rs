use std::path::Path;

use super::{Findings, TextFile, numbered};

/// What does not stand in code that has no clock, no sockets and no runtime.
const IMPURE: &[&str] =
    &["tokio", "std::time::Instant", "Instant::now", "SystemTime", "std::net", "async fn", ".await"];

/// The hub, the model and the pure part of each dialect do not wait, read a clock or open a socket.
pub(super) fn check(files: &[TextFile], findings: &mut Findings) {
    for file in files.iter().filter(|file| is_pure(&file.path)) {
        for (number, line) in numbered(&file.text) {
            let code = line.split("//").next().unwrap_or("");
            for word in IMPURE.iter().filter(|word| code.contains(**word)) {
                findings.problem(format!("{}:{number}: `{word}` in a pure part", file.path.display()));
            }
        }
    }
}

fn is_pure(path: &Path) -> bool {
    let parts: Vec<_> = path.iter().filter_map(|part| part.to_str()).collect();
    match parts.as_slice() {
        ["crates", "hub" | "model", "src", ..] => true,
        // All of Engine.IO but its driver.
        ["crates", "dialects", "engineio", "src", module, ..] => module.trim_end_matches(".rs") != "endpoint",
        ["crates", "dialects", _, "src", module, ..] => {
            matches!(module.trim_end_matches(".rs"), "wire" | "session")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pure_parts_are_read() {
        let problems = |path: &str, text: &str| {
            let mut findings = Findings::default();
            check(&[TextFile { path: path.into(), text: text.into() }], &mut findings);
            findings.problems.len()
        };
        let line = "use tokio::time;\n";
        assert_eq!(problems("crates/hub/src/ring.rs", line), 1);
        assert_eq!(problems("crates/dialects/http/src/session.rs", line), 1);
        assert_eq!(problems("crates/dialects/http/src/wire/sse.rs", line), 1);
        assert_eq!(problems("crates/dialects/engineio/src/handshake.rs", line), 1);
        assert_eq!(problems("crates/dialects/engineio/src/endpoint.rs", line), 0);
        assert_eq!(problems("crates/dialects/engineio/src/endpoint/timers.rs", line), 0);
        assert_eq!(problems("crates/dialects/http/src/routes.rs", line), 0);
        assert_eq!(problems("crates/net/src/worker.rs", line), 0);
        assert_eq!(problems("crates/hub/src/ring.rs", "// no tokio here\n"), 0);
    }
}
