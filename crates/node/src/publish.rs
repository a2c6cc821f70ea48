use std::sync::Arc;

use antiphon_access::{Act, Caller, Permission};
use antiphon_hub::{BroadcastError, Collect, Delivering, Hold, Outcome, Reply, ReplyError, Rule};
use antiphon_model::{ChannelId, Draft, Now, Payload, Position, Publication, Storing};
use antiphon_store::{Committed, Entry, StoreError};
use tokio::sync::oneshot;

use crate::idempotency::{Attempt, Verdict};
use crate::past::is_past;
use crate::{Node, NodeOrg, PublishError, ReplyFailed};

/// A publication was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Where it stands.
    pub position: Position,
    /// Whether it is in the store.
    pub stored: bool,
    /// Whether it had been published before, under the same idempotency key.
    pub duplicate: bool,
}

/// What is called, once and from any thread, when it is known what became of a publication.
pub type Completion = Box<dyn FnOnce(Result<Receipt, PublishError>) + Send>;

/// What the store is to do with a publication.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    No,
    Yes(Delivering),
}

impl Node {
    /// Publishes. If the answer has to wait for the store it is `None`, and the completion that `done` makes is
    /// called later; else `done` is not called.
    ///
    /// # Errors
    /// The caller may not, a limit is passed, or the node is closing.
    pub fn publish(
        self: &Arc<Self>,
        caller: &Caller,
        mut draft: Draft,
        done: impl FnOnce() -> Completion,
    ) -> Result<Option<Receipt>, PublishError> {
        let now = self.now();
        let (org, rule) = self.admit(caller, &mut draft, now)?;
        let keep = keep(&draft, &rule);
        if let Some(attempt) = Attempt::of(&draft) {
            return self.publish_once(&org, &rule, attempt, draft, now, done);
        }
        if keep == Keep::No {
            // The short way of most: nothing is made for the store.
            let publication =
                org.hub.publish(draft, Hold::No, now).map_err(|_| PublishError::TooManyChannels)?;
            self.metrics.publications.inc();
            return Ok(Some(Receipt { position: publication.position, stored: false, duplicate: false }));
        }
        let entry = self.enter(&org, &rule, draft, keep, now)?;
        Ok(self.commit(&org, entry, None, keep, done))
    }

    /// Publishes what has an idempotency key, unless an earlier attempt with it did.
    fn publish_once(
        self: &Arc<Self>,
        org: &Arc<NodeOrg>,
        rule: &Rule,
        attempt: Attempt,
        draft: Draft,
        now: Now,
        done: impl FnOnce() -> Completion,
    ) -> Result<Option<Receipt>, PublishError> {
        let keep = keep(&draft, rule);
        let mut done = Some(done);
        let mut done = || done.take().map_or_else(|| -> Completion { Box::new(|_| {}) }, |done| done());
        let limits = (self.settings.idempotency_keys_max, self.settings.idempotency_keep);
        // A statement of its own: the lock must not be held while the store may answer.
        let verdict = org.attempts.lock().begin(&attempt, &mut done, now.monotonic, limits)?;
        match verdict {
            Verdict::Done(receipt) => return Ok(Some(receipt)),
            Verdict::Waits => return Ok(None),
            Verdict::New => {}
            Verdict::Store(publication) => {
                let entry = entry(org, rule, publication, &draft, now);
                return Ok(self.commit(org, entry, Some(attempt), keep, done));
            }
        }
        let entry = match self.enter(org, rule, draft, keep, now) {
            Ok(entry) => entry,
            Err(error) => {
                let result = Err(error.clone());
                let waiting = org.attempts.lock().end(&attempt, &result, None);
                tell(waiting, &result);
                return Err(error);
            }
        };
        Ok(self.commit(org, entry, Some(attempt), keep, done))
    }

    /// Publishes and waits for the store, if it is to be stored.
    ///
    /// # Errors
    /// As [`Node::publish`], and what the store says.
    pub async fn publish_and_wait(
        self: &Arc<Self>,
        caller: &Caller,
        draft: Draft,
    ) -> Result<Receipt, PublishError> {
        let (sender, receiver) = oneshot::channel();
        let done = move || -> Completion {
            Box::new(move |result| {
                // Whoever asked may have gone; the publication stands.
                let _ = sender.send(result);
            })
        };
        match self.publish(caller, draft, done)? {
            Some(receipt) => Ok(receipt),
            None => receiver.await.unwrap_or(Err(PublishError::Closing)),
        }
    }

    /// Publishes and collects the replies.
    ///
    /// # Errors
    /// As [`Node::publish`], or too many broadcasts are under way.
    pub fn broadcast(
        self: &Arc<Self>,
        caller: &Caller,
        mut draft: Draft,
        collect: Collect,
        done: impl FnOnce() -> Completion,
    ) -> Result<(Position, Option<Receipt>), PublishError> {
        let now = self.now();
        let (org, rule) = self.admit(caller, &mut draft, now)?;
        self.overload().check().map_err(|_| PublishError::TooManyBroadcasts)?;
        let keep = keep(&draft, &rule);
        let hold = self.hold(keep, now);
        let template = draft.clone();
        let publication = org.hub.broadcast(draft, hold, collect, now).map_err(|error| match error {
            BroadcastError::TooManyBroadcasts => PublishError::TooManyBroadcasts,
            BroadcastError::TooManyChannels => PublishError::TooManyChannels,
        })?;
        let position = publication.position;
        let entry = entry(&org, &rule, publication, &template, now);
        Ok((position, self.commit(&org, entry, None, keep, done)))
    }

    /// Hands a reply to whoever collects for the broadcast at `to`.
    ///
    /// # Errors
    /// The caller may not listen there, the payload is too long, or nobody collects.
    pub fn reply(
        &self,
        caller: &Caller,
        to: Position,
        channel: &ChannelId,
        payload: Payload,
    ) -> Result<(), ReplyFailed> {
        caller.may(Permission::Subscribe, channel)?;
        self.hand_reply(caller, to, channel, payload)
    }

    /// Hands on a reply that names nothing but the position of the broadcast. Whether its sender listens to the broadcast's channel
    /// is what `listens` says; access is not asked.
    ///
    /// # Errors
    /// The sender does not listen there, which looks as if nobody collected; the payload is too long; or nobody collects.
    pub fn reply_to(
        &self,
        caller: &Caller,
        to: Position,
        listens: impl FnOnce(&ChannelId) -> bool,
        payload: Payload,
    ) -> Result<(), ReplyFailed> {
        let channel = self.org(&caller.org).hub.collecting(to).filter(|channel| listens(channel));
        let channel = channel.ok_or(ReplyError::NobodyCollects)?;
        self.hand_reply(caller, to, &channel, payload)
    }

    fn hand_reply(
        &self,
        caller: &Caller,
        to: Position,
        channel: &ChannelId,
        payload: Payload,
    ) -> Result<(), ReplyFailed> {
        let (bytes, max) = (payload.len(), caller.limits.payload_bytes_max);
        if bytes > max {
            return Err(ReplyFailed::TooLarge { bytes, max });
        }
        let reply = Reply { payload, publisher: Some(Arc::clone(&caller.identity)) };
        self.org(&caller.org).hub.reply(to, channel, reply)?;
        self.metrics.replies.inc();
        Ok(())
    }

    /// Says how many replies to a broadcast are wanted, where that is known only after it was published: the collection ends as soon
    /// as so many are there, which may be at once.
    pub fn expect_replies(&self, caller: &Caller, position: Position, until: usize) {
        self.org(&caller.org).hub.expect_replies(position, until);
    }

    /// Ends the collection of replies to a broadcast before its time.
    pub fn end_replies(&self, caller: &Caller, position: Position) {
        self.org(&caller.org).hub.end_replies(position);
    }

    pub(crate) fn admit(
        &self,
        caller: &Caller,
        draft: &mut Draft,
        now: Now,
    ) -> Result<(Arc<NodeOrg>, Arc<Rule>), PublishError> {
        if self.is_closing() {
            return Err(PublishError::Closing);
        }
        caller.may(Permission::Publish, &draft.channel)?;
        let limits = &caller.limits;
        let parts = [
            ("payload", draft.payload.len(), limits.payload_bytes_max),
            ("meta", draft.meta.as_ref().map_or(0, |meta| meta.as_bytes().len()), limits.meta_bytes_max),
            ("name", draft.name.as_ref().map_or(0, |name| name.len()), limits.event_name_bytes_max),
            ("channel name", draft.channel.name().len(), limits.channel_name_bytes_max),
        ];
        for (part, bytes, max) in parts {
            if bytes > max {
                return Err(PublishError::TooLarge { part, bytes, max });
            }
        }
        let org = self.org(&caller.org);
        let rule = org.hub.rule(&draft.channel);
        if !rule.publishers.contains(caller.identity.kind) {
            return Err(PublishError::KindRefused(caller.identity.kind));
        }
        org.rates.check(Act::Publish, caller, 1, now.monotonic)?;
        draft.publisher = Some(Arc::clone(&caller.identity));
        Ok((Arc::clone(org), rule))
    }

    pub(crate) fn hold(&self, keep: Keep, now: Now) -> Hold {
        match keep {
            Keep::Yes(Delivering::AfterCommit) => {
                Hold::Until(now.monotonic + self.settings.deliver_uncommitted_after)
            }
            Keep::Yes(Delivering::AtOnce) | Keep::No => Hold::No,
        }
    }

    fn enter(
        &self,
        org: &NodeOrg,
        rule: &Rule,
        mut draft: Draft,
        keep: Keep,
        now: Now,
    ) -> Result<Entry, PublishError> {
        let key = draft.idempotency_key.take();
        let ttl = draft.ttl;
        let publication =
            org.hub.publish(draft, self.hold(keep, now), now).map_err(|_| PublishError::TooManyChannels)?;
        Ok(stored_entry(org, rule, publication, key, ttl, now))
    }

    /// Stores an entry, if it is to be; else it is done.
    pub(crate) fn commit(
        self: &Arc<Self>,
        org: &Arc<NodeOrg>,
        entry: Entry,
        attempt: Option<Attempt>,
        keep: Keep,
        done: impl FnOnce() -> Completion,
    ) -> Option<Receipt> {
        self.metrics.publications.inc();
        let publication = Arc::clone(&entry.publication);
        if keep == Keep::No {
            let receipt = Receipt { position: publication.position, stored: false, duplicate: false };
            if let Some(attempt) = attempt {
                let waiting = org.attempts.lock().end(&attempt, &Ok(receipt), None);
                tell(waiting, &Ok(receipt));
            }
            return Some(receipt);
        }
        let (node, org, done) = (Arc::clone(self), Arc::clone(org), done());
        let settle = move |committed| {
            let result = node.settle(&org, &publication, committed);
            if let Some(attempt) = attempt {
                let waiting = org.attempts.lock().end(&attempt, &result, Some(publication));
                tell(waiting, &result);
            }
            done(result);
        };
        self.store.append(entry, Box::new(settle));
        None
    }

    fn settle(
        &self,
        org: &NodeOrg,
        publication: &Publication,
        committed: Result<Committed, StoreError>,
    ) -> Result<Receipt, PublishError> {
        let position = publication.position;
        let (outcome, result) = match committed {
            Ok(Committed::Stored) => {
                (Outcome::Deliver, Ok(Receipt { position, stored: true, duplicate: false }))
            }
            Ok(Committed::Duplicate { position: first }) => {
                org.hub.end_replies(position);
                (Outcome::Drop, Ok(Receipt { position: first, stored: true, duplicate: true }))
            }
            // It is in the store already: a retry of one that was committed after all.
            Err(StoreError::PositionTaken(_)) => {
                (Outcome::Deliver, Ok(Receipt { position, stored: true, duplicate: true }))
            }
            Err(cause) => {
                self.metrics.not_stored.inc();
                (Outcome::Deliver, Err(PublishError::NotStored { position, cause }))
            }
        };
        org.hub.settle(position, outcome, self.now());
        result
    }
}

pub(crate) fn keep(draft: &Draft, rule: &Rule) -> Keep {
    let kept =
        rule.persist && rule.history_size > 0 && draft.storing == Storing::ByRule && is_past(draft.kind);
    if kept { Keep::Yes(rule.deliver) } else { Keep::No }
}

fn entry(org: &NodeOrg, rule: &Rule, publication: Arc<Publication>, draft: &Draft, now: Now) -> Entry {
    stored_entry(org, rule, publication, draft.idempotency_key.clone(), draft.ttl, now)
}

pub(crate) fn stored_entry(
    org: &NodeOrg,
    rule: &Rule,
    publication: Arc<Publication>,
    idempotency_key: Option<Box<str>>,
    ttl: Option<std::time::Duration>,
    now: Now,
) -> Entry {
    let age = match (ttl, rule.history_age) {
        (Some(ttl), Some(age)) => Some(ttl.min(age)),
        (ttl, age) => ttl.or(age),
    };
    // Where the clock has stepped back, what comes now would expire before its time once it is right again.
    let published = now.wall.max(publication.position.timestamp());
    Entry {
        org: org.hub.id().clone(),
        publication,
        idempotency_key,
        expires: age.map(|age| published.later_by(age)),
        keep: Some(rule.history_size as u64),
    }
}

fn tell(waiting: Vec<Completion>, result: &Result<Receipt, PublishError>) {
    for done in waiting {
        done(result.clone().map(|receipt| Receipt { duplicate: true, ..receipt }));
    }
}
