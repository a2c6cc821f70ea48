//! Listening over HTTP: the same question, answered as the `Accept` header says.

use std::rc::Rc;

use antiphon_hub::{Filter, Since};
use antiphon_net::{Format, Want};
use antiphon_node::ReadError;
use http::header::ACCEPT;
use http::{Method, Response};

use super::long_poll::long_poll;
use super::poll::{poll, wants};
use super::stream::{self, Technique};
use super::{Answer, Request};
use crate::body::AnswerBody;
use crate::headers::{LAST_EVENT_ID, list, vary};
use crate::wire::accept::{self, Listening};
use crate::wire::listen::{Channels, Listen};
use antiphon_net::problem::{Problem, ProblemKind};

/// `GET` and `HEAD` of `/v1/channels/{channel}` and `/v1/events`.
pub(crate) async fn listen(request: Request, channels: Channels<'_>) -> Answer {
    let headers = &request.head.headers;
    let Some(listening) = accept::listening(list(headers, &ACCEPT).as_deref()) else {
        let detail = "there is application/json, text/event-stream and application/x-ndjson";
        return Err(Problem::new(ProblemKind::NotAcceptable, detail));
    };
    let last_event_id = headers.get(&LAST_EVENT_ID).map(|id| id.as_bytes());
    let (limits, limit_max) = (request.limits(), request.settings.history_limit_max);
    let listen = Listen::parse(&request.query(), channels, last_event_id, limits, limit_max)?;
    let mut response = match listening {
        Listening::Poll => answer_poll(&request, &listen).await?,
        Listening::Sse => answer_stream(&request, &listen, Technique::Sse).await?,
        Listening::Ndjson => answer_stream(&request, &listen, Technique::Ndjson).await?,
    };
    vary(response.headers_mut(), "Accept");
    Ok(response)
}

async fn answer_poll(request: &Request, listen: &Listen) -> Answer {
    // Whoever asks for the head only wants to know how things are, not to wait.
    let wait = listen.wait.filter(|_| request.head.method != Method::HEAD);
    let page = match wait {
        Some(wait) => long_poll(request, listen, wait).await?,
        None => poll(request, listen).await?,
    };
    Ok(page.answer(&request.caller, listen, &request.head.headers))
}

async fn answer_stream(request: &Request, listen: &Listen, technique: Technique) -> Answer {
    if request.head.method == Method::HEAD {
        may_listen(request, listen)?;
        let response = Response::new(AnswerBody::from(bytes::Bytes::new()));
        return Ok(stream::with_headers(response, technique));
    }
    stream::open(request, listen, technique).await
}

/// Checks that the caller may listen to all of it, without doing so.
///
/// # Errors
/// It may not.
fn may_listen(request: &Request, listen: &Listen) -> Result<(), ReadError> {
    for channel in &listen.channels {
        request.node().may_listen(&request.caller, channel)?;
        if listen.presence {
            request.node().may_listen(&request.caller, &channel.presence())?;
        }
    }
    Ok(())
}

/// What to ask the worker for.
pub(crate) fn wants_of(listen: &Listen, since: Since, format: &'static Format) -> Vec<Want> {
    let filter = filter(listen);
    let want = |channel: &std::sync::Arc<antiphon_model::ChannelId>| Want {
        channel: std::sync::Arc::clone(channel),
        since,
        format,
        filter: filter.clone(),
        presence: listen.presence,
        label: None,
    };
    listen.channels.iter().map(want).collect()
}

fn filter(listen: &Listen) -> Option<Filter> {
    if listen.events.is_empty() {
        return None;
    }
    let events = listen.events.clone();
    Some(Rc::new(move |publication| wants(&events, publication)))
}
