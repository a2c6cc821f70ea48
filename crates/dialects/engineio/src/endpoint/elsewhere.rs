//! Requests that came to another worker than their session's.

use std::future::{Future, ready};
use std::pin::pin;
use std::rc::Rc;

use antiphon_hub::WorkerId;
use antiphon_net::Worker;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
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

/// Answers a GET. Its session's worker has it when this returns.
pub(super) fn poll(worker: &Worker, whose: Whose, form: Form) -> LocalBoxFuture<'static, Response<Bytes>> {
    match whose.elsewhere(worker) {
        None => poll_here(worker, &whose, form),
        Some(home) => carry(worker, home, move |worker| Some(poll_here(worker, &whose, form))).boxed_local(),
    }
}

fn poll_here(worker: &Worker, whose: &Whose, form: Form) -> LocalBoxFuture<'static, Response<Bytes>> {
    if let Some(entry) = whose.find(worker) {
        return polling::poll(entry, form).boxed_local();
    }
    let departed = Table::of(worker).departed.take(&whose.sid, worker.now().monotonic);
    let answer = match departed {
        Some(codec) => answer::farewell(&codec, form),
        None => answer::refused(&Refusal::unknown_sid()),
    };
    ready(answer).boxed_local()
}

/// Takes a POST and answers it. Its session's worker knows of it when this returns.
pub(super) fn post(
    worker: &Worker,
    whose: Whose,
    form: Form,
    body_form: BodyForm,
    body: impl Future<Output = Result<Bytes, BodyFailed>> + 'static,
) -> LocalBoxFuture<'static, Response<Bytes>> {
    let Some(home) = whose.elsewhere(worker) else {
        return match whose.find(worker) {
            Some(entry) => polling::post(entry, form, body_form, body).boxed_local(),
            None => async move {
                polling::rest(body).await;
                answer::refused(&Refusal::unknown_sid())
            }
            .boxed_local(),
        };
    };
    let (read, awaited) = oneshot::channel();
    let post = carry(worker, home, move |worker| {
        // The other side is dropped with its connection.
        let body = async { awaited.await.unwrap_or(Err(BodyFailed::Broken)) };
        Some(polling::post(whose.find(worker)?, form, body_form, body))
    });
    async move {
        let mut post = pin!(post);
        // Dropped there if the request is answered before.
        let mut carried = pin!(body.map(|body| _ = read.send(body)));
        tokio::select! {
            biased;
            () = &mut carried => post.await,
            response = &mut post => {
                polling::rest(carried).await;
                response
            }
        }
    }
    .boxed_local()
}

/// Has a request answered on its session's worker, if that is there. If what comes back is dropped, it is dropped there.
fn carry<F: Future<Output = Response<Bytes>> + 'static, A>(
    worker: &Worker,
    home: WorkerId,
    answer: A,
) -> impl Future<Output = Response<Bytes>> + use<F, A>
where
    A: FnOnce(&Worker) -> Option<F> + Send + 'static,
{
    let (mut answered, awaited) = oneshot::channel();
    worker.workers().run(home, move |worker| {
        // Not found, it drops what the answer would be sent by.
        let Some(answer) = answer(worker) else { return };
        tokio::task::spawn_local(async move {
            let response = tokio::select! {
                response = answer => response,
                () = answered.closed() => return,
            };
            // Dropped with its connection in this very moment.
            let _ = answered.send(response);
        });
    });
    async { awaited.await.unwrap_or_else(|_| answer::refused(&Refusal::unknown_sid())) }
}
