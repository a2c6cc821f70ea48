//! The configuration reference, made of the documentation of the settings.

use std::fmt::Write;

use super::catalogue::{self, Key, Sort};

const INTRODUCTION: &str = "\
# Configuration

Made by `antiphon check-config --reference`; do not edit by hand.

Settings come from the command line, the environment, and a TOML file, in this order; what none of them sets has its default. The file
is the one that `--config FILE` or `ANTIPHON_CONFIG` names; without either, none is read. Keys that mean nothing are
errors, in the file as in the environment. Relative paths are taken from the directory that the server is started in.

A key `key` at the top is `ANTIPHON_KEY` in the environment, and `key` in `[section]` is `ANTIPHON_SECTION__KEY`. Strings are not quoted there; lists
are TOML, or words with commas between them. Durations are strings like `\"250ms\"`, `\"25s\"`, `\"10m\"`, `\"1h\"` or `\"2d\"`, sizes are in bytes.

`antiphon check-config FILE` says what is wrong with a file, or prints what it comes to with all defaults and without secrets.

A small example:

```toml
listen = [\"0.0.0.0:8080\"]
data_dir = \"/var/lib/antiphon\"

[[org]]
name = \"acme\"
allowed_origins = [\"https://app.example.com\"]

[[org.key]]
key_file = \"/run/secrets/antiphon-admin\"
allow = [\"admin\"]

[[org.jwt]]
algorithm = \"HS256\"
secret_file = \"/run/secrets/antiphon-jwt\"

[[org.rule]]
channels = \"telemetry.*\"
persist = false
history_size = 100
```
";

/// The reference in Markdown: every key with its type, default, documentation and environment variable.
pub(crate) fn reference() -> String {
    let mut text = INTRODUCTION.to_owned();
    text.push_str("\n## At the top\n");
    for key in catalogue::keys() {
        // Writing to a string does not fail.
        let _ = match key.sort {
            Sort::Table | Sort::Tables => section(&mut text, key),
            Sort::Text | Sort::Scalar | Sort::List => setting(&mut text, key),
        };
    }
    text
}

fn section(text: &mut String, key: &Key) -> std::fmt::Result {
    let path = key.path.replace("[]", "");
    let header = if key.sort == Sort::Tables { format!("[[{path}]]") } else { format!("[{path}]") };
    write!(text, "\n## `{header}`\n\n{}\n", prose(&key.description))
}

fn setting(text: &mut String, key: &Key) -> std::fmt::Result {
    write!(text, "\n### `{}`\n{}", key.path.replace("[]", ""), key.kind)?;
    if let Some(default) = &key.default {
        write!(text, ", default `{default}`")?;
    }
    if let Some(variable) = key.variable() {
        write!(text, ", `{variable}`")?;
    }
    write!(text, "\n\n{}\n", prose(&key.description))
}

/// Paragraphs, each on one line.
fn prose(description: &str) -> String {
    let paragraphs =
        description.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_in_the_reference() {
        let text = reference();
        for key in catalogue::keys() {
            let path = key.path.replace("[]", "");
            let heading = match key.sort {
                Sort::Table => format!("\n## `[{path}]`\n"),
                Sort::Tables => format!("\n## `[[{path}]]`\n"),
                _ => format!("\n### `{path}`\n"),
            };
            assert!(text.contains(&heading), "{path}");
            if let Some(variable) = key.variable().filter(|_| key.sort != Sort::Tables) {
                assert!(text.contains(&format!("`{variable}`")), "{variable}");
            }
        }
    }

    #[test]
    fn the_example_is_a_valid_file() {
        let example = INTRODUCTION.split("```").nth(1).unwrap().trim_start_matches("toml");
        let settings: super::super::Settings = toml::from_str(example).unwrap();
        assert_eq!(settings.orgs[0].rules[0].history_size, 100);
    }
}
