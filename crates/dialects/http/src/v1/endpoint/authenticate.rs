use std::sync::Arc;

use antiphon_access::{Caller, Permission, Secret};
use antiphon_net::Client;
use antiphon_net::problem::{Problem, ProblemKind};

use super::Shared;

impl Shared {
    /// Goes on with another credential of the same identity.
    ///
    /// # Errors
    /// It is not valid, or somebody else's, or not enough for where the client listens and is present. Then the one from
    /// before counts as it did.
    pub(super) fn authenticate(&self, token: &Secret, client: &Client) -> Result<Arc<Caller>, Problem> {
        let before = self.caller();
        let hint = Some(&*before.identity.id);
        let (access, now) = (self.node.access(), client.now());
        let show = || access.authenticate(Some(token.expose()), hint, now.wall);
        let mut caller = access.attempt(before.network, now.monotonic, show)?.coming_from(before.network);
        if caller.org != before.org || caller.identity != before.identity {
            let detail = "the credential is another client's: open a connection of its own for it";
            return Err(Problem::new(ProblemKind::NotPermitted, detail));
        }
        // A random name does not become the client's own by being said again.
        caller.naming = before.naming;
        let caller = Arc::new(caller);
        self.may_go_on(&caller, client)?;
        client.replace_caller(Arc::clone(&caller))?;
        *self.caller.borrow_mut() = Arc::clone(&caller);
        Ok(caller)
    }

    /// Subscriptions are not asked about again once they have begun.
    fn may_go_on(&self, caller: &Caller, client: &Client) -> Result<(), Problem> {
        for channel in &client.listening() {
            let may = self.node.may_listen(caller, channel);
            may.map_err(|error| Problem::from(error).with_channel(channel))?;
        }
        for channel in &client.joined() {
            caller.may(Permission::Presence, channel)?;
        }
        Ok(())
    }
}
