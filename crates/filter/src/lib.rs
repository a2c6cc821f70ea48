//! Filter expressions, like `meta.level > 2 && data.text LIKE "*urgent*"`.
//!
//! One grammar for all that is filtered by what it says: [`Filter::parse`] makes an [`Expression`] of a text, which is
//! evaluated over the JSON of a message ([`Filter::matches`]) or compiled to SQL with bound parameters ([`Filter::to_sql`]).
//! Both agree on what a filter means. Whatever text a peer sends is bounded in length and depth, and a text that means nothing is
//! told where ([`InvalidFilter`]).
//!
//! | | from the weakest |
//! |---|---|
//! | logic | `a \|\| b`, `a && b`, `!a` |
//! | comparison | `== != < <= > >=`, `LIKE` with `*` for any run of characters, `CONTAINS` |
//! | arithmetic | `+ -`, `* / %`, `-a` |
//! | values | `"text"`, `'text'`, `1.5e3`, `true`, `false`, `null`, `(…)`, fields |
//! | fields | `a.b`, `a["b"]`, `a[0]` |
//!
//! What is not there is `null`. Values of different types are not equal, and none is less than the other. Letters of ASCII are alike
//! to `LIKE` in upper and lower case.
#![forbid(unsafe_code)]

mod compare;
mod error;
mod evaluate;
mod expression;
mod field;
mod like;
mod parse;
mod sql;

mod value;

pub use error::InvalidFilter;
pub use expression::{Expression, Operation, Operator, Path, Segment};
pub use field::find;
pub use sql::{Column, Columns, NotInSql, Parameter, Sql};

pub use value::{Number, Value};

/// How many bytes a filter's text may have.
pub const FILTER_BYTES_MAX: usize = 4096;

/// How deep expressions may be nested.
pub const FILTER_DEPTH_MAX: usize = 64;

/// A filter that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    expression: Expression,
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// It is none, is longer than [`FILTER_BYTES_MAX`], or nested deeper than [`FILTER_DEPTH_MAX`].
    pub fn parse(text: &str) -> Result<Filter, InvalidFilter> {
        if text.len() > FILTER_BYTES_MAX {
            return Err(InvalidFilter::too_long());
        }
        parse::filter(text).map(|expression| Filter { expression })
    }

    /// What it says.
    pub fn expression(&self) -> &Expression {
        &self.expression
    }
}
