use std::sync::Arc;

use antiphon_access::Caller;
use antiphon_model::ChannelId;
use antiphon_node::{Begins, TooManySessions};
use smallvec::SmallVec;

use crate::Client;
use crate::worker::Farewell;

impl Client {
    /// Says who the session is, from here on: it has shown it only by now, or shows something else.
    ///
    /// Subscriptions stay if the org is the same, and end otherwise. Presence ends with the identity; it is not begun for the
    /// other one. Nothing happens once the session has ended.
    ///
    /// # Errors
    /// The new caller's org, or he, has as many sessions as may be, or too many have begun in too short a time; then everything
    /// stays as it was.
    pub fn replace_caller(&self, caller: Arc<Caller>) -> Result<(), TooManySessions> {
        self.worker.is_caught_up();
        let Some(before) = self.worker.with_session(self.key, self.id, |session, _| session.caller.clone())
        else {
            return Ok(());
        };
        let before = before.as_deref();
        let same_org = before.is_none_or(|before| before.org == caller.org);
        let same_identity = same_org && before.is_some_and(|before| before.identity == caller.identity);
        if !same_identity {
            self.worker.count_in(Some(&caller), Begins::Anew)?;
        }
        let ended = self.worker.with_session(self.key, self.id, |session, _| {
            session.caller = Some(caller);
            let listening = if same_org { SmallVec::new() } else { std::mem::take(&mut session.listening) };
            let joined = if same_identity { Vec::new() } else { std::mem::take(&mut session.joined) };
            (listening, joined)
        });
        let (listening, joined) = ended.unwrap_or_default();
        if let Some(before) = before {
            for one in &listening {
                self.worker.unsubscribe(before, one.subscription);
            }
            for channel in &joined {
                self.worker.end_presence(before, channel, self.id, Farewell::Left);
            }
        }
        if !same_identity {
            self.worker.count_out(before);
        }
        Ok(())
    }

    /// The channels that it listens to, the companions of those whose presence events it gets included.
    pub fn listening(&self) -> Vec<Arc<ChannelId>> {
        let channels = self.worker.with_session(self.key, self.id, |session, _| {
            let listening = session.listening.iter().filter(|one| !one.ending);
            listening.map(|one| Arc::clone(&one.channel)).collect()
        });
        channels.unwrap_or_default()
    }

    /// The channels where it is counted as present.
    pub fn joined(&self) -> Vec<Arc<ChannelId>> {
        self.worker.with_session(self.key, self.id, |session, _| session.joined.clone()).unwrap_or_default()
    }
}
