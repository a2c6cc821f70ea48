//! Lists of rows by a filter and an order. What is written in SQL comes from `crate::listing`; all else is bound.

use std::sync::Arc;
use std::time::{Duration, Instant};

use antiphon_filter::Parameter;
use antiphon_model::OrgId;
use parking_lot::Mutex;
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params_from_iter};

use super::database::sqlite_error;
use super::reader::Reading;
use crate::{Direction, ListQuery, Listed, StoreError};

/// Where rows come from.
pub(super) struct Source<'a, B> {
    pub(super) listed: Listed,
    pub(super) columns: &'a str,
    pub(super) from: &'a str,
    pub(super) condition: &'a str,
    /// What is bound in `from` and `condition`, given the number of the org.
    pub(super) bound: B,
}

/// A page of a list.
pub(super) struct List<T> {
    pub(super) rows: Vec<T>,
    pub(super) total: Option<u64>,
    pub(super) more: bool,
}

/// Steps of SQLite's machine between two looks at the clock: a fraction of a millisecond.
const STEPS_BETWEEN_LOOKS: i32 = 4000;

/// The number of an org, if it has one.
pub(super) fn org(connection: &Connection, org: &OrgId) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM orgs WHERE name = ?1")?
        .query_row([org.as_str()], |row| row.get(0))
        .optional()
}

/// Reads a page of a list, and counts it if asked for, as of one moment.
pub(super) fn list<T>(
    reading: &Reading<'_>,
    org_id: &OrgId,
    source: &Source<'_, impl Fn(i64) -> Vec<Value>>,
    query: &ListQuery,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    bytes: impl Fn(&T) -> usize,
) -> Result<List<T>, StoreError> {
    let Query { condition, parameters, order } = compile(source.listed, query)?;
    let nothing = List { rows: Vec::new(), total: query.count.then_some(0), more: false };
    let found = || {
        let snapshot = reading.connection.unchecked_transaction()?;
        let Some(org) = org(reading.connection, org_id)? else {
            return Ok(nothing);
        };
        let mut bound = (source.bound)(org);
        bound.extend(parameters);
        let rows = format!("FROM {} WHERE {}{condition}", source.from, source.condition);
        let total = match query.count {
            true => Some(count(reading.connection, &format!("SELECT count(*) {rows}"), &bound)?),
            false => None,
        };
        let limit = query.limit.min(reading.limits.entries);
        bound.push(Value::Integer(limit as i64 + 1));
        bound.push(Value::Integer(i64::try_from(query.offset).unwrap_or(i64::MAX)));
        let sql = format!("SELECT {} {rows} ORDER BY {order} LIMIT ? OFFSET ?", source.columns);
        // Filters are the clients': no use to keep what is made of them.
        let mut select = reading.connection.prepare(&sql)?;
        let mut found = select.query(params_from_iter(bound))?;
        let mut list = List { rows: Vec::new(), total, more: false };
        let mut size = 0;
        while let Some(row) = found.next()? {
            if list.rows.len() == limit {
                list.more = true;
                break;
            }
            let row = read(row)?;
            size += bytes(&row);
            if size > reading.limits.bytes && !list.rows.is_empty() {
                list.more = true;
                break;
            }
            list.rows.push(row);
        }
        drop(snapshot);
        Ok(list)
    };
    in_time(reading, found)
}

fn count(connection: &Connection, sql: &str, bound: &[Value]) -> rusqlite::Result<u64> {
    let count: i64 = connection.prepare(sql)?.query_row(params_from_iter(bound), |row| row.get(0))?;
    Ok(count as u64)
}

/// What is particular to a query.
struct Query {
    /// With ` AND ` before it, or nothing.
    condition: String,
    parameters: Vec<Value>,
    order: String,
}

fn compile(listed: Listed, query: &ListQuery) -> Result<Query, StoreError> {
    let (mut condition, mut parameters) = (String::new(), Vec::new());
    if let Some(filter) = &query.filter {
        let sql = filter.to_sql(&listed).map_err(|error| StoreError::BadQuery(error.to_string().into()))?;
        condition = format!(" AND ({})", sql.condition);
        parameters = sql.parameters.into_iter().map(value).collect();
    }
    let mut order = String::new();
    for (field, direction) in &query.sort {
        order.push_str(listed.sort_column(*field)?);
        order.push_str(word(*direction));
        order.push_str(", ");
    }
    order.push_str(listed.id_column());
    order.push_str(word(query.sort.last().map(|(_, direction)| *direction).unwrap_or_default()));
    Ok(Query { condition, parameters, order })
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Ascending => "",
        Direction::Descending => " DESC",
    }
}

fn value(parameter: Parameter) -> Value {
    match parameter {
        Parameter::Integer(integer) => Value::Integer(integer),
        Parameter::Real(real) => Value::Real(real),
        Parameter::Text(text) => Value::Text(text),
    }
}

/// Runs `read`, but for no longer than a list may take.
fn in_time<T>(reading: &Reading<'_>, read: impl FnOnce() -> rusqlite::Result<T>) -> Result<T, StoreError> {
    reading.deadline.set(Some(Instant::now() + Duration::from_millis(reading.list_millis_max)));
    let result = read();
    reading.deadline.set(None);
    result.map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => StoreError::TooExpensive,
        _ => sqlite_error(error),
    })
}

/// When what a connection does is interrupted.
#[derive(Clone, Default)]
pub(super) struct Deadline(Arc<Mutex<Option<Instant>>>);

impl Deadline {
    /// One that a connection minds.
    pub(super) fn of(connection: &mut Connection) -> rusqlite::Result<Deadline> {
        let deadline = Deadline::default();
        let minded = deadline.clone();
        let is_late = move || minded.0.lock().is_some_and(|at| Instant::now() >= at);
        connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(is_late))?;
        Ok(deadline)
    }

    fn set(&self, at: Option<Instant>) {
        *self.0.lock() = at;
    }
}
