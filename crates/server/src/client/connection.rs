use std::fmt::{Display, Write};
use std::io::Read;
use std::time::Duration;

use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::request::Builder;
use http::{Request, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::tls::TlsConfig;
use ureq::{Agent, Body};

use crate::args::{FlagArgs, ServerArgs};
use crate::failure::Failure;
use crate::trust;

/// How long a server may take to answer, besides what it is asked to wait.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer that is read, and the largest problem document.
const ANSWER_BYTES_MAX: u64 = 256 << 20;
const PROBLEM_BYTES_MAX: u64 = 64 << 10;

/// RFC 3986, 2.3: what need not be encoded.
const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A server, and who we are to it.
pub(crate) struct Connection {
    agent: Agent,
    tls: TlsConfig,
    url: String,
    authorization: Option<String>,
    identity: Option<String>,
}

/// The query of a request.
#[derive(Clone, Default)]
pub(crate) struct Query(String);

/// Why there is no answer.
pub(super) struct Refused {
    /// In words.
    pub(super) failure: Failure,
    /// Whether the same request may succeed later.
    pub(super) temporary: bool,
    /// When the server wants it again.
    pub(super) retry_after: Option<Duration>,
}

/// A problem document (RFC 9457).
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: String,
    detail: String,
}

/// The path of a channel, and what is below it.
pub(super) fn channel_path(channel: &str, below: &str) -> String {
    format!("/v1/channels/{}{below}", encoded(channel))
}

/// A name as a segment of a path.
pub(crate) fn encoded(name: &str) -> String {
    // A dot or two alone would be taken for a step in the path.
    match name {
        "." => "%2E".into(),
        ".." => "%2E%2E".into(),
        name => utf8_percent_encode(name, &ENCODED).to_string(),
    }
}

/// A query that says which channels of their name are meant.
pub(super) fn flags_query(flags: FlagArgs) -> Query {
    let mut query = Query::default();
    for (name, is_set) in [("system", flags.system), ("consumer", flags.consumer)] {
        if is_set {
            query.add(name, "true");
        }
    }
    query
}

impl Query {
    pub(crate) fn add(&mut self, name: &str, value: impl Display) {
        let separator = if self.0.is_empty() { '?' } else { '&' };
        let value = value.to_string();
        // Writing to a string does not fail.
        let _ = write!(self.0, "{separator}{name}={}", utf8_percent_encode(&value, &ENCODED));
    }
}

impl Connection {
    /// # Errors
    /// The URL is none.
    pub(crate) fn new(args: &ServerArgs) -> Result<Connection, Failure> {
        let url = of_http(args.url.trim_end_matches('/'));
        let is_url = url.parse::<http::Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.authority().is_some()
                && uri.query().is_none()
        });
        if !is_url {
            return Err(Failure::new(format!(
                "{:?} is not the URL of a server: give one like http://127.0.0.1:8080",
                args.url
            )));
        }
        let tls = trust::config(&args.tls).map_err(Failure::new)?;
        Ok(Connection {
            agent: agent(ANSWER_TIMEOUT, &tls),
            tls,
            url,
            authorization: args.token.as_ref().map(|token| format!("Bearer {token}")),
            identity: args.identity.clone(),
        })
    }

    /// With a server that is asked to wait.
    pub(super) fn waiting(self, wait: Duration) -> Connection {
        Connection { agent: agent(ANSWER_TIMEOUT + wait, &self.tls), ..self }
    }

    pub(crate) fn request(&self, method: &str, path: &str, query: &Query) -> Builder {
        let mut query = query.clone();
        if let Some(identity) = &self.identity {
            query.add("identity", identity);
        }
        let mut request = Request::builder().method(method).uri(format!("{}{path}{}", self.url, query.0));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        request
    }

    /// Sends a request and reads the JSON of its answer.
    ///
    /// # Errors
    /// The server cannot be reached, refuses, or answers something else.
    pub(crate) fn answer<T: DeserializeOwned>(&self, request: Builder, body: Vec<u8>) -> Result<T, Failure> {
        let response = self.send(request, body).map_err(|refused| refused.failure)?;
        let mut bytes = Vec::new();
        let mut reader = response.into_body().into_with_config().limit(ANSWER_BYTES_MAX).reader();
        reader.read_to_end(&mut bytes).map_err(|error| Failure::new(format!("{}: {error}", self.url)))?;
        serde_json::from_slice(&bytes)
            .map_err(|_| Failure::new(format!("{} does not answer as an antiphon server does", self.url)))
    }

    /// Sends a request; the body of the answer is still to be read.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub(super) fn send(&self, request: Builder, body: Vec<u8>) -> Result<Response<Body>, Refused> {
        let lasting =
            |message| Refused { failure: Failure::new(message), temporary: false, retry_after: None };
        // A token or key with a line break in it, say.
        let request =
            request.body(body).map_err(|error| lasting(format!("cannot ask {}: {error}", self.url)))?;
        let response = self.agent.run(request).map_err(|error| Refused {
            failure: Failure::new(self.unreachable(&error)),
            temporary: true,
            retry_after: None,
        })?;
        if response.status().is_success() { Ok(response) } else { Err(refused(response)) }
    }

    fn unreachable(&self, error: &ureq::Error) -> String {
        match error {
            ureq::Error::Io(cause) if cause.kind() == std::io::ErrorKind::ConnectionRefused => {
                format!(
                    "nothing listens on {}: start a server with `antiphon serve`, or name one with --url",
                    self.url
                )
            }
            error => format!("{}: {error}", self.url),
        }
    }
}

/// Where the requests go of a server that is named as WebSockets name it.
fn of_http(url: &str) -> String {
    for (scheme, of_http) in [("ws://", "http://"), ("wss://", "https://")] {
        if let Some(rest) = url.strip_prefix(scheme) {
            return format!("{of_http}{rest}");
        }
    }
    url.to_owned()
}

fn agent(timeout: Duration, tls: &TlsConfig) -> Agent {
    Agent::config_builder()
        .tls_config(tls.clone())
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_recv_response(Some(timeout))
        // Streams go on for as long as they like, but not silently: there are heartbeats.
        .timeout_per_read(Some(timeout))
        .user_agent(concat!("antiphon/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

fn refused(response: Response<Body>) -> Refused {
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut bytes = Vec::new();
    let mut reader = response.into_body().into_with_config().limit(PROBLEM_BYTES_MAX).reader();
    // What cannot be read leaves the status to speak for itself.
    let _ = reader.read_to_end(&mut bytes);
    let problem: Problem = serde_json::from_slice(&bytes).unwrap_or_default();
    let message = match (problem.title.is_empty(), problem.detail.is_empty()) {
        (false, false) => format!("{}: {}", problem.title, problem.detail),
        (false, true) => problem.title,
        (true, _) => format!("the server answered {status}"),
    };
    Refused {
        failure: Failure::new(message),
        temporary: status.is_server_error() || matches!(status.as_u16(), 408 | 429),
        retry_after: retry_after.map(Duration::from_secs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::TlsArgs;

    fn connection(url: &str) -> Result<Connection, Failure> {
        Connection::new(&ServerArgs {
            url: url.into(),
            token: Some("k".into()),
            identity: Some("a b".into()),
            tls: TlsArgs::default(),
        })
    }

    #[test]
    fn requests_are_encoded() {
        let mut query = Query::default();
        query.add("name", "a&b=c");
        query.add("limit", 5);
        let server = connection("http://127.0.0.1:1/below/").unwrap();
        let request =
            server.request("GET", &channel_path("Zimmer/ü #1", "/presence"), &query).body(()).unwrap();
        assert_eq!(
            request.uri().to_string(),
            "http://127.0.0.1:1/below/v1/channels/Zimmer%2F%C3%BC%20%231/presence?name=a%26b%3Dc&limit=5&identity=a%20b"
        );
        assert_eq!(request.headers()[AUTHORIZATION], "Bearer k");
        assert_eq!(channel_path("..", ""), "/v1/channels/%2E%2E");
    }

    #[test]
    fn a_server_may_be_named_as_websockets_name_it() {
        for (url, expected) in [("ws://a:1", "http://a:1/"), ("wss://a/b/", "https://a/b/")] {
            let request = connection(url).unwrap().request("GET", "/", &Query::default()).body(()).unwrap();
            assert!(request.uri().to_string().starts_with(expected), "{url}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for url in ["", "127.0.0.1:8080", "ftp://a", "http://", "http://a?b", "wss://"] {
            assert!(connection(url).is_err(), "{url}");
        }
    }
}
