use std::cmp::Ordering;

use antiphon_filter::Path;

use crate::listing::Row;
use crate::{Direction, ListQuery, Listed, Membership, Object, StoreError, StoreSettings};

/// A page of a list.
pub(super) struct List<T> {
    pub(super) rows: Vec<T>,
    pub(super) total: Option<u64>,
    pub(super) more: bool,
}

/// What a list shows, with what it takes.
pub(super) trait Shown {
    fn bytes(&self) -> usize;
}

impl Shown for Object {
    fn bytes(&self) -> usize {
        Object::bytes(self)
    }
}

impl Shown for Membership {
    fn bytes(&self) -> usize {
        Membership::bytes(self)
    }
}

/// Does with rows what SQLite does with a query of the same words.
pub(super) fn list<R: Row, T: Shown>(
    mut rows: Vec<R>,
    listed: Listed,
    query: &ListQuery,
    settings: &StoreSettings,
    show: impl Fn(&R) -> T,
) -> Result<List<T>, StoreError> {
    check(listed, query)?;
    if let Some(filter) = &query.filter {
        rows.retain(|row| filter.matches(|path: &Path| row.value(listed, path)));
    }
    let total = query.count.then_some(rows.len() as u64);
    rows.sort_by(|a, b| order(a, b, listed, query));

    let limit = query.limit.min(settings.page_entries_max.max(1));
    let mut list = List { rows: Vec::new(), total, more: false };
    let mut bytes = 0;
    for row in rows.iter().skip(usize::try_from(query.offset).unwrap_or(usize::MAX)) {
        if list.rows.len() == limit {
            list.more = true;
            break;
        }
        let row = show(row);
        bytes += row.bytes();
        if bytes > settings.page_bytes_max && !list.rows.is_empty() {
            list.more = true;
            break;
        }
        list.rows.push(row);
    }
    Ok(list)
}

/// What SQLite would not do is not done here either.
fn check(listed: Listed, query: &ListQuery) -> Result<(), StoreError> {
    if let Some(filter) = &query.filter {
        listed.check(filter).map_err(|error| StoreError::BadQuery(error.to_string().into()))?;
    }
    query.sort.iter().try_for_each(|(field, _)| listed.sort_column(*field).map(drop))
}

fn order<R: Row>(a: &R, b: &R, listed: Listed, query: &ListQuery) -> Ordering {
    let directed = |order: Ordering, direction| match direction {
        Direction::Ascending => order,
        Direction::Descending => order.reverse(),
    };
    let by_fields = query
        .sort
        .iter()
        .map(|(field, direction)| directed(a.key(listed, *field).cmp(&b.key(listed, *field)), *direction));
    let last = query.sort.last().map(|(_, direction)| *direction).unwrap_or_default();
    by_fields
        .fold(Ordering::Equal, Ordering::then)
        .then_with(|| directed(a.id(listed).cmp(b.id(listed)), last))
}
