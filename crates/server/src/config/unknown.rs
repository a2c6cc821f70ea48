//! Keys that mean nothing, and what may have been meant.

use std::cmp::Reverse;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::catalogue::{self, Key, Sort};

/// A key that means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    /// Where it is in the file, in bytes.
    pub(super) at: usize,
    /// Its place among the keys.
    pub(super) path: String,
    /// The key that is most like it.
    pub(super) nearest: Option<String>,
}

/// Every key of a file that means nothing, in the order of the file.
pub(super) fn in_file(table: &DeTable<'_>) -> Vec<Unknown> {
    let mut unknown = Vec::new();
    walk("", table, &mut unknown);
    unknown.sort_by_key(|unknown| unknown.at);
    unknown
}

fn walk(section: &str, table: &DeTable<'_>, unknown: &mut Vec<Unknown>) {
    for (name, value) in table {
        let dot = if section.is_empty() { "" } else { "." };
        let path = format!("{section}{dot}{}", name.get_ref());
        let listed = format!("{path}[]");
        match (catalogue::find(&path).or_else(|| catalogue::find(&listed)), value.get_ref()) {
            (None, _) => unknown.push(unknown_key(section, &path, name)),
            (Some(Key { sort: Sort::Table, .. }), DeValue::Table(table)) => walk(&path, table, unknown),
            (Some(Key { sort: Sort::Tables, .. }), DeValue::Array(tables)) => {
                for table in tables.iter().filter_map(|item| item.get_ref().as_table()) {
                    walk(&listed, table, unknown);
                }
            }
            // Of the right type or not: that is for the deserializer to say.
            (Some(_), _) => {}
        }
    }
}

fn unknown_key(section: &str, path: &str, name: &Spanned<DeString<'_>>) -> Unknown {
    let shown = path.replace("[]", "");
    Unknown { at: name.span().start, path: shown, nearest: nearest_key(section, name.get_ref()) }
}

/// The key most like this one: in its section, or else of the same name in another.
fn nearest_key(section: &str, name: &str) -> Option<String> {
    let siblings = catalogue::keys().iter().filter(|key| key.section() == section);
    let sibling = nearest(name, siblings.map(Key::name)).map(str::to_owned);
    sibling.or_else(|| {
        let elsewhere = catalogue::keys().iter().find(|key| key.name() == name)?;
        Some(elsewhere.path.replace("[]", ""))
    })
}

/// The environment variable most like this one.
pub(super) fn nearest_variable(name: &str) -> Option<String> {
    let variables: Vec<_> = catalogue::keys().iter().filter_map(Key::variable).collect();
    nearest(name, variables.iter().map(String::as_str)).map(str::to_owned)
}

/// The word most like this one, if it is like it at all.
fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |candidate: &str| (strsim::jaro_winkler(word, candidate) * 1000.0) as u32;
    let best = words.map(|candidate| (likeness(candidate), Reverse(candidate))).max()?;
    (best.0 >= 850).then_some(best.1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(text: &str) -> Vec<(String, Option<String>)> {
        let table = DeTable::parse(text).unwrap();
        in_file(table.get_ref()).into_iter().map(|unknown| (unknown.path, unknown.nearest)).collect()
    }

    #[test]
    fn the_nearest_key_is_named() {
        for (text, path, nearest) in [
            ("listne = []", "listne", Some("listen")),
            ("[limits]\nchanels_max = 1", "limits.chanels_max", Some("channels_max")),
            ("[limit]\nchannels_max = 1", "limit", Some("limits")),
            ("outbox_bytes_max = 1", "outbox_bytes_max", Some("limits.outbox_bytes_max")),
            ("[[rule]]\nchannel = \"a\"", "rule.channel", Some("channels")),
            ("[[org]]\nname = \"a\"\n[[org.key]]\nalow = []", "org.key.alow", Some("allow")),
            ("[[org]]\nname = \"a\"\n[[org.rule]]\nhistory = 1", "org.rule.history", Some("history_age")),
            ("[store]\nkinds = \"memory\"", "store.kinds", Some("kind")),
            ("xyzzy = 1", "xyzzy", None),
        ] {
            assert_eq!(unknown(text), [(path.to_owned(), nearest.map(str::to_owned))], "{text}");
        }
    }

    #[test]
    fn known_keys_are_passed_over() {
        assert_eq!(unknown("listen = 5\nworkers = 1\n[store]\nreaders = 1\n[[org]]\nrule = []"), []);
        assert_eq!(unknown("[demo.limits]\npublish_rate_per_org = { per_second = 5 }"), []);
    }

    #[test]
    fn all_of_them_are_found_in_order() {
        let found = unknown("b_ = 1\n[limits]\nc_ = 1\n[http]\na_ = 1");
        assert_eq!(
            found.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(),
            ["b_", "limits.c_", "http.a_"]
        );
    }
}
