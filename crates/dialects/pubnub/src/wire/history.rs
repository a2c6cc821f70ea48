//! Requests for history: which part of a channel they mean. How it is written is in `write`.

pub(crate) mod write;

use antiphon_model::Position;
use antiphon_store::End;

use super::query::Query;

/// How many messages of one channel a request gets, if it asks for more or does not say.
pub(crate) const MESSAGES_MAX: usize = 100;

/// The same where several channels or the actions on messages are asked for.
pub(crate) const MESSAGES_MAX_OF_MANY: usize = 25;

/// A part of a channel: what stands after one position and not after another, and from which end of it messages are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Exclusive.
    pub(crate) after: Position,
    /// Inclusive.
    pub(crate) until: Position,
    /// Which messages, if there are more than are asked for.
    pub(crate) from: End,
}

/// Something of a request is not what it has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid Arguments")]
pub(crate) struct InvalidArguments;

const FIRST: Position = Position(0);
const LAST: Position = Position(u64::MAX);

impl Span {
    /// The part between `start`, exclusive, and `end`, inclusive, whichever is the later.
    ///
    /// `start` alone is what is older, `end` alone is that and what is newer; with `from` [`End::Oldest`], as v2 says by `reverse`, it is the
    /// other way round. Where `start` is the earlier, messages are taken from there.
    pub(crate) fn new(start: Option<Position>, end: Option<Position>, from: End) -> Span {
        let (after, until, from) = match (start, end, from) {
            (None, None, from) => (FIRST, LAST, from),
            (Some(start), None, End::Newest) => (FIRST, before(start), from),
            (Some(start), None, End::Oldest) => (start, LAST, from),
            (None, Some(end), End::Newest) => (before(end), LAST, from),
            (None, Some(end), End::Oldest) => (FIRST, end, from),
            (Some(start), Some(end), from) if start > end => (before(end), before(start), from),
            (Some(start), Some(end), _) => (start, end, End::Oldest),
        };
        Span { after, until, from }
    }

    /// The part that a query asks for by `start` and `end`.
    ///
    /// # Errors
    /// One of them is no timetoken.
    pub(crate) fn parse(query: &Query, from: End) -> Result<Span, InvalidArguments> {
        Ok(Span::new(timetoken(query, "start")?, timetoken(query, "end")?, from))
    }

    /// The part that a query asks to be deleted: after `start` and up to `end`, the whole channel if it names neither.
    ///
    /// # Errors
    /// One of them is no timetoken.
    pub(crate) fn to_delete(query: &Query) -> Result<Span, InvalidArguments> {
        match (timetoken(query, "start")?, timetoken(query, "end")?) {
            (Some(start), None) => Ok(Span { after: start, until: LAST, from: End::Oldest }),
            (None, Some(end)) => Ok(Span { after: FIRST, until: end, from: End::Oldest }),
            (start, end) => Ok(Span::new(start, end, End::Oldest)),
        }
    }

    /// Whether nothing can be in it.
    pub(crate) fn is_empty(self) -> bool {
        self.after >= self.until
    }
}

/// How many messages a query asks for by `name`, at most `max`; `max` if it does not say.
///
/// # Errors
/// It is no number.
pub(crate) fn limit(query: &Query, name: &str, max: usize) -> Result<usize, InvalidArguments> {
    if query.filled(name).is_none() {
        return Ok(max);
    }
    let asked = query.number(name).ok_or(InvalidArguments)?;
    let asked = usize::try_from(asked).unwrap_or(max);
    Ok(if asked == 0 { max } else { asked.min(max) })
}

/// From which position the messages of each channel are counted: `timetoken` for all, or `channelsTimetoken` with one for each.
///
/// # Errors
/// There is neither, one is no timetoken, or there are not as many as channels.
pub(crate) fn count_from<'c>(
    query: &Query,
    channels: &[&'c str],
) -> Result<Vec<(&'c str, Position)>, InvalidArguments> {
    let positions: Vec<Position> = match (query.filled("timetoken"), query.filled("channelsTimetoken")) {
        (Some(one), None) => vec![position(one)?; channels.len()],
        (None, Some(each)) => each.split(',').map(position).collect::<Result<_, _>>()?,
        _ => return Err(InvalidArguments),
    };
    if channels.is_empty() || channels.len() != positions.len() {
        // One for all of them may come by either name.
        return match *positions {
            [one] if !channels.is_empty() => Ok(channels.iter().map(|channel| (*channel, one)).collect()),
            _ => Err(InvalidArguments),
        };
    }
    Ok(channels.iter().copied().zip(positions).collect())
}

fn timetoken(query: &Query, name: &str) -> Result<Option<Position>, InvalidArguments> {
    query.filled(name).map(position).transpose()
}

fn position(text: &str) -> Result<Position, InvalidArguments> {
    text.trim().parse().map_err(|_| InvalidArguments)
}

fn before(position: Position) -> Position {
    Position(position.0.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(query: &str, from: End) -> Option<(u64, u64, End)> {
        Span::parse(&Query::parse(query), from).ok().map(|span| (span.after.0, span.until.0, span.from))
    }

    #[test]
    fn start_is_exclusive_and_end_inclusive() {
        const NEWEST: End = End::Newest;
        const OLDEST: End = End::Oldest;
        for (query, from, expected) in [
            ("", NEWEST, Some((0, u64::MAX, NEWEST))),
            ("start=20", NEWEST, Some((0, 19, NEWEST))),
            ("end=20", NEWEST, Some((19, u64::MAX, NEWEST))),
            ("start=20&end=10", NEWEST, Some((9, 19, NEWEST))),
            ("start=10&end=20", NEWEST, Some((10, 20, OLDEST))),
            // One message by itself, as chats ask for it.
            ("start=11&end=10", NEWEST, Some((9, 10, NEWEST))),
            ("start=9&end=10", NEWEST, Some((9, 10, OLDEST))),
            ("start=0", NEWEST, Some((0, 0, NEWEST))),
            ("", OLDEST, Some((0, u64::MAX, OLDEST))),
            ("start=20", OLDEST, Some((20, u64::MAX, OLDEST))),
            ("end=20", OLDEST, Some((0, 20, OLDEST))),
            ("start=20&end=10", OLDEST, Some((9, 19, OLDEST))),
            ("start=", OLDEST, Some((0, u64::MAX, OLDEST))),
            ("start=x", NEWEST, None),
            ("end=-1", NEWEST, None),
            ("end=123456789012345678901", NEWEST, None),
        ] {
            assert_eq!(span(query, from), expected, "{query}");
        }
    }

    #[test]
    fn what_is_deleted_lies_between() {
        let deleted = |query| Span::to_delete(&Query::parse(query)).map(|span| (span.after.0, span.until.0));
        assert_eq!(deleted(""), Ok((0, u64::MAX)));
        assert_eq!(deleted("start=9&end=10"), Ok((9, 10)));
        assert_eq!(deleted("start=11&end=10"), Ok((9, 10)));
        assert_eq!(deleted("start=9"), Ok((9, u64::MAX)));
        assert_eq!(deleted("end=9"), Ok((0, 9)));
        assert!(deleted("end=nine").is_err());
        assert!(Span::to_delete(&Query::parse("start=9&end=9")).is_ok_and(Span::is_empty));
    }

    #[test]
    fn more_than_there_may_be_is_as_many_as_there_may_be() {
        let limit = |query: &str| limit(&Query::parse(query), "max", 25);
        for (query, expected) in
            [("", 25), ("max=3", 3), ("max=0", 25), ("max=26", 25), ("max=99999999999999999", 25)]
        {
            assert_eq!(limit(query), Ok(expected), "{query}");
        }
        assert_eq!(limit("max=-1"), Err(InvalidArguments));
    }

    #[test]
    fn counts_begin_at_one_place_or_at_one_for_each() {
        let from = |query: &str, channels: &[&'static str]| {
            let each = count_from(&Query::parse(query), channels)?;
            Ok(each.into_iter().map(|(channel, position)| (channel, position.0)).collect::<Vec<_>>())
        };
        assert_eq!(from("timetoken=5", &["a", "b"]), Ok(vec![("a", 5), ("b", 5)]));
        assert_eq!(from("channelsTimetoken=5%2C6", &["a", "b"]), Ok(vec![("a", 5), ("b", 6)]));
        assert_eq!(from("channelsTimetoken=5", &["a", "b"]), Ok(vec![("a", 5), ("b", 5)]));
        assert_eq!(from("channelsTimetoken=5, 6", &["a", "b"]), Ok(vec![("a", 5), ("b", 6)]));
        for query in
            ["", "timetoken=x", "channelsTimetoken=5,6,7", "timetoken=5&channelsTimetoken=5,6", "timetoken="]
        {
            assert_eq!(from(query, &["a", "b"]), Err(InvalidArguments), "{query}");
        }
        assert_eq!(from("timetoken=5", &[]), Err(InvalidArguments));
    }

    proptest! {
        #[test]
        fn nothing_panics(start: Option<u64>, end: Option<u64>, query: String) {
            for from in [End::Oldest, End::Newest] {
                let span = Span::new(start.map(Position), end.map(Position), from);
                // What is asked for by both lies between them.
                if let (Some(start), Some(end)) = (start, end) {
                    prop_assert!(span.until.0 <= start.max(end));
                    prop_assert!(span.after.0 >= start.min(end).saturating_sub(1));
                }
                let _ = Span::parse(&Query::parse(&query), from);
            }
            let _ = count_from(&Query::parse(&query), &["a"]);
        }
    }
}
