//! Arguments of whatever kind, to send them on behind others or without some.

use std::collections::BTreeMap;

use antiphon::core::ArgumentsError;
use antiphon::{Binary, EventArguments, UnserializableArguments};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How many arguments an event of the tests has at most.
const ARGUMENTS_MAX: usize = 8;

/// A value with bytes in it or without.
#[derive(Clone, Deserialize, Serialize)]
#[serde(untagged)]
pub(crate) enum Any {
    // Before bytes, which a list of small numbers would be, too.
    List(Vec<Any>),
    Text(String),
    Bytes(Binary),
    Map(BTreeMap<String, Any>),
    Other(Value),
}

/// The arguments as values.
///
/// # Errors
/// There is text among them that is none: half of a surrogate pair.
pub(crate) fn values(arguments: &EventArguments) -> Result<Vec<Option<Any>>, ArgumentsError> {
    let all: [Option<Any>; ARGUMENTS_MAX] = arguments.parse()?;
    Ok(all.into_iter().take(arguments.len()).collect())
}

/// The arguments behind the first so many.
///
/// # Errors
/// As [`values`].
pub(crate) fn behind(
    count: usize,
    arguments: &EventArguments,
) -> Result<EventArguments, Box<dyn std::error::Error>> {
    let values = values(arguments)?;
    Ok(EventArguments::of_several(values.get(count..).unwrap_or_default())?)
}

/// Arguments with one before them, which may be nothing.
///
/// # Errors
/// As [`values`].
pub(crate) fn before(
    first: Option<&str>,
    arguments: &EventArguments,
) -> Result<EventArguments, Box<dyn std::error::Error>> {
    let first = first.map(|text| Any::Text(text.to_owned()));
    let all: Vec<_> = std::iter::once(first).chain(values(arguments)?).collect();
    Ok(EventArguments::of_several(&all)?)
}

/// No more than a word before nothing.
///
/// # Errors
/// None: text has a form.
pub(crate) fn only(text: &str) -> Result<EventArguments, UnserializableArguments> {
    EventArguments::of(text)
}

/// Rooms, as the tests name them: one, or a list.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Names {
    One(String),
    Several(Vec<String>),
}

impl Names {
    /// All of them.
    pub(crate) fn into_list(self) -> Vec<String> {
        match self {
            Names::One(name) => vec![name],
            Names::Several(names) => names,
        }
    }
}
