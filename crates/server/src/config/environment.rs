//! Settings from environment variables: `ANTIPHON_<KEY>` and `ANTIPHON_<SECTION>__<KEY>`.

use std::ffi::OsString;

use toml::{Table, Value};

use super::catalogue::{self, ENVIRONMENT_PREFIX, Key, Sort};
use super::unknown::nearest_variable;

/// Variables of this prefix that are options of the command line, or belong to what starts the binary.
const NOT_SETTINGS: [&str; 10] =
    ["CONFIG", "LOG", "LOG_FORMAT", "URL", "TOKEN", "IDENTITY", "CA_FILE", "CERT_FILE", "KEY_FILE", "BIN"];

/// Kubernetes gives every container variables like these for a service that is called `antiphon`.
const SERVICE_LINKS: [&str; 3] = ["SERVICE_HOST", "SERVICE_PORT", "PORT"];

/// A setting from the environment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Variable {
    pub(super) name: String,
    key: &'static str,
    value: Value,
}

/// A variable that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidVariable {
    /// It sets nothing.
    #[error("{name}: there is no such setting{}", suggestion(nearest.as_deref()))]
    Unknown {
        /// Its name.
        name: String,
        /// The variable that is most like it.
        nearest: Option<String>,
    },
    /// Not text.
    #[error("{0}: not UTF-8")]
    NotText(String),
}

pub(super) fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default()
}

/// The settings among these variables, by name.
pub(super) fn read(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<Variable>, InvalidVariable> {
    let mut settings = Vec::new();
    for (name, text) in variables {
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(ENVIRONMENT_PREFIX)) else {
            continue;
        };
        let name = format!("{ENVIRONMENT_PREFIX}{rest}");
        if NOT_SETTINGS.contains(&rest) || is_service_link(rest) {
            continue;
        }
        let key = catalogue::keys().iter().find(|key| key.variable().as_ref() == Some(&name));
        let Some(key) = key else {
            let nearest = nearest_variable(&name);
            return Err(InvalidVariable::Unknown { name, nearest });
        };
        let Some(text) = text.to_str() else { return Err(InvalidVariable::NotText(name)) };
        settings.push(Variable { name, key: &key.path, value: value(key, text) });
    }
    settings.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(settings)
}

fn is_service_link(rest: &str) -> bool {
    SERVICE_LINKS
        .iter()
        .any(|link| rest.strip_prefix(link).is_some_and(|more| more.is_empty() || more.starts_with('_')))
}

/// Strings are taken as they are, so that none has to be quoted; lists are TOML, or words with commas between them.
fn value(key: &Key, text: &str) -> Value {
    let string = || Value::String(text.to_owned());
    match key.sort {
        Sort::Text => string(),
        Sort::Scalar | Sort::Table => in_toml(text).unwrap_or_else(string),
        Sort::List | Sort::Tables => in_toml(text).filter(Value::is_array).unwrap_or_else(|| {
            let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
            Value::Array(words.map(|word| Value::String(word.to_owned())).collect())
        }),
    }
}

fn in_toml(text: &str) -> Option<Value> {
    let mut table: Table = toml::from_str(&format!("value = {}", text.trim())).ok()?;
    // More than one key is more than a value.
    if table.len() == 1 { table.remove("value") } else { None }
}

impl Variable {
    /// Puts the value where its key is.
    pub(super) fn apply(&self, settings: &mut Table) {
        let mut parts = self.key.trim_end_matches("[]").split('.').peekable();
        let mut table = settings;
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                table.insert(part.to_owned(), self.value.clone());
                return;
            }
            let entry = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
            // What a file has put in the place of a section is refused when the file is read.
            let Value::Table(next) = entry else { return };
            table = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(name: &str, text: &str) -> Result<Table, InvalidVariable> {
        let mut table = Table::new();
        for variable in read([(name.into(), text.into())])? {
            variable.apply(&mut table);
        }
        Ok(table)
    }

    #[test]
    fn values_are_read_as_the_setting_s_type() {
        for (name, text, expected) in [
            ("ANTIPHON_LISTEN", "127.0.0.1:1", "listen = [\"127.0.0.1:1\"]"),
            ("ANTIPHON_LISTEN", "127.0.0.1:1, [::1]:2", "listen = [\"127.0.0.1:1\", \"[::1]:2\"]"),
            ("ANTIPHON_LISTEN", "[\"127.0.0.1:1\"]", "listen = [\"127.0.0.1:1\"]"),
            ("ANTIPHON_DATA_DIR", "5", "data_dir = \"5\""),
            ("ANTIPHON_WORKERS", " 5 ", "workers = 5"),
            ("ANTIPHON_WORKERS", "many", "workers = \"many\""),
            ("ANTIPHON_WORKERS", "5\nlisten = 1", "workers = \"5\\nlisten = 1\""),
            ("ANTIPHON_ALLOW_DEMO", "true", "allow_demo = true"),
            ("ANTIPHON_TIMEOUTS__DRAIN", "5s", "[timeouts]\ndrain = \"5s\""),
            ("ANTIPHON_LIMITS__REPLIES_MAX", "7", "[limits]\nreplies_max = 7"),
            ("ANTIPHON_DEMO__LIMITS__PAYLOAD_BYTES_MAX", "7", "[demo.limits]\npayload_bytes_max = 7"),
            ("ANTIPHON_ORG", "[{ name = \"a\" }]", "[[org]]\nname = \"a\""),
            ("PATH", "/bin", ""),
            ("ANTIPHON_URL", "http://127.0.0.1", ""),
            ("ANTIPHON_PORT_8080_TCP_ADDR", "10.0.0.1", ""),
            ("ANTIPHON_SERVICE_HOST", "10.0.0.1", ""),
        ] {
            let expected: Table = toml::from_str(expected).unwrap();
            assert_eq!(settings(name, text), Ok(expected), "{name}={text}");
        }
    }

    #[test]
    fn variables_that_set_nothing_are_refused() {
        for (name, nearest) in [
            ("ANTIPHON_LISTNE", Some("ANTIPHON_LISTEN")),
            ("ANTIPHON_LIMITS_REPLIES_MAX", Some("ANTIPHON_LIMITS__REPLIES_MAX")),
            ("ANTIPHON_LIMITS__REPLYS_MAX", Some("ANTIPHON_LIMITS__REPLIES_MAX")),
            ("ANTIPHON_PORTAL", None),
        ] {
            let error = settings(name, "1").unwrap_err();
            let InvalidVariable::Unknown { nearest: found, .. } = &error else { panic!("{error}") };
            if nearest.is_some() {
                assert_eq!(found.as_deref(), nearest, "{name}");
            }
        }
    }
}
