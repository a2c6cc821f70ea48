//! What operators and their orchestrators ask: `/health/live`, `/health/ready`, `/metrics`.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use antiphon_http::Handler;
use antiphon_model::{ChannelFlags, ChannelId, OrgId};
use antiphon_node::Node;
use antiphon_store::{Query, Range, Store, system_clock};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};

const PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// How long the store may take for an answer before it counts as not there.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether the server can do its work.
#[derive(Debug)]
pub(super) struct Health {
    store_answers: AtomicBool,
}

impl Default for Health {
    fn default() -> Health {
        // The store has just been opened and read from.
        Health { store_answers: AtomicBool::new(true) }
    }
}

impl Health {
    /// Asks the store again and again, for as long as the runtime runs.
    pub(super) fn watch(self: &Arc<Health>, store: Arc<dyn Store>) {
        let health = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                health.note(probe(&*store).await);
                tokio::time::sleep(PROBE_INTERVAL).await;
            }
        });
    }

    fn note(&self, answers: bool) {
        let before = self.store_answers.swap(answers, Ordering::Relaxed);
        match (before, answers) {
            (true, false) => tracing::error!("the store does not answer: not ready"),
            (false, true) => tracing::info!("the store answers again"),
            _ => {}
        }
    }

    fn is_ready(&self, node: &Node) -> bool {
        self.store_answers.load(Ordering::Relaxed) && !node.is_closing()
    }
}

/// Whether a read that finds nothing comes back.
async fn probe(store: &dyn Store) -> bool {
    let channel = ChannelId::new("health", ChannelFlags::SYSTEM).expect("it is a name");
    let query = Query {
        org: OrgId::new(""),
        channel: Arc::new(channel),
        range: Range::Newest,
        limit: 1,
        now: system_clock()(),
    };
    matches!(tokio::time::timeout(PROBE_TIMEOUT, store.read(query)).await, Ok(Ok(_)))
}

/// `/health/live`: the process runs. `/health/ready`: it can do its work and is not about to stop.
pub(super) fn routes(health: &Arc<Health>, node: &Arc<Node>) -> Vec<(&'static str, Handler)> {
    let (health, node) = (Arc::clone(health), Arc::clone(node));
    let live: Handler = Rc::new(|_| text(StatusCode::OK, "live\n"));
    let ready: Handler = Rc::new(move |_| match health.is_ready(&node) {
        true => text(StatusCode::OK, "ready\n"),
        false => text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
    });
    vec![("/health/live", live), ("/health/ready", ready)]
}

/// `/metrics`, in OpenMetrics' text format.
pub(super) fn metrics(node: &Arc<Node>) -> (&'static str, Handler) {
    let node = Arc::clone(node);
    let handler: Handler = Rc::new(move |_| {
        let mut response = Response::new(Bytes::from(node.metrics().render(&node)));
        let format = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, format);
        response
    });
    ("/metrics", handler)
}

fn text(status: StatusCode, text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_store::{SqliteStore, StoreSettings};

    #[tokio::test]
    async fn a_closed_store_does_not_answer() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path(), &StoreSettings::default()).unwrap();
        assert!(probe(&store).await);
        store.close().unwrap();
        assert!(!probe(&store).await);
    }
}
