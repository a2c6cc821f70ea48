//! History, message counts, and deleting what was said.

mod actions;

use std::sync::Arc;

use antiphon_access::pam::Bits;
use antiphon_model::{ChannelId, Position, Publication};
use antiphon_node::{Between, DeleteFailed, End};
use http::StatusCode;

use crate::answer::{self, Answer};
use crate::request::Request;
use crate::wire::error::Refusal;
use crate::wire::history::write::{self, Include, More, Token, V3};
use crate::wire::history::{InvalidArguments, MESSAGES_MAX, MESSAGES_MAX_OF_MANY, Span, count_from, limit};
use crate::wire::names;

/// How often the store is asked again for one page: it gives fewer than are asked for where messages are long.
const ROUNDS_MAX: usize = 32;

/// `GET /v2/history/sub-key/{sub}/channel/{channel}`
pub(super) async fn v2(request: Request) -> Answer {
    request.may_on([request.path.of("channel")], Bits::READ)?;
    let channel = request.channel("channel")?;
    let query = &request.query;
    let from = if query.says_yes("reverse") { End::Oldest } else { End::Newest };
    let span = Span::parse(query, from)?;
    let limit = limit(query, "count", MESSAGES_MAX)?;
    let publications = read(&request, &channel, span, limit).await?;
    let token = match (query.says_yes("include_token"), query.says_yes("string_message_token")) {
        (false, _) => Token::None,
        (true, false) => Token::Number,
        (true, true) => Token::Text,
    };
    let meta = query.says_yes("include_meta").into();
    Ok(answer::written(write::v2(publications.iter().map(|publication| &**publication), token, meta)))
}

/// `GET /v3/history/sub-key/{sub}/channel/{channels}`
pub(super) async fn v3(request: Request) -> Answer {
    let names = channels(&request)?;
    request.may_on(names.iter().copied(), Bits::READ)?;
    let max = if names.len() == 1 { MESSAGES_MAX } else { MESSAGES_MAX_OF_MANY };
    let limit = limit(&request.query, "max", max)?;
    let span = Span::parse(&request.query, End::Newest)?;
    let mut answer = V3::new(include(&request));
    for name in &names {
        let channel = names::channel(name)?;
        let publications = read(&request, &channel, span, limit).await?;
        answer.channel(name, publications.iter().map(|publication| &**publication), None);
        if names.len() > 1 && answer.len() > request.settings().history_bytes_max {
            return Err(Refusal::bad("Response too large: ask for fewer channels or messages"));
        }
    }
    Ok(answer::written(answer.finish(None)))
}

/// `GET /v3/history-with-actions/sub-key/{sub}/channel/{channel}`
pub(super) async fn with_actions(request: Request) -> Answer {
    let [name] = *channels(&request)? else {
        return Err(Refusal::bad("Only one channel is supported with actions"));
    };
    request.may_on([name], Bits::READ)?;
    let channel = names::channel(name)?;
    let limit = limit(&request.query, "max", MESSAGES_MAX_OF_MANY)?;
    let span = Span::parse(&request.query, End::Newest)?;
    let mut publications = read(&request, &channel, span, limit).await?;
    let (actions, complete) = actions::on(&request, &channel, &mut publications).await?;
    let mut answer = V3::new(include(&request));
    answer.channel(name, publications.iter().map(|publication| &**publication), Some(&actions));
    let more = match publications.first() {
        Some(oldest) if !complete => Some(More {
            path: request.head.uri.path().into(),
            start: oldest.position,
            end: request.query.filled("end").and_then(|end| end.parse().ok()),
            max: limit,
        }),
        _ => None,
    };
    Ok(answer::written(answer.finish(more.as_ref())))
}

/// `DELETE /v3/history/sub-key/{sub}/channel/{channel}`
pub(super) async fn delete(request: Request) -> Answer {
    request.may_on([request.path.of("channel")], Bits::DELETE)?;
    let channel = request.channel("channel")?;
    let span = Span::to_delete(&request.query)?;
    if !span.is_empty() {
        request.node().delete_history(&request.caller, &channel, span.after, span.until).await?;
    }
    Ok(answer::written(write::DELETED))
}

/// `GET /v3/history/sub-key/{sub}/message-counts/{channels}`
pub(super) async fn counts(request: Request) -> Answer {
    let names: Vec<&str> = names::list(request.path.of("channels")).collect();
    check_number(&request, names.len())?;
    request.may_on(names.iter().copied(), Bits::READ)?;
    let mut counts: Vec<(&str, u64)> = Vec::new();
    for (name, after) in count_from(&request.query, &names)? {
        if counts.iter().any(|(other, _)| *other == name) {
            continue;
        }
        let channel = names::channel(name)?;
        counts.push((name, request.node().count_since(&request.caller, &channel, after).await?));
    }
    Ok(answer::written(write::counts(counts)))
}

/// The channels of the path, each once.
fn channels(request: &Request) -> Result<Vec<&str>, Refusal> {
    let names = names::unique(request.path.of("channels"));
    check_number(request, names.len())?;
    Ok(names)
}

fn check_number(request: &Request, names: usize) -> Result<(), Refusal> {
    match names {
        0 => Err(InvalidArguments.into()),
        names if names > request.settings().history_channels_max => Err(Refusal::bad("Too many channels")),
        _ => Ok(()),
    }
}

fn include(request: &Request) -> Include {
    let shown = |name| request.query.says_yes(name).into();
    Include {
        meta: shown("include_meta"),
        uuid: shown("include_uuid"),
        message_type: shown("include_message_type"),
    }
}

/// Reads a part of a channel, oldest first: as many as are asked for, unless that would be more than an answer holds.
async fn read(
    request: &Request,
    channel: &Arc<ChannelId>,
    span: Span,
    limit: usize,
) -> Result<Vec<Arc<Publication>>, Refusal> {
    let Span { mut after, mut until, from } = span;
    let mut publications: Vec<Arc<Publication>> = Vec::new();
    for _ in 0..ROUNDS_MAX {
        if after >= until || publications.len() >= limit {
            break;
        }
        let between = Between { after, until, from };
        let room = limit - publications.len();
        let past = request.node().history_between(&request.caller, channel, between, room).await?;
        let (first, last) = match (past.publications.first(), past.publications.last()) {
            (Some(first), Some(last)) => (first.position, last.position),
            _ => break,
        };
        match from {
            End::Oldest => {
                after = last;
                publications.extend(past.publications);
            }
            End::Newest => {
                until = Position(first.0.saturating_sub(1));
                publications.splice(..0, past.publications);
            }
        }
        if !past.more {
            break;
        }
    }
    shorten(&mut publications, from, request.settings().history_bytes_max);
    Ok(publications)
}

/// Leaves out what is farthest from the end that is wanted, until the rest has no more than about `bytes_max`; one message stays.
fn shorten(publications: &mut Vec<Arc<Publication>>, from: End, bytes_max: usize) {
    let bytes = |publication: &Arc<Publication>| publication.memory_bytes();
    match from {
        End::Oldest => publications.truncate(fitting(publications.iter().map(bytes), bytes_max)),
        End::Newest => {
            let kept = fitting(publications.iter().rev().map(bytes), bytes_max);
            publications.drain(..publications.len().saturating_sub(kept));
        }
    }
}

/// How many of the first have no more than `bytes_max` together; at least one.
fn fitting(sizes: impl Iterator<Item = usize>, bytes_max: usize) -> usize {
    let sums = sizes.scan(0_usize, |sum, size| {
        *sum = sum.saturating_add(size);
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= bytes_max).count().max(1)
}

impl From<InvalidArguments> for Refusal {
    fn from(error: InvalidArguments) -> Refusal {
        Refusal::bad(error.to_string())
    }
}

impl From<DeleteFailed> for Refusal {
    fn from(error: DeleteFailed) -> Refusal {
        match error {
            DeleteFailed::Refused(refused) => refused.into(),
            error => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_model::{ChannelFlags, Draft, Payload};

    #[test]
    fn an_answer_holds_what_is_nearest_to_the_end_that_is_wanted() {
        let channel = Arc::new(ChannelId::new("c", ChannelFlags::NONE).unwrap());
        let one = |position| {
            Arc::new(Draft::new(Arc::clone(&channel), Payload::Text("x".into())).at(Position(position)))
        };
        let size = one(1).memory_bytes();
        let left = |from, bytes_max| {
            let mut publications: Vec<_> = (1..=4).map(one).collect();
            shorten(&mut publications, from, bytes_max);
            publications.iter().map(|one| one.position.0).collect::<Vec<_>>()
        };
        assert_eq!(left(End::Newest, 4 * size), [1, 2, 3, 4]);
        assert_eq!(left(End::Newest, 3 * size), [2, 3, 4]);
        assert_eq!(left(End::Oldest, 2 * size + 1), [1, 2]);
        assert_eq!((left(End::Newest, 0), left(End::Oldest, 0)), (vec![4], vec![1]));
        shorten(&mut Vec::new(), End::Newest, 0);
    }
}
