//! Requests of sessions that poll, on the worker that the session lives on.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};

use super::answer::{self, Form};
use super::body::BodyFailed;
use super::entry::Entry;
use crate::payload::BodyForm;
use crate::session::RequestId;

/// How long the rest of a body is read for nothing.
const REST_MAX: Duration = Duration::from_secs(1);

/// A request that is being answered. If it is dropped before, the client has given it up.
struct Waiting {
    entry: Rc<Entry>,
    request: RequestId,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.entry.input(|state, now| {
            if state.slots.forget(self.request) {
                state.session.handle_request_lost(self.request, now);
            }
        });
    }
}

/// Answers a GET, when there is something. The session has it when this returns.
pub(super) fn poll(entry: Rc<Entry>, form: Form) -> impl Future<Output = Response<Bytes>> + use<> {
    let request = entry.request(|session, request, now| session.handle_poll(request, now));
    answered(entry, request, form)
}

/// Waits for the answer to a poll, and writes it.
pub(super) fn answered(
    entry: Rc<Entry>,
    request: RequestId,
    form: Form,
) -> impl Future<Output = Response<Bytes>> + use<> {
    let waiting = Waiting { entry: Rc::clone(&entry), request };
    async move {
        let answered = poll_fn(|cx| entry.poll_answer_or_queued(request, cx)).await;
        drop(waiting);
        answer::response(&entry, form, answered).await
    }
}

/// Takes a POST and answers it. The session knows of it when this returns.
pub(super) fn post<F: Future<Output = Result<Bytes, BodyFailed>>>(
    entry: Rc<Entry>,
    form: Form,
    body_form: BodyForm,
    body: F,
) -> impl Future<Output = Response<Bytes>> + use<F> {
    entry.end_if_over();
    let request = entry.request(|session, request, now| session.handle_post(request, now));
    let waiting = Waiting { entry: Rc::clone(&entry), request };
    async move {
        let mut body = pin!(body);
        let answered = tokio::select! {
            // A session that has ended waits for no body.
            biased;
            answered = poll_fn(|cx| entry.poll_answer(request, cx)) => {
                rest(body).await;
                answered
            }
            body = &mut body => {
                match body {
                    Ok(body) => entry.input(|state, now| {
                        state.session.handle_post_body(request, body_form, body, now);
                    }),
                    Err(BodyFailed::TooLarge) => entry.input(|state, now| {
                        state.session.handle_post_too_large(request, now);
                    }),
                    // Nobody is there to read an answer; dropping it tells the session.
                    Err(BodyFailed::Broken) => return answer::plain(StatusCode::BAD_REQUEST),
                }
                poll_fn(|cx| entry.poll_answer(request, cx)).await
            }
        };
        drop(waiting);
        answer::response(&entry, form, answered).await
    }
}

/// Reads what is left of a body for nothing, once its request is answered: a client that writes its whole request before it reads
/// would not see the answer otherwise, and the connection could not be used again.
pub(super) async fn rest(body: impl Future) {
    let _ = tokio::time::timeout(REST_MAX, body).await;
}
