use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::StatusCode;

use super::{Heard, Listener, Target, message, not_connected};
use crate::{Connection, Lost, Position, position};

/// How long a regular poller waits when there was nothing.
const PAUSE: Duration = Duration::from_millis(10);

/// Regular polling with an `ETag`, or long polling if `wait` says for how long.
pub(super) struct PollListener {
    target: Target,
    wait: &'static str,
    since: Position,
    etag: Option<String>,
    connection: Option<Connection>,
}

impl PollListener {
    pub(super) fn new(target: &Target, wait: &'static str) -> PollListener {
        PollListener { target: target.clone(), wait, since: 0, etag: None, connection: None }
    }

    async fn poll(&mut self) -> Result<Vec<Heard>, Lost> {
        let connection = self.connection.as_mut().ok_or_else(not_connected)?;
        let query = format!("since={}&limit=100{}", self.since, self.wait);
        let mut call = self.target.api.get(&self.target.path(&query));
        if let Some(etag) = &self.etag {
            call = call.header("if-none-match", etag);
        }
        let answer = call.try_send_over(connection).await?;
        if answer.status == StatusCode::NOT_MODIFIED {
            return Ok(Vec::new());
        }
        if answer.status != StatusCode::OK {
            return Err(Lost(format!("{}: {}", answer.status, answer.text())));
        }
        let page = answer.json();
        let since = position(&page["position"]);
        // An ETag belongs to its URL, and the next has another `since`.
        let etag = (since == self.since && self.wait.is_empty()).then(|| answer.header("etag").to_owned());
        self.etag = etag.filter(|etag| !etag.is_empty());
        self.since = since;
        let gap = (page["gap"] == true).then_some(Heard::Gap);
        let messages = page["messages"].as_array().ok_or_else(|| Lost(format!("no messages in {page}")))?;
        Ok(gap.into_iter().chain(messages.iter().map(message)).collect())
    }
}

impl Listener for PollListener {
    fn connect(&mut self, since: Position) -> BoxFuture<'_, Result<(), Lost>> {
        async move {
            // Its own position is as good as the last message's, or better.
            self.since = self.since.max(since);
            self.etag = None;
            self.connection = Some(self.target.api.connect().await?);
            Ok(())
        }
        .boxed()
    }

    fn hear(&mut self) -> BoxFuture<'_, Result<Vec<Heard>, Lost>> {
        async move {
            loop {
                let heard = self.poll().await?;
                if !heard.is_empty() {
                    return Ok(heard);
                }
                if self.wait.is_empty() {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        .boxed()
    }
}
