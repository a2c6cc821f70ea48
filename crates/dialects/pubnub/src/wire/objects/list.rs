//! Which part of a list a request wants: `filter`, `sort`, `limit`, `count`, and where it begins or ends.

use antiphon_filter::Filter;
use antiphon_store::{Direction, ListQuery, Listed, SortField};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Invalid;
use crate::wire::query::Query;

/// How many objects one answer lists, at most and if the request does not say.
pub(crate) const OBJECTS_MAX: usize = 100;

/// How many fields a list is sorted by at most.
const SORT_FIELDS_MAX: usize = 10;

/// Where a list goes on: how many stand before that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor(pub(crate) u64);

impl Cursor {
    pub(crate) fn encode(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.to_string())
    }

    fn decode(text: &str) -> Option<Cursor> {
        let digits = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
        let digits = std::str::from_utf8(&digits).ok()?;
        // `parse` alone would also take a sign; and SQL counts no further.
        let offset: u64 = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
        (offset <= i64::MAX as u64).then_some(Cursor(offset))
    }
}

/// Reads what of a list a query wants.
///
/// # Errors
/// A parameter is not what it has to be; of a filter it is told where.
pub(crate) fn parse(query: &Query, listed: Listed) -> Result<ListQuery, Invalid> {
    let limit = limit(query)?;
    let (offset, limit) = match (cursor(query, "start")?, cursor(query, "end")?) {
        (Some(start), _) => (start.0, limit),
        (None, Some(end)) => {
            let offset = end.0.saturating_sub(limit as u64);
            (offset, usize::try_from(end.0 - offset).unwrap_or(limit))
        }
        (None, None) => (0, limit),
    };
    let filter = query.filled("filter").map(|text| filter(text, listed)).transpose()?;
    Ok(ListQuery { filter, sort: sort(query, listed)?, limit, offset, count: query.says_yes("count") })
}

/// SDKs ask for 0 where they want something done and nothing listed.
fn limit(query: &Query) -> Result<usize, Invalid> {
    if query.filled("limit").is_none() {
        return Ok(OBJECTS_MAX);
    }
    match query.number("limit") {
        Some(limit) => Ok(usize::try_from(limit).unwrap_or(OBJECTS_MAX).min(OBJECTS_MAX)),
        None => Err(Invalid::in_query("limit", format!("it is a number from 0 to {OBJECTS_MAX}"))),
    }
}

fn cursor(query: &Query, name: &str) -> Result<Option<Cursor>, Invalid> {
    let Some(text) = query.filled(name) else { return Ok(None) };
    let cursor = Cursor::decode(text);
    cursor.map(Some).ok_or_else(|| Invalid::in_query(name, "it is no cursor that a list was answered with"))
}

fn filter(text: &str, listed: Listed) -> Result<Filter, Invalid> {
    let filter = Filter::parse(text)
        .map_err(|error| Invalid::in_query("filter", format!("Malformed filter: {error}")))?;
    listed.check(&filter).map_err(|error| {
        let position = text.char_indices().take_while(|(at, _)| *at < error.at).count() + 1;
        let problem = error.problem;
        Invalid::in_query("filter", format!("Malformed filter: at character {position}: {problem}"))
    })?;
    Ok(filter)
}

/// Reads `sort`: `name`, `name:asc` or `name:desc`, joined by commas or repeated.
fn sort(query: &Query, listed: Listed) -> Result<Vec<(SortField, Direction)>, Invalid> {
    let each = query.all("sort").flat_map(|fields| fields.split(',')).map(str::trim);
    let mut sort = Vec::new();
    for text in each.filter(|text| !text.is_empty()) {
        let (name, direction) = match text.split_once(':') {
            None => (text, Direction::Ascending),
            Some((name, direction)) if direction.eq_ignore_ascii_case("asc") => (name, Direction::Ascending),
            Some((name, direction)) if direction.eq_ignore_ascii_case("desc") => {
                (name, Direction::Descending)
            }
            Some(_) => {
                return Err(Invalid::in_query(
                    "sort",
                    format!("{text:?} ends neither with :asc nor with :desc"),
                ));
            }
        };
        let field = field(listed, name);
        let field = field
            .ok_or_else(|| Invalid::in_query("sort", format!("there is no field {name:?} to sort by")))?;
        if sort.len() == SORT_FIELDS_MAX {
            return Err(Invalid::in_query("sort", format!("there are more than {SORT_FIELDS_MAX} fields")));
        }
        sort.push((field, direction));
    }
    Ok(sort)
}

/// A field to sort by. Some clients name the id and the name on a membership's other side as if they were its own.
fn field(listed: Listed, name: &str) -> Option<SortField> {
    listed.sort_field(name).or(match (listed, name) {
        (Listed::ChannelsOfUser | Listed::UsersOfChannel, "id") => Some(SortField::RelatedId),
        (Listed::ChannelsOfUser | Listed::UsersOfChannel, "name") => Some(SortField::RelatedName),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked(query: &str) -> Result<ListQuery, Invalid> {
        parse(&Query::parse(query), Listed::Objects)
    }

    fn location(query: &str) -> String {
        asked(query).unwrap_err().location
    }

    #[test]
    fn a_list_begins_or_ends_at_a_cursor() {
        assert_eq!(Cursor(1).encode(), "MQ");
        for (query, expected) in [
            ("", (0, 100)),
            ("limit=0", (0, 0)),
            ("limit=7", (0, 7)),
            ("limit=1000", (0, 100)),
            ("start=MQ", (1, 100)),
            ("start=MQ%3D%3D&limit=2", (1, 2)),
            ("end=MTA&limit=3", (7, 3)),
            ("end=Mg&limit=3", (0, 2)),
            ("start=MQ&end=MTA&limit=3", (1, 3)),
        ] {
            let list = asked(query).unwrap();
            assert_eq!((list.offset, list.limit), expected, "{query}");
        }
        for (query, expected) in [
            ("limit=-1", "limit"),
            ("start=%21", "start"),
            ("end=LTE", "end"),
            ("start=OTIyMzM3MjAzNjg1NDc3NTgwOA", "start"),
        ] {
            assert_eq!(location(query), expected, "{query}");
        }
        assert!(asked("count=True").unwrap().count && !asked("count=false").unwrap().count);
    }

    #[test]
    fn it_is_sorted_by_fields_that_there_are() {
        use Direction::{Ascending, Descending};
        let expected =
            [(SortField::Name, Ascending), (SortField::Updated, Descending), (SortField::Id, Ascending)];
        for query in ["sort=name&sort=updated%3Adesc&sort=id:asc", "sort=name:ASC,updated:DESC,%20id"] {
            assert_eq!(asked(query).unwrap().sort, expected, "{query}");
        }
        assert_eq!(asked("sort=").unwrap().sort, []);
        assert_eq!((location("sort=x"), location("sort=name:up")), ("sort".into(), "sort".into()));
        assert_eq!(location(&"sort=name&".repeat(SORT_FIELDS_MAX + 1)), "sort");
        let of_memberships =
            |query: &str| parse(&Query::parse(query), Listed::ChannelsOfUser).map(|list| list.sort);
        let expected = [(SortField::RelatedName, Descending), (SortField::Updated, Ascending)];
        assert_eq!(of_memberships("sort=channel.name:desc,updated").unwrap(), expected);
        assert_eq!(of_memberships("sort=name:desc,updated:asc").unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_with_a_filter_is_told_with_its_place() {
        assert!(
            asked("filter=name%20LIKE%20%22a*%22%20%26%26%20custom.x%20%3E%201").unwrap().filter.is_some()
        );
        let told = |filter: &str| {
            let error = asked(&format!("filter={filter}")).unwrap_err();
            assert_eq!((&*error.location, error.location_type), ("filter", "query"));
            error.message
        };
        assert_eq!(
            told("name%20%3D%3D"),
            "Malformed filter: at character 8: expected a field, a value, ! or ("
        );
        assert!(
            told("'%C3%BC'==name%20%26%26%20nme==1")
                .starts_with("Malformed filter: at character 14: there is no field nme")
        );
        assert!(told("channel.id==1").starts_with("Malformed filter: at character 1: "));
    }

    proptest! {
        #[test]
        fn cursors_come_back(offset in 0..=i64::MAX as u64) {
            prop_assert_eq!(Cursor::decode(&Cursor(offset).encode()), Some(Cursor(offset)));
        }

        #[test]
        fn nothing_panics_and_a_list_has_an_end(query: String, end: u64) {
            for listed in [Listed::Objects, Listed::ChannelsOfUser, Listed::UsersOfChannel] {
                for query in [&query, &format!("filter={query}&sort={query}&end={}", Cursor(end).encode())] {
                    if let Ok(list) = parse(&Query::parse(query), listed) {
                        prop_assert!(list.limit <= OBJECTS_MAX);
                        prop_assert!(list.sort.len() <= SORT_FIELDS_MAX);
                    }
                }
            }
        }
    }
}
