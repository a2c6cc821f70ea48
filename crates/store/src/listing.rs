//! Lists of objects and memberships: what their fields are called in filters and orders, in SQL and in memory.
//!
//! Whatever is written in SQL of this is written here; what a client sends is bound to it.

use std::borrow::Cow;
use std::fmt::Write as _;

use antiphon_filter::{Column, Columns, Filter, NotInSql, Path, Segment, Value, find};
use antiphon_model::Timestamp;

use crate::{Membership, Object, Of, StoreError};

/// What a list is to show.
#[derive(Clone, Debug, PartialEq)]
pub struct ListQuery {
    /// What is shown; all if there is none.
    pub filter: Option<Filter>,
    /// In which order, the first field being the most important. Where they leave it open, by id, in the direction of the last.
    pub sort: Vec<(SortField, Direction)>,
    /// How many at most; a page may be shorter (`page_entries_max`, `page_bytes_max`) and says so by `more`.
    pub limit: usize,
    /// How many of the first are left out.
    pub offset: u64,
    /// Whether to count all that the filter lets through.
    pub count: bool,
}

/// A field that lists can be sorted by. Texts stand in the order of their UTF-8 bytes, and what is not there before all that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortField {
    /// An object's id.
    Id,
    /// An object's name.
    Name,
    /// The status of an object or of a membership.
    Status,
    /// The type of an object or of a membership.
    Type,
    /// When an object or a membership was last set.
    Updated,
    /// The id of the object on a membership's other side.
    RelatedId,
    /// Its name.
    RelatedName,
    /// Its status.
    RelatedStatus,
    /// Its type.
    RelatedType,
    /// When it was last set.
    RelatedUpdated,
}

/// Which way a list is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// The least first.
    #[default]
    Ascending,
    /// The greatest first.
    Descending,
}

/// What is listed, which says what fields there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Users or channels: `id`, `name`, `externalId`, `profileUrl`, `email`, `description`, `status`, `type`, `updated` (a time as
    /// [`iso_text`] writes it), `custom` and what is in it.
    Objects,
    /// The memberships of a user: `status`, `type`, `updated` and `custom` of their own, and the fields of the channel behind `channel`.
    ChannelsOfUser,
    /// The memberships of a channel: `status`, `type`, `updated` and `custom` of their own, and the fields of the user behind `uuid`.
    UsersOfChannel,
}

impl Listed {
    /// Whether a list of this can have a filter.
    ///
    /// # Errors
    /// It names a field that there is not, or has what lists have not: arithmetic, `CONTAINS`, a field without a comparison.
    pub fn check(self, filter: &Filter) -> Result<(), NotInSql> {
        filter.to_sql(&self).map(drop)
    }

    /// The field of this name to sort by: `id`, `name`, `status`, `type` and `updated`; of memberships without the first two, and with all of
    /// them behind `channel.` or `uuid.`. None if there is none.
    pub fn sort_field(self, name: &str) -> Option<SortField> {
        let field = match (self.related(), name) {
            (None, "id") => SortField::Id,
            (None, "name") => SortField::Name,
            (_, "status") => SortField::Status,
            (_, "type") => SortField::Type,
            (_, "updated") => SortField::Updated,
            (Some(related), name) => match name.strip_prefix(related)?.strip_prefix('.')? {
                "id" => SortField::RelatedId,
                "name" => SortField::RelatedName,
                "status" => SortField::RelatedStatus,
                "type" => SortField::RelatedType,
                "updated" => SortField::RelatedUpdated,
                _ => return None,
            },
            _ => return None,
        };
        Some(field)
    }

    pub(crate) fn of(of: &Of) -> Listed {
        match of {
            Of::User(_) => Listed::ChannelsOfUser,
            Of::Channel(_) => Listed::UsersOfChannel,
        }
    }

    /// What the fields of a membership's other side stand behind.
    fn related(self) -> Option<&'static str> {
        match self {
            Listed::Objects => None,
            Listed::ChannelsOfUser => Some("channel"),
            Listed::UsersOfChannel => Some("uuid"),
        }
    }

    /// The column of the id by which a list is sorted at last.
    pub(crate) fn id_column(self) -> &'static str {
        match self {
            Listed::Objects => "o.id",
            Listed::ChannelsOfUser => "m.channel",
            Listed::UsersOfChannel => "m.user",
        }
    }

    /// The column to sort by.
    pub(crate) fn sort_column(self, field: SortField) -> Result<&'static str, StoreError> {
        Ok(match (self, field) {
            (Listed::Objects, SortField::Id) => "o.id",
            (Listed::Objects, SortField::Name) => "o.name",
            (Listed::Objects, SortField::Status) => "o.status",
            (Listed::Objects, SortField::Type) => "o.type",
            (Listed::Objects, SortField::Updated) => "o.updated",
            (Listed::Objects, _) | (_, SortField::Id | SortField::Name) => return Err(no_such_order()),
            (_, SortField::Status) => "m.status",
            (_, SortField::Type) => "m.type",
            (_, SortField::Updated) => "m.updated",
            (_, SortField::RelatedId) => self.id_column(),
            (_, SortField::RelatedName) => "o.name",
            (_, SortField::RelatedStatus) => "o.status",
            (_, SortField::RelatedType) => "o.type",
            (_, SortField::RelatedUpdated) => "o.updated",
        })
    }
}

fn no_such_order() -> StoreError {
    StoreError::BadQuery("a list cannot be sorted by a field that it does not have".into())
}

/// In SQL objects are `o` and memberships `m`.
impl Columns for Listed {
    fn column(&self, path: &Path) -> Option<Column> {
        let (name, inside) = split(&path.0)?;
        if self.related() == Some(name) {
            return match split(inside)? {
                ("id", []) => Some(Column::Text(self.id_column())),
                (name, inside) => object_column(name, inside),
            };
        }
        match self {
            Listed::Objects => object_column(name, inside),
            _ => membership_column(name, inside),
        }
    }
}

fn split(path: &[Segment]) -> Option<(&str, &[Segment])> {
    match path.split_first()? {
        (Segment::Name(name), inside) => Some((name, inside)),
        (Segment::Index(_), _) => None,
    }
}

fn object_column(name: &str, inside: &[Segment]) -> Option<Column> {
    if name == "custom" {
        return Some(Column::Json("o.custom", inside.to_vec()));
    }
    let column = match name {
        "id" => "o.id",
        "name" => "o.name",
        "externalId" => "o.external_id",
        "profileUrl" => "o.profile_url",
        "email" => "o.email",
        "description" => "o.description",
        "status" => "o.status",
        "type" => "o.type",
        "updated" => {
            "(strftime('%Y-%m-%dT%H:%M:%S', o.updated / 10000000, 'unixepoch') \
             || printf('.%06dZ', o.updated / 10 % 1000000))"
        }
        _ => return None,
    };
    inside.is_empty().then_some(Column::Text(column))
}

fn membership_column(name: &str, inside: &[Segment]) -> Option<Column> {
    if name == "custom" {
        return Some(Column::Json("m.custom", inside.to_vec()));
    }
    let column = match name {
        "status" => "m.status",
        "type" => "m.type",
        "updated" => {
            "(strftime('%Y-%m-%dT%H:%M:%S', m.updated / 10000000, 'unixepoch') \
             || printf('.%06dZ', m.updated / 10 % 1000000))"
        }
        _ => return None,
    };
    inside.is_empty().then_some(Column::Text(column))
}

/// A row of a list in memory.
pub(crate) trait Row {
    /// What the columns of [`Listed`] are in SQL.
    fn value(&self, listed: Listed, path: &Path) -> Value<'_>;

    /// What [`Listed::sort_column`] is in SQL.
    fn key(&self, listed: Listed, field: SortField) -> Key<'_>;

    /// What [`Listed::id_column`] is in SQL.
    fn id(&self, listed: Listed) -> &str;
}

/// What rows are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key<'a> {
    Text(Option<&'a str>),
    Time(Option<Timestamp>),
}

impl Row for &Object {
    fn value(&self, _: Listed, path: &Path) -> Value<'_> {
        split(&path.0).map_or(Value::Null, |(name, inside)| object_value(self, name, inside))
    }

    fn key(&self, _: Listed, field: SortField) -> Key<'_> {
        match field {
            SortField::Id => Key::Text(Some(&self.id)),
            SortField::Name => Key::Text(self.name.as_deref()),
            SortField::Status => Key::Text(self.status.as_deref()),
            SortField::Type => Key::Text(self.kind.as_deref()),
            SortField::Updated => Key::Time(Some(self.updated)),
            _ => Key::Text(None),
        }
    }

    fn id(&self, _: Listed) -> &str {
        &self.id
    }
}

/// A membership with the object on its other side.
impl Row for (&Membership, Option<&Object>) {
    fn value(&self, listed: Listed, path: &Path) -> Value<'_> {
        let Some((name, inside)) = split(&path.0) else { return Value::Null };
        if listed.related() != Some(name) {
            return membership_value(self.0, name, inside);
        }
        match (split(inside), self.1) {
            (Some(("id", [])), _) => Value::Text(self.id(listed).into()),
            (Some((name, inside)), Some(object)) => object_value(object, name, inside),
            _ => Value::Null,
        }
    }

    fn key(&self, listed: Listed, field: SortField) -> Key<'_> {
        let (membership, related) = *self;
        match field {
            SortField::Status => Key::Text(membership.status.as_deref()),
            SortField::Type => Key::Text(membership.kind.as_deref()),
            SortField::Updated => Key::Time(Some(membership.updated)),
            SortField::RelatedId => Key::Text(Some(self.id(listed))),
            SortField::RelatedName => Key::Text(related.and_then(|related| related.name.as_deref())),
            SortField::RelatedStatus => Key::Text(related.and_then(|related| related.status.as_deref())),
            SortField::RelatedType => Key::Text(related.and_then(|related| related.kind.as_deref())),
            SortField::RelatedUpdated => Key::Time(related.map(|related| related.updated)),
            SortField::Id | SortField::Name => Key::Text(None),
        }
    }

    fn id(&self, listed: Listed) -> &str {
        match listed {
            Listed::UsersOfChannel => &self.0.user,
            _ => &self.0.channel,
        }
    }
}

fn object_value<'a>(object: &'a Object, name: &str, inside: &[Segment]) -> Value<'a> {
    match name {
        "custom" => json(object.custom.as_deref(), inside),
        "id" => Value::Text(Cow::Borrowed(&object.id)),
        "name" => text(object.name.as_deref()),
        "externalId" => text(object.external_id.as_deref()),
        "profileUrl" => text(object.profile_url.as_deref()),
        "email" => text(object.email.as_deref()),
        "description" => text(object.description.as_deref()),
        "status" => text(object.status.as_deref()),
        "type" => text(object.kind.as_deref()),
        "updated" => Value::Text(iso_text(object.updated).into()),
        _ => Value::Null,
    }
}

fn membership_value<'a>(membership: &'a Membership, name: &str, inside: &[Segment]) -> Value<'a> {
    match name {
        "custom" => json(membership.custom.as_deref(), inside),
        "status" => text(membership.status.as_deref()),
        "type" => text(membership.kind.as_deref()),
        "updated" => Value::Text(iso_text(membership.updated).into()),
        _ => Value::Null,
    }
}

fn text(text: Option<&str>) -> Value<'_> {
    text.map_or(Value::Null, |text| Value::Text(text.into()))
}

fn json<'a>(json: Option<&'a str>, inside: &[Segment]) -> Value<'a> {
    json.map_or(Value::Null, |json| find(json, inside))
}

/// A time in the form of ISO 8601, with microseconds and in UTC, like `2020-09-30T13:58:47.604494Z`.
pub fn iso_text(time: Timestamp) -> String {
    let (seconds, micros) = (time.as_secs(), time.0 / 10 % 1_000_000);
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let mut text = String::with_capacity(27);
    let _ = write!(text, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z");
    text
}

/// The year, month and day of a day since the epoch. Years begin in March here, so that the leap day is the last of one.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_microseconds() {
        for (time, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (16_014_743_276_044_949, "2020-09-30T13:58:47.604494Z"),
            (9_516_383_990_000_019, "2000-02-27T07:59:59.000001Z"),
            (9_518_111_990_000_019, "2000-02-29T07:59:59.000001Z"),
            (41_024_447_999_999_999, "2099-12-31T23:59:59.999999Z"),
            (2_534_023_007_999_999_990, "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(iso_text(Timestamp(time)), expected);
        }
    }

    #[test]
    fn fields_are_those_of_what_is_listed() {
        let check = |listed: Listed, filter| listed.check(&Filter::parse(filter).unwrap()).is_ok();
        for (filter, objects, channels, users) in [
            (
                "id == 'a' && name == 'b' && externalId == '' && profileUrl == '' && email == ''",
                true,
                false,
                false,
            ),
            ("description LIKE '*'", true, false, false),
            ("status == 'a' || type == 'b' || updated > '2020' || custom.a.b[0] == 1", true, true, true),
            ("custom == null", true, true, true),
            ("channel.id == 'a' && channel.custom.x == 1 && channel.updated > ''", false, true, false),
            ("uuid.id == 'a' && uuid.name LIKE '*' && uuid.email != null", false, false, true),
            ("uuid == 'a'", false, false, false),
            ("name.x == 'a'", false, false, false),
            ("rowid == 1", false, false, false),
            ("custom.a CONTAINS 'x'", false, false, false),
        ] {
            assert_eq!(check(Listed::Objects, filter), objects, "{filter}");
            assert_eq!(check(Listed::ChannelsOfUser, filter), channels, "{filter}");
            assert_eq!(check(Listed::UsersOfChannel, filter), users, "{filter}");
        }
        assert_eq!(Listed::Objects.sort_field("name"), Some(SortField::Name));
        assert_eq!(Listed::ChannelsOfUser.sort_field("channel.name"), Some(SortField::RelatedName));
        for (listed, name) in [
            (Listed::Objects, "channel.name"),
            (Listed::ChannelsOfUser, "name"),
            (Listed::ChannelsOfUser, "uuid.name"),
            (Listed::UsersOfChannel, "uuidname"),
            (Listed::UsersOfChannel, "uuid.custom"),
        ] {
            assert_eq!(listed.sort_field(name), None, "{name}");
        }
    }
}
