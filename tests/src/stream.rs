use bytes::{Bytes, BytesMut};
use http::Response;
use http::header::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

use crate::{Connection, Lost, within};

/// An answer that goes on: its bytes as they come, or its lines.
pub struct Stream {
    /// The headers of the answer.
    pub headers: HeaderMap,
    body: Incoming,
    rest: BytesMut,
    // HTTP/2 ends a connection whose last handle is dropped.
    _connection: Connection,
}

impl Stream {
    pub(crate) fn new(response: Response<Incoming>, connection: Connection) -> Stream {
        let (head, body) = response.into_parts();
        Stream { headers: head.headers, body, rest: BytesMut::new(), _connection: connection }
    }

    /// The next bytes; none at its end.
    ///
    /// # Errors
    /// It broke off.
    pub async fn next_bytes(&mut self) -> Result<Option<Bytes>, Lost> {
        if !self.rest.is_empty() {
            return Ok(Some(self.rest.split().freeze()));
        }
        loop {
            match self.body.frame().await.transpose()? {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    /// The next line without its end; none at the stream's end.
    ///
    /// # Errors
    /// It broke off, in the middle of a line too.
    pub async fn next_line(&mut self) -> Result<Option<String>, Lost> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line = self.rest.split_to(end + 1);
                return Ok(Some(String::from_utf8(line[..end].to_vec())?));
            }
            match self.body.frame().await.transpose()? {
                None if self.rest.is_empty() => return Ok(None),
                None => return Err(Lost("the stream ends in the middle of a line".into())),
                Some(frame) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.rest.extend_from_slice(&bytes);
                    }
                }
            }
        }
    }

    /// The next line as JSON, heartbeats left out; none at the stream's end.
    ///
    /// # Errors
    /// It broke off, or the line is no JSON.
    pub async fn try_json(&mut self) -> Result<Option<Value>, Lost> {
        while let Some(line) = self.next_line().await? {
            let value: Value = serde_json::from_str(&line)?;
            if value["type"] != "heartbeat" {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// The next line as JSON, heartbeats left out.
    ///
    /// # Panics
    /// There is none.
    pub async fn json(&mut self) -> Value {
        match within("a line of the stream", self.try_json()).await {
            Ok(Some(value)) => value,
            other => panic!("no line of JSON: {other:?}"),
        }
    }
}
