//! The actions on a page of messages.

use std::sync::Arc;

use antiphon_model::{ChannelId, Position, Publication};
use antiphon_store::{Action, ActionPage, ActionQuery, ActionRange};

use crate::request::Request;
use crate::wire::error::Refusal;
use crate::wire::history::write::ActionsOf;

/// Reads the actions on messages, which are the oldest first. Where there are more than one answer holds, the oldest messages are
/// left out: then the second is false.
pub(super) async fn on(
    request: &Request,
    channel: &Arc<ChannelId>,
    publications: &mut Vec<Arc<Publication>>,
) -> Result<(ActionsOf, bool), Refusal> {
    let (Some(first), Some(last)) = (publications.first(), publications.last()) else {
        return Ok((ActionsOf::new(), true));
    };
    let mut room = request.settings().actions_per_answer_max;
    let page = read(request, channel, first.position, last.position, room).await?;
    let mut actions = ActionsOf::new();
    if !page.more {
        sort_in(page.actions, &mut actions);
        return Ok((actions, true));
    }
    // Message by message, from the newest.
    for (index, publication) in publications.iter().enumerate().rev() {
        let at = publication.position;
        let page = read(request, channel, at, at, room).await?;
        let fits = !page.more;
        // What a message has beyond one answer is nowhere to be seen, or the answers would never come to the message before it.
        if !fits && room < request.settings().actions_per_answer_max {
            publications.drain(..=index);
            return Ok((actions, false));
        }
        room = room.saturating_sub(page.actions.len());
        sort_in(page.actions, &mut actions);
        if room == 0 && index > 0 {
            publications.drain(..index);
            return Ok((actions, false));
        }
    }
    Ok((actions, true))
}

async fn read(
    request: &Request,
    channel: &Arc<ChannelId>,
    first: Position,
    last: Position,
    limit: usize,
) -> Result<ActionPage, Refusal> {
    let by = ActionRange::ByMessages { after: Position(first.0.saturating_sub(1)), until: last };
    let query = ActionQuery { by, limit };
    Ok(request.node().store().actions(&request.keyset.org, channel, query).await?)
}

fn sort_in(page: Vec<Action>, actions: &mut ActionsOf) {
    for action in page {
        actions.entry(action.message).or_default().push(action);
    }
}
