use antiphon_hub::Since;
use antiphon_model::Position;
use antiphon_net::{Close, StreamOptions};
use antiphon_node::Begins;
use bytes::Bytes;
use tokio::time::{Duration, Instant, timeout_at};

use super::Request;
use super::listen::wants_of;
use super::page::Page;
use super::poll::poll;
use crate::formats;
use crate::wire::listen::Listen;
use antiphon_net::problem::Problem;

/// Answers with what there is, or waits until there is something; then with all that came at that moment.
///
/// A client that goes away drops the future, and with it the session.
///
/// # Errors
/// The caller may not, or a limit is reached.
pub(crate) async fn long_poll(request: &Request, listen: &Listen, wait: Duration) -> Result<Page, Problem> {
    let deadline = Instant::now() + wait.min(request.settings.long_poll_wait_max());
    let since = match listen.since {
        None => Since::Now,
        Some(_) => {
            // Reading is bounded by `limit`; listening from there on is then a short way.
            let page = poll(request, listen).await?;
            if page.count > 0 || page.gap {
                return Ok(page);
            }
            Since::After(page.position)
        }
    };
    let mut stream = request.open_stream(StreamOptions {
        protocol: "longpoll",
        begins: if listen.since.is_none() { Begins::Anew } else { Begins::Again },
        heartbeat: None,
        farewell: |_: &Close| Bytes::new(),
    })?;
    let listening = stream.listen(wants_of(listen, since, &formats::NDJSON)).await?;
    let position = listening.channels.iter().map(|on| on.position).min().unwrap_or_default();
    let gap = listening.channels.iter().any(|on| on.gap.is_some());
    stream.send_publications(&listening);
    let mut pieces = stream.queued();
    if pieces.is_empty() && !gap {
        // Nothing at the end of the wait is an answer too, as is that the server is stopping.
        pieces = timeout_at(deadline, stream.next_each()).await.unwrap_or_default();
    }
    Ok(Page::from_lines(pieces.concat(), listen.limit, cursor(position, since), gap))
}

/// The cursor if nothing came: never before the one that was asked for.
fn cursor(position: Position, since: Since) -> Position {
    match since {
        Since::Now => position,
        Since::After(since) => position.max(since),
    }
}
