mod bombs;
mod bytes;
mod channels;
mod churn;
mod credentials;
mod engine;
mod frames;
mod heads;
mod http2;
mod json;
mod readers;
mod replies;
mod requests;
mod socketio;
mod subscriptions;

use crate::attack::{Attack, Round};
use crate::foe::End;

/// All attacks, in the order in which they are run.
pub(crate) fn all() -> Vec<Attack> {
    [
        bytes::ATTACKS,
        heads::ATTACKS,
        requests::ATTACKS,
        frames::ATTACKS,
        json::ATTACKS,
        bombs::ATTACKS,
        subscriptions::ATTACKS,
        readers::ATTACKS,
        engine::ATTACKS,
        socketio::ATTACKS,
        http2::ATTACKS,
        credentials::ATTACKS,
        replies::ATTACKS,
        channels::ATTACKS,
        churn::ATTACKS,
    ]
    .concat()
}

/// The end has to be an answer of one of these statuses; 0 stands for an end without a word.
fn status_of(what: &str, end: &End, due: &[u16]) -> Round {
    let status = match end {
        End::Status(status) => *status,
        End::Silent => 0,
        End::Close(..) | End::Open => return Err(format!("{what}: {end}")),
    };
    if due.contains(&status) { Ok(end.to_string()) } else { Err(format!("{what}: {end}")) }
}

/// The end has to be a close of one of these codes; 0 stands for an end without a word.
fn close_of(what: &str, end: &End, due: &[u16]) -> Round {
    let code = match end {
        End::Close(code, _) => *code,
        End::Silent => 0,
        End::Status(_) | End::Open => return Err(format!("{what}: {end}")),
    };
    if due.contains(&code) { Ok(end.to_string()) } else { Err(format!("{what}: {end}")) }
}

/// An answer's status has to be one of these.
fn answered(what: &str, answer: Result<(u16, String), String>, due: &[u16]) -> Round {
    match answer {
        Ok((status, _)) if due.contains(&status) => Ok(status.to_string()),
        Ok((status, body)) => {
            let body: String = body.chars().take(120).collect();
            Err(format!("{what}: {status} {body}"))
        }
        Err(wrong) => Err(format!("{what}: {wrong}")),
    }
}

/// A request with a body, for the native protocol unless the headers say otherwise.
fn post(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A request without one.
fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").into_bytes()
}

/// What says that a body is JSON.
const JSON: &str = "Content-Type: application/json\r\n";
/// What asks for `antiphon.v1`.
const V1: &str = "Sec-WebSocket-Protocol: antiphon.v1\r\n";
