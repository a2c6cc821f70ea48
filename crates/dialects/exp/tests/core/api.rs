//! Requests at `/api`, as the SDKs make them and as `curl` does.

mod broadcasting;
mod logging_in;
mod requests;

use serde_json::{Value, json};

use crate::client::{Connection, Response};
use crate::{Running, Setup};

/// An API key of the org `scala` that may do everything but administrate.
pub(crate) const KEY: &str = "key-of-scala";

const BROADCASTS: &str = "/api/networks/current/broadcasts";
const RESPONSES: &str = "/api/networks/current/responses";

impl Running {
    /// Posts JSON, with a token if there is one.
    fn post(&self, target: &str, token: Option<&str>, body: &Value) -> Response {
        post(&mut self.connect(), target, token, body.to_string().as_bytes())
    }

    /// Broadcasts, and gives the responses.
    fn collect(&self, token: &str, query: &str, body: &Value) -> Value {
        let answer = self.post(&format!("{BROADCASTS}{query}"), Some(token), body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// A login token as the SDKs sign it.
    fn signed(&self, claims: &Value, secret: &str) -> String {
        let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).unwrap()
    }

    /// Seconds since the epoch, some later than now.
    fn soon(&self) -> u64 {
        self.node().now().wall.as_secs() + 30
    }
}

impl Response {
    fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Its status and the word of what went wrong, for people as well.
    fn refused(&self) -> (u16, String) {
        let error = self.json();
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
        assert_eq!(error["status"], self.status);
        (self.status, error["code"].as_str().unwrap().to_owned())
    }
}

fn post(connection: &mut Connection, target: &str, token: Option<&str>, body: &[u8]) -> Response {
    begin_post(connection, target, token, body);
    connection.response()
}

/// Sends it, and leaves the answer for later.
fn begin_post(connection: &mut Connection, target: &str, token: Option<&str>, body: &[u8]) {
    let token = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(token.as_deref().map(|token| ("authorization", token)));
    connection.send("POST", target, &headers, body);
}

fn refusal(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// A broadcast on an ordinary channel.
fn hello(channel: &str) -> Value {
    json!({ "name": "hello", "channel": { "name": channel }, "payload": { "text": "hello?" } })
}

fn start() -> Running {
    Setup::default().start()
}
