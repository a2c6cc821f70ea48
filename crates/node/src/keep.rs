use std::time::Duration;

use antiphon_model::OrgId;
use antiphon_store::{Item, StoreError};
use tokio::sync::oneshot;

use crate::Node;

/// How often the store is asked again.
const TRIES: usize = 10;

const PAUSE: Duration = Duration::from_millis(200);

impl Node {
    /// Has the store keep what counts already and nobody can ask for once more, as that a token was revoked: where it cannot at
    /// this moment, it is asked again for some seconds. It has been asked once as soon as this is polled for the first time.
    ///
    /// # Errors
    /// The store does not keep it: it is gone with the process.
    pub async fn keep_item(&self, org: &OrgId, collection: &str, item: Item) -> Result<(), StoreError> {
        let Item { key, value, expires } = item;
        let mut tries = 0;
        loop {
            let (done, kept) = oneshot::channel();
            // Whoever asked may have gone.
            let done = Box::new(move |outcome| _ = done.send(outcome));
            self.store().put_item(org, collection, &key, value.clone(), expires, done);
            match kept.await.unwrap_or(Err(StoreError::Closed)) {
                Err(error) if error.is_temporary() && tries < TRIES => tries += 1,
                kept => return kept,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
