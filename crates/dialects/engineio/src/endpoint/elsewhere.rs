//! Requests that came to another worker than their session's.

use std::future::Future;
use std::rc::Rc;

use antiphon_hub::WorkerId;
use antiphon_net::Worker;
use bytes::Bytes;
use http::Response;
use tokio::sync::oneshot;

use super::answer::{self, Form};
use super::body::BodyFailed;
use super::entry::Entry;
use super::polling;
use super::table::Table;
use crate::handshake::{Refusal, Sid};
use crate::payload::BodyForm;

/// Which session a request names.
#[derive(Clone, Debug)]
pub(super) struct Whose {
    pub(super) sid: Sid,
    /// The path of the engine: a session is known under its own alone.
    pub(super) path: String,
}

impl Whose {
    /// The session, on its worker.
    pub(super) fn find(&self, worker: &Worker) -> Option<Rc<Entry>> {
        let entry = worker.extension::<Table>()?.find(&self.sid)?;
        (entry.shared().settings.path == self.path).then_some(entry)
    }

    /// The worker that it lives on, if that is another.
    pub(super) fn elsewhere(&self, worker: &Worker) -> Option<WorkerId> {
        let home = WorkerId(self.sid.worker());
        (home != worker.id() && usize::from(home.0) < worker.workers().len()).then_some(home)
    }
}

/// Answers a GET.
pub(super) async fn poll(worker: &Worker, whose: Whose, form: Form) -> Response<Bytes> {
    match whose.elsewhere(worker) {
        None => match whose.find(worker) {
            Some(entry) => polling::poll(entry, form).await,
            None => answer::refused(&Refusal::unknown_sid()),
        },
        Some(home) => carry(worker, home, whose, move |entry| polling::poll(entry, form)).await,
    }
}

/// Takes a POST and answers it.
pub(super) async fn post(
    worker: &Worker,
    whose: Whose,
    form: Form,
    body_form: BodyForm,
    body: impl Future<Output = Result<Bytes, BodyFailed>>,
) -> Response<Bytes> {
    let Some(home) = whose.elsewhere(worker) else {
        return match whose.find(worker) {
            Some(entry) => polling::post(entry, form, body_form, body).await,
            None => {
                // Read for nothing, so that the client sees the answer.
                let _ = body.await;
                answer::refused(&Refusal::unknown_sid())
            }
        };
    };
    let (read, awaited) = oneshot::channel();
    let post = carry(worker, home, whose, move |entry| {
        // The other side is dropped with its connection.
        let body = async { awaited.await.unwrap_or(Err(BodyFailed::Broken)) };
        polling::post(entry, form, body_form, body)
    });
    let body = async {
        // Dropped there if the request is answered before.
        let _ = read.send(body.await);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        response = post => response,
        () = body => unreachable!("what is pending never ends"),
    }
}

/// Has a request answered on its session's worker. If this is dropped, it is dropped there.
async fn carry<F: Future<Output = Response<Bytes>>>(
    worker: &Worker,
    home: WorkerId,
    whose: Whose,
    answer: impl FnOnce(Rc<Entry>) -> F + Send + 'static,
) -> Response<Bytes> {
    let (mut answered, awaited) = oneshot::channel();
    worker.workers().run(home, move |worker| {
        // Not found, it drops what the answer would be sent by.
        let Some(entry) = whose.find(worker) else { return };
        tokio::task::spawn_local(async move {
            let response = tokio::select! {
                // The session sees the request before it sees that it is given up.
                biased;
                response = answer(entry) => response,
                () = answered.closed() => return,
            };
            // Dropped with its connection in this very moment.
            let _ = answered.send(response);
        });
    });
    awaited.await.unwrap_or_else(|_| answer::refused(&Refusal::unknown_sid()))
}
