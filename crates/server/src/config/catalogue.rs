//! Every key of the configuration, read off the schema of [`Settings`].

use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::settings::Settings;

/// What environment variables that set something begin with.
pub(crate) const ENVIRONMENT_PREFIX: &str = "ANTIPHON_";

/// A key that holds a value, or a section that holds keys.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// Its place, like `limits.channels_max`; `org[].name` is the name of each `[[org]]`.
    pub(crate) path: String,
    pub(crate) sort: Sort,
    /// The type in words.
    pub(crate) kind: String,
    /// Its documentation.
    pub(crate) description: String,
    /// The default as TOML, if it has one.
    pub(crate) default: Option<String>,
}

/// What can stand at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// A string: taken from the environment as it is.
    Text,
    /// A number or a boolean.
    Scalar,
    /// A list of values.
    List,
    /// A section with keys of its own.
    Table,
    /// A list of sections.
    Tables,
}

impl Key {
    /// The last part of its path.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or(&self.path).trim_end_matches("[]")
    }

    /// The path of the section that it is in; empty at the top.
    pub(crate) fn section(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// The environment variable that sets it, if one can.
    pub(crate) fn variable(&self) -> Option<String> {
        let inside_list = self.section().contains("[]");
        if inside_list || self.sort == Sort::Table {
            return None;
        }
        let path = self.path.trim_end_matches("[]").replace('.', "__");
        Some(format!("{ENVIRONMENT_PREFIX}{}", path.to_ascii_uppercase()))
    }
}

/// All keys, sections before what is in them, in the order of the schema.
pub(crate) fn keys() -> &'static [Key] {
    static KEYS: OnceLock<Vec<Key>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let root = schemars::schema_for!(Settings).to_value();
        let mut keys = Vec::new();
        Reader { root: &root }.read("", &root, None, &mut keys);
        keys
    })
}

/// The key at a path.
pub(crate) fn find(path: &str) -> Option<&'static Key> {
    keys().iter().find(|key| key.path == path)
}

struct Reader<'a> {
    root: &'a Value,
}

impl<'a> Reader<'a> {
    /// Adds the keys of a section: those that hold values, then the sections in it.
    fn read(&self, path: &str, section: &'a Value, defaults: Option<&'a Value>, keys: &mut Vec<Key>) {
        let none = Map::new();
        let properties = section["properties"].as_object().unwrap_or(&none);
        let entries: Vec<_> = properties
            .iter()
            .map(|(name, property)| {
                let default = defaults.and_then(|all| all.get(name)).or_else(|| property.get("default"));
                (self.key(path, name, property, default), self.resolve(property), default)
            })
            .collect();
        let is_section = |key: &Key| matches!(key.sort, Sort::Table | Sort::Tables);
        keys.extend(entries.iter().map(|(key, ..)| key).filter(|key| !is_section(key)).cloned());
        for (key, schema, default) in entries {
            if !is_section(&key) {
                continue;
            }
            let (path, tables) = (key.path.clone(), key.sort == Sort::Tables);
            keys.push(key);
            match tables {
                true => self.read(&path, self.resolve(&schema["items"]), None, keys),
                false => self.read(&path, schema, default.filter(|default| default.is_object()), keys),
            }
        }
    }

    fn key(&self, section: &str, name: &str, property: &Value, default: Option<&Value>) -> Key {
        let schema = self.resolve(property);
        let sort = self.sort(schema);
        let dot = if section.is_empty() { "" } else { "." };
        let brackets = if sort == Sort::Tables { "[]" } else { "" };
        let description = [property, schema].into_iter().find_map(|schema| schema["description"].as_str());
        Key {
            path: format!("{section}{dot}{name}{brackets}"),
            sort,
            kind: self.kind(schema),
            description: description.unwrap_or_default().to_owned(),
            default: default.filter(|default| !default.is_null()).map(in_toml),
        }
    }

    /// Follows references, and what may also be absent to what it is if it is there.
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        if let Some(pointer) = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
            return self.root.pointer(pointer).map_or(schema, |target| self.resolve(target));
        }
        let present = schema["anyOf"].as_array().and_then(|any| any.iter().find(|one| one["type"] != "null"));
        present.map_or(schema, |present| self.resolve(present))
    }

    fn sort(&self, schema: &Value) -> Sort {
        match type_name(schema) {
            "object" => Sort::Table,
            "array" if schema["items"]["$ref"].is_string() && self.holds_sections(schema) => Sort::Tables,
            "array" => Sort::List,
            "boolean" | "integer" | "number" => Sort::Scalar,
            _ => Sort::Text,
        }
    }

    fn holds_sections(&self, list: &Value) -> bool {
        let reference = list["items"]["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        let items = reference.and_then(|pointer| self.root.pointer(pointer));
        items.is_some_and(|items| type_name(items) == "object")
    }

    fn kind(&self, schema: &'a Value) -> String {
        if let Some(words) = words(schema) {
            return words;
        }
        match type_name(schema) {
            "array" => format!("list of {}", self.kind(self.resolve(&schema["items"]))),
            "object" => "table".into(),
            _ => match schema["title"].as_str() {
                Some(title) => title.into(),
                None => type_name(schema).into(),
            },
        }
    }
}

/// The type of what is there, if it is there.
fn type_name(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(name) => name,
        Value::Array(names) => {
            names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or("string")
        }
        _ => "string",
    }
}

/// The words that an enumeration consists of.
fn words(schema: &Value) -> Option<String> {
    let quoted = |word: &Value| word.as_str().map(|word| format!("\"{word}\""));
    let listed = schema["enum"].as_array().map(|all| all.iter().filter_map(quoted).collect::<Vec<_>>());
    let described = || {
        let one_of = schema["oneOf"].as_array()?.iter();
        let words = one_of.flat_map(|one| match one["enum"].as_array() {
            Some(several) => several.iter().filter_map(quoted).collect::<Vec<_>>(),
            None => quoted(&one["const"]).into_iter().collect(),
        });
        Some(words.collect::<Vec<_>>())
    };
    listed.or_else(described).filter(|words| !words.is_empty()).map(|words| words.join(" or "))
}

/// A JSON value as it is written in TOML, on one line.
fn in_toml(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(in_toml).collect::<Vec<_>>().join(", "))
        }
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            let pairs = members.map(|(name, value)| format!("{name} = {}", in_toml(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_type_and_documentation() {
        let (mut undocumented, mut untyped) = (Vec::new(), Vec::new());
        for key in keys() {
            if key.description.is_empty() {
                undocumented.push(&key.path);
            }
            if key.kind.is_empty() {
                untyped.push(&key.path);
            }
        }
        assert!(undocumented.is_empty() && untyped.is_empty(), "{undocumented:?} {untyped:?}");
    }

    #[test]
    fn keys_are_read_off_the_schema() {
        for (path, sort, kind, default, variable) in [
            ("listen", Sort::List, "list of IP:port", Some(r#"["127.0.0.1:8080"]"#), Some("ANTIPHON_LISTEN")),
            ("workers", Sort::Scalar, "integer", None, Some("ANTIPHON_WORKERS")),
            ("timeouts.drain", Sort::Text, "duration", Some(r#""10s""#), Some("ANTIPHON_TIMEOUTS__DRAIN")),
            (
                "store.kind",
                Sort::Text,
                r#""sqlite" or "memory""#,
                Some(r#""sqlite""#),
                Some("ANTIPHON_STORE__KIND"),
            ),
            ("store.readers", Sort::Scalar, "integer", Some("2"), Some("ANTIPHON_STORE__READERS")),
            ("http.batch_max", Sort::Scalar, "integer", Some("1000"), Some("ANTIPHON_HTTP__BATCH_MAX")),
            ("org[]", Sort::Tables, "list of table", None, Some("ANTIPHON_ORG")),
            (
                "org[].key[].allow",
                Sort::List,
                "list of \"publish\" or \"subscribe\" or \"history\" or \"presence\" or \"admin\"",
                None,
                None,
            ),
            ("org[].rule[].history_age", Sort::Text, "duration or \"forever\"", Some(r#""7d""#), None),
            (
                "demo.limits.publish_rate_per_org.burst",
                Sort::Scalar,
                "integer",
                None,
                Some("ANTIPHON_DEMO__LIMITS__PUBLISH_RATE_PER_ORG__BURST"),
            ),
        ] {
            let key = find(path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!((key.sort, key.kind.as_str()), (sort, kind), "{path}");
            if sort != Sort::Tables {
                assert_eq!(key.default.as_deref(), default, "{path}");
            }
            assert_eq!(key.variable().as_deref(), variable, "{path}");
        }
    }
}
