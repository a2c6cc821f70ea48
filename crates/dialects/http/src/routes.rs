//! One module for each resource: from a checked request to an answer.

pub(crate) mod batch;
pub(crate) mod broadcast;
pub(crate) mod credentials;
pub(crate) mod listen;
pub(crate) mod long_poll;
pub(crate) mod page;
pub(crate) mod poll;
pub(crate) mod presence;
pub(crate) mod publish;
pub(crate) mod revocations;
pub(crate) mod stream;

use std::rc::Rc;
use std::sync::Arc;

use antiphon_access::{Caller, LimitSettings};
use antiphon_model::ChannelId;
use antiphon_net::{Stream, StreamOptions, Worker};
use antiphon_node::{Node, TooManySessions};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};

use crate::HttpSettings;
use crate::body::AnswerBody;
use crate::headers::cache_control;
use crate::wire::listen::{channel, flags};
use crate::wire::query::{InvalidParameter, Query};
use antiphon_net::problem::Problem;

/// An answer, or the problem that is the answer.
pub(crate) type Answer = Result<Response<AnswerBody>, Problem>;

/// A request whose caller is known.
pub(crate) struct Request {
    pub(crate) settings: Rc<HttpSettings>,
    pub(crate) worker: Worker,
    pub(crate) caller: Arc<Caller>,
    pub(crate) head: Parts,
}

impl Request {
    pub(crate) fn node(&self) -> &Arc<Node> {
        self.worker.node()
    }

    pub(crate) fn limits(&self) -> &LimitSettings {
        &self.caller.limits
    }

    pub(crate) fn query(&self) -> Query<'_> {
        Query::parse(self.head.uri.query().unwrap_or_default())
    }

    /// The channel of this name in the path, with the flags that the query says.
    pub(crate) fn channel(&self, name: &str) -> Result<Arc<ChannelId>, InvalidParameter> {
        channel(name, flags(&self.query())?, self.limits())
    }

    /// A session for an answer that is streamed or awaited.
    ///
    /// # Errors
    /// The org, or the identity, has as many as it may.
    pub(crate) fn open_stream(&self, options: StreamOptions) -> Result<Stream, TooManySessions> {
        self.worker.open_stream(Some(Arc::clone(&self.caller)), options)
    }
}

/// An answer that is a JSON document.
pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    cache_control(response.headers_mut(), "no-store");
    response
}
