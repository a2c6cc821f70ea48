use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::config::catalogue;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows of the tables of `docs/limits.md`: setting, default, what it protects, where it is enforced, and the test that proves it.
fn rows(text: &str) -> Vec<[&str; 5]> {
    let cells = |line: &'_ str| line.trim_matches('|').split(" | ").map(str::trim).count();
    let rows = text.lines().filter(|line| line.starts_with("| `") && cells(line) == 5);
    rows.map(|line| {
        let mut cells = line.trim_matches('|').split(" | ").map(str::trim);
        std::array::from_fn(|_| cells.next().unwrap_or_default())
    })
    .collect()
}

/// Keys as the table has them: a rate is one, and the open org's limits are every org's.
fn limits() -> BTreeSet<String> {
    let keys = catalogue::keys().iter().map(|key| key.path.replace("[]", ""));
    let keys = keys.filter(|path| !path.starts_with("demo."));
    let keys = keys.map(|path| {
        let rate = [".burst", ".per_second"].into_iter().find_map(|end| path.strip_suffix(end));
        rate.map(str::to_owned).unwrap_or(path)
    });
    let sections = ["limits.", "org.limits.", "timeouts."];
    let is_limit = |path: &String| sections.iter().any(|one| path.starts_with(one)) || path.ends_with("_max");
    keys.filter(is_limit).collect()
}

#[test]
fn the_table_has_every_limit_and_its_tests_are_there() {
    let text = std::fs::read_to_string(repository().join("docs/limits.md")).unwrap();
    let rows = rows(&text);
    let listed: BTreeSet<_> = rows.iter().map(|[key, ..]| key.trim_matches('`').to_owned()).collect();
    let missing: Vec<_> = limits().into_iter().filter(|limit| !listed.contains(limit)).collect();
    assert!(missing.is_empty(), "docs/limits.md does not have {missing:?}");
    let known = |key: &str| {
        let paths = catalogue::keys().iter().map(|one| one.path.replace("[]", ""));
        paths.into_iter().any(|path| path == key || path.starts_with(&format!("{key}.")))
    };
    for [key, _, _, _, test] in rows {
        assert!(known(key.trim_matches('`')), "docs/limits.md has {key}, which is no setting");
        if test == "none" {
            continue;
        }
        let [file, name] = test.split_once(' ').map_or([test, ""], |(file, name)| [file, name]);
        let [file, name] = [file, name].map(|part| part.trim_matches('`'));
        let source = std::fs::read_to_string(repository().join(file)).unwrap_or_default();
        assert!(source.contains(&format!("fn {name}(")), "{key}: there is no {name} in {file}");
    }
}
