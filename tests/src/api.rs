use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap};
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::{Lost, Stream, within};

/// A client of the server's HTTP interface; each call has a connection of its own unless it is given one.
#[derive(Clone, Debug)]
pub struct Api {
    address: SocketAddr,
    token: Option<Arc<str>>,
    version: Version,
}

impl Api {
    /// A client without credentials that speaks HTTP/1.1.
    pub fn new(address: SocketAddr) -> Api {
        Api { address, token: None, version: Version::HTTP_11 }
    }

    /// The same with a credential.
    pub fn with_token(&self, token: &str) -> Api {
        Api { token: Some(token.into()), ..self.clone() }
    }

    /// The same over HTTP/2 with prior knowledge.
    pub fn over_http2(&self) -> Api {
        Api { version: Version::HTTP_2, ..self.clone() }
    }

    /// Where it connects to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its credential.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// A request that is yet to be sent.
    pub fn call(&self, method: Method, path: &str) -> Call {
        let uri = format!("http://{}{path}", self.address);
        let mut builder = Request::builder().method(method).uri(uri).version(self.version);
        if let Some(token) = &self.token {
            builder = builder.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        Call { api: self.clone(), builder, body: Bytes::new() }
    }

    /// `GET`
    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    /// `POST`
    pub fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    /// `PUT`
    pub fn put(&self, path: &str) -> Call {
        self.call(Method::PUT, path)
    }

    /// `DELETE`
    pub fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    /// Connects, for several calls one after another.
    ///
    /// # Errors
    /// The server does not take the connection.
    pub async fn connect(&self) -> Result<Connection, Lost> {
        let socket = TcpStream::connect(self.address).await?;
        socket.set_nodelay(true)?;
        let io = TokioIo::new(socket);
        if self.version == Version::HTTP_2 {
            let (sender, driver) = http2::handshake(TokioExecutor::new(), io).await?;
            // Its end shows in what is asked over it.
            tokio::spawn(async move { drop(driver.await) });
            return Ok(Connection::Http2(sender));
        }
        let (sender, driver) = http1::handshake(io).await?;
        tokio::spawn(async move { drop(driver.await) });
        Ok(Connection::Http1(sender))
    }
}

/// A connection that takes one call after another.
pub enum Connection {
    /// HTTP/1.1
    Http1(http1::SendRequest<Full<Bytes>>),
    /// HTTP/2
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    async fn send(&mut self, mut request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Lost> {
        match self {
            Connection::Http1(sender) => {
                let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
                if !request.headers().contains_key(HOST) {
                    request.headers_mut().insert(HOST, host.parse().expect("an authority is a header value"));
                }
                let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
                *request.uri_mut() = target.parse().expect("a path and query are a URI");
                sender.ready().await?;
                Ok(sender.send_request(request).await?)
            }
            Connection::Http2(sender) => {
                sender.ready().await?;
                Ok(sender.send_request(request).await?)
            }
        }
    }
}

/// A request that is yet to be sent.
pub struct Call {
    api: Api,
    builder: http::request::Builder,
    body: Bytes,
}

impl Call {
    /// With this header besides.
    pub fn header(self, name: &str, value: &str) -> Call {
        Call { builder: self.builder.header(name, value), ..self }
    }

    /// With this JSON as its body.
    pub fn json(self, body: &Value) -> Call {
        self.body("application/json", body.to_string())
    }

    /// With this text as its body.
    pub fn text(self, body: &str) -> Call {
        self.body("text/plain", body.to_owned())
    }

    /// With these bytes as its body.
    pub fn body(self, content_type: &str, body: impl Into<Bytes>) -> Call {
        Call { body: body.into(), ..self.header(CONTENT_TYPE.as_str(), content_type) }
    }

    /// Sends it and takes the whole answer.
    ///
    /// # Panics
    /// There is no answer.
    pub async fn send(self) -> Answer {
        match self.try_send().await {
            Ok(answer) => answer,
            Err(lost) => panic!("no answer: {lost}"),
        }
    }

    /// Sends it and takes the whole answer.
    ///
    /// # Errors
    /// There is none, or only a part.
    pub async fn try_send(self) -> Result<Answer, Lost> {
        let mut connection = self.api.connect().await?;
        self.try_send_over(&mut connection).await
    }

    /// Sends it over this connection and takes the whole answer.
    ///
    /// # Errors
    /// There is none, or only a part.
    pub async fn try_send_over(self, connection: &mut Connection) -> Result<Answer, Lost> {
        let (described, request) = self.finish();
        let answer = async {
            let (head, body) = connection.send(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(Answer { asked: described.clone(), status: head.status, headers: head.headers, body })
        };
        within(&described, answer).await
    }

    /// Sends it and takes the head of an answer that goes on.
    ///
    /// # Panics
    /// There is no answer, or its status is not 200.
    pub async fn stream(self) -> Stream {
        match self.try_stream().await {
            Ok(stream) => stream,
            Err(lost) => panic!("no stream: {lost}"),
        }
    }

    /// Sends it and takes the head of an answer that goes on.
    ///
    /// # Errors
    /// There is no answer, or its status is not 200.
    pub async fn try_stream(self) -> Result<Stream, Lost> {
        let mut connection = self.api.connect().await?;
        let (described, request) = self.finish();
        let response = within(&described, connection.send(request)).await?;
        if response.status() != StatusCode::OK {
            let (head, body) = response.into_parts();
            let body = within("the answer's body", body.collect()).await?.to_bytes();
            return Err(Lost(format!("{described}: {} {}", head.status, String::from_utf8_lossy(&body))));
        }
        Ok(Stream::new(response, connection))
    }

    fn finish(self) -> (String, Request<Full<Bytes>>) {
        let request = self.builder.body(Full::new(self.body)).expect("a test's request is well-formed");
        (format!("{} {}", request.method(), request.uri()), request)
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    asked: String,
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// Itself, if its status is this.
    ///
    /// # Panics
    /// It is another.
    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status.as_u16(), status, "{}: {}", self.asked, self.text());
        self
    }

    /// Its body as JSON.
    ///
    /// # Panics
    /// It is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{}: {error} in {:?}", self.asked, self.text()),
        }
    }

    /// Its body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value, empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The problem document that it is, with this status.
    ///
    /// # Panics
    /// It is none, or not a whole one.
    #[track_caller]
    pub fn problem(self, status: u16) -> Value {
        let answer = self.expect(status);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{}", answer.asked);
        let problem = answer.json();
        for member in ["type", "title", "detail"] {
            let text = problem[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{}: no {member} in {problem}", answer.asked);
        }
        assert_eq!(problem["status"], status, "{}: {problem}", answer.asked);
        problem
    }
}
