use std::fmt;
use std::io::{self, Write};

use antiphon_access::Permission;
use antiphon_model::ChannelPattern;
use serde::{Deserialize, Serialize};

use crate::client::Printable;

/// A credential as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Listed {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) source: String,
    pub(super) allow: Vec<Permission>,
    pub(super) channels: Vec<ChannelPattern>,
}

/// Prints credentials for people: a line each, in columns.
pub(super) fn print(credentials: &[Listed], out: &mut impl Write) -> io::Result<()> {
    let head = ["KIND", "NAME", "SOURCE", "ALLOW", "CHANNELS"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(credentials.iter().map(Listed::columns)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3].map(width);
    for [kind, name, source, allow, channels] in &rows {
        let [kinds, names, sources, allowed] = widths;
        writeln!(out, "{kind:kinds$}  {name:names$}  {source:sources$}  {allow:allowed$}  {channels}")?;
    }
    Ok(())
}

/// Prints credentials for programs: a JSON array.
pub(super) fn print_json(credentials: &[Listed], out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, credentials)?;
    out.write_all(b"\n")
}

impl Listed {
    fn columns(&self) -> [String; 5] {
        [
            // As it is given to `revoke`.
            Printable(&self.kind.replace('_', "-")).to_string(),
            Printable(&self.name).to_string(),
            Printable(&self.source).to_string(),
            joined(self.allow.iter()),
            Printable(&joined(self.channels.iter().map(ChannelPattern::as_str))).to_string(),
        ]
    }
}

fn joined<T: fmt::Display>(items: impl Iterator<Item = T>) -> String {
    let items: Vec<_> = items.map(|item| item.to_string()).collect();
    if items.is_empty() { "-".into() } else { items.join(",") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(kind: &str, name: &str, allow: &[Permission], channels: &[&str]) -> Listed {
        Listed {
            kind: kind.into(),
            name: name.into(),
            source: "store".into(),
            allow: allow.to_vec(),
            channels: channels.iter().map(|pattern| ChannelPattern::new(pattern)).collect(),
        }
    }

    fn printed(print: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        print(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let credentials = [
            listed("consumer_app", "ü", &[], &["*"]),
            listed("user", "ann@\u{1b}", &[Permission::Publish, Permission::Subscribe], &["a.*", "b"]),
        ];
        let expected = "\
KIND          NAME        SOURCE  ALLOW              CHANNELS
consumer-app  ü           store   -                  *
user          ann@\\u{1b}  store   publish,subscribe  a.*,b
";
        assert_eq!(printed(|out| print(&credentials, out)), expected);
        assert_eq!(printed(|out| print(&[], out)), "KIND  NAME  SOURCE  ALLOW  CHANNELS\n");
    }

    #[test]
    fn programs_get_an_array() {
        let credentials = [listed("device", "door", &[Permission::Publish], &["*"])];
        let printed = printed(|out| print_json(&credentials, out));
        assert_eq!(serde_json::from_str::<Vec<Listed>>(&printed).unwrap(), credentials);
        assert!(printed.contains("\"kind\": \"device\"") && printed.contains("\"channels\": ["), "{printed}");
    }
}
