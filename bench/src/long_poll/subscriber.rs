use mio::event::Event;

use super::dialect::{Dialect, Polled};
use crate::error::Error;
use crate::http::{self, Answer, HttpConnection};
use crate::target::Target;

/// One who polls.
pub(super) struct Subscriber {
    number: usize,
    pub(super) connection: HttpConnection,
    /// A poll up to its position, and what comes after it.
    request: (Vec<u8>, Vec<u8>),
    position: String,
}

impl Subscriber {
    /// Connects, and takes a position.
    ///
    /// # Errors
    /// The server refuses, or says something else than is due.
    pub(super) fn open(number: usize, target: &Target, dialect: &Dialect) -> Result<Subscriber, Error> {
        let mut stream = http::connect(number, target)?;
        let answer = http::exchange(number, &mut stream, &dialect.first(number))?;
        let Polled { position, .. } = dialect.read(&answer).ok_or_else(|| unexpected(number, &answer))?;
        let connection = HttpConnection::new(number, stream);
        Ok(Subscriber { number, connection, request: dialect.poll(number), position })
    }

    /// Asks for what comes next.
    pub(super) fn poll(&mut self) -> Result<(), Error> {
        let (before, after) = &self.request;
        self.connection.send(&[before, self.position.as_bytes(), after].concat())
    }

    /// The numbers of the messages in the answer, once all of it is there.
    ///
    /// # Errors
    /// The connection ended, or it is no answer to a poll.
    pub(super) fn handle_event(
        &mut self,
        event: &Event,
        dialect: &Dialect,
    ) -> Result<Option<Vec<u64>>, Error> {
        let Some(answer) = self.connection.handle_event(event)? else { return Ok(None) };
        let Polled { position, messages } =
            dialect.read(&answer).ok_or_else(|| unexpected(self.number, &answer))?;
        self.position = position;
        Ok(Some(messages))
    }
}

fn unexpected(number: usize, answer: &Answer) -> Error {
    Error::Unexpected { connection: number, detail: format!("no answer to a poll: {answer}") }
}
