//! Who publishes what is missed: a request after the other, each of which says what position it got.

use std::net::TcpStream;
use std::ops::Range;

use serde::Deserialize;

use crate::error::Error;
use crate::http;
use crate::message::text;
use crate::target::{Part, Target};

pub(super) struct Publisher {
    stream: TcpStream,
    host: String,
    token: Option<String>,
    path: String,
    size: usize,
}

#[derive(Deserialize)]
struct Published {
    position: String,
}

impl Publisher {
    /// # Errors
    /// The server does not take the connection.
    pub(super) fn open(target: &Target, size: usize) -> Result<Self, Error> {
        Ok(Self {
            stream: http::connect(0, target)?,
            host: target.host().to_owned(),
            token: target.token().map(str::to_owned),
            path: format!("/v1/channels/{}?identity=bench-publisher", target.topic(Part::Publisher, 0)),
            size,
        })
    }

    /// Publishes the messages of these numbers, and gives the position of the last.
    ///
    /// # Errors
    /// One is refused.
    pub(super) fn publish(&mut self, numbers: Range<u64>) -> Result<String, Error> {
        let mut position = String::new();
        for number in numbers {
            let message = text(number, self.size);
            let request = http::post_text(&self.host, &self.path, self.token.as_deref(), message.as_bytes());
            let answer = http::exchange(0, &mut self.stream, &request)?;
            let published =
                (answer.status == 201).then(|| serde_json::from_slice(&answer.body).ok()).flatten();
            let refused = || Error::Refused { connection: 0, answer: answer.to_string() };
            Published { position } = published.ok_or_else(refused)?;
        }
        Ok(position)
    }
}
