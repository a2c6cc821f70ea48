use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::config::{ORG, PASSWORD, USER};
use crate::foe::Foe;

/// Logs the crowd's user in to the EXP network, and gives its session token.
pub(crate) async fn log_in(address: SocketAddr) -> Result<String, String> {
    let body =
        json!({"type": "user", "username": USER, "password": PASSWORD, "organization": ORG}).to_string();
    let request = format!(
        "POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, body) = Foe::neighbour(address).await?.ask(request.as_bytes()).await?;
    let session: Value = serde_json::from_str(&body).unwrap_or_default();
    match (status, session["token"].as_str()) {
        (200, Some(token)) => Ok(token.to_owned()),
        _ => Err(format!("no login: {status} {body}")),
    }
}
