use mio::event::Event;
use serde::Deserialize;

use super::number_of;
use crate::error::Error;
use crate::http::{self, Answer, HttpConnection};
use crate::target::Target;

/// One who polls.
pub(super) struct Subscriber {
    number: usize,
    pub(super) connection: HttpConnection,
    /// A poll up to its timetoken, and what comes after it.
    request: (String, String),
    timetoken: String,
}

/// What a subscribe is answered with.
#[derive(Deserialize)]
struct Answered<'a> {
    #[serde(borrow)]
    t: Timetoken<'a>,
    m: Vec<Envelope<'a>>,
}

#[derive(Deserialize)]
struct Timetoken<'a> {
    t: &'a str,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    d: &'a str,
}

impl Subscriber {
    /// Connects, and takes a timetoken.
    ///
    /// # Errors
    /// The server refuses, or says something else than is due.
    pub(super) fn open(number: usize, target: &Target, subscribe_key: &str) -> Result<Subscriber, Error> {
        let mut stream = http::connect(number, target)?;
        let (host, channel) = (target.host(), &target.channel);
        let before = format!("GET /v2/subscribe/{subscribe_key}/{channel}/0?heartbeat=300&tt=");
        let after =
            format!("&tr=1&uuid=bench-{number:05}&pnsdk=antiphon-bench HTTP/1.1\r\nHost: {host}\r\n\r\n");
        // With a region it would be one who is subscribed already.
        let first = format!("{before}0{}", after.trim_start_matches("&tr=1"));
        let answer = http::exchange(number, &mut stream, first.as_bytes())?;
        let (timetoken, messages) = read(&answer).ok_or_else(|| unexpected(number, &answer))?;
        if !messages.is_empty() {
            return Err(unexpected(number, &answer));
        }
        let connection = HttpConnection::new(number, stream);
        Ok(Subscriber { number, connection, request: (before, after), timetoken })
    }

    /// Asks for what comes next.
    pub(super) fn poll(&mut self) -> Result<(), Error> {
        let (before, after) = &self.request;
        let mut request = Vec::with_capacity(before.len() + self.timetoken.len() + after.len());
        for part in [before, &self.timetoken, after] {
            request.extend_from_slice(part.as_bytes());
        }
        self.connection.send(&request)
    }

    /// The numbers of the messages in the answer, once all of it is there.
    ///
    /// # Errors
    /// The connection ended, or it is no answer to a poll.
    pub(super) fn handle_event(&mut self, event: &Event) -> Result<Option<Vec<u64>>, Error> {
        let Some(answer) = self.connection.handle_event(event)? else { return Ok(None) };
        let (timetoken, messages) = read(&answer).ok_or_else(|| unexpected(self.number, &answer))?;
        self.timetoken = timetoken;
        Ok(Some(messages))
    }
}

fn unexpected(number: usize, answer: &Answer) -> Error {
    Error::Unexpected { connection: number, detail: format!("no answer to a poll: {answer}") }
}

/// The next timetoken, and the numbers of the messages.
fn read(answer: &Answer) -> Option<(String, Vec<u64>)> {
    let answered: Answered<'_> =
        (answer.status == 200).then(|| serde_json::from_slice(&answer.body).ok()).flatten()?;
    let messages = answered.m.iter().map(|envelope| number_of(envelope.d));
    Some((answered.t.t.to_owned(), messages.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_messages_and_the_next_timetoken() {
        let answer = |status, body: &str| Answer { status, body: body.into() };
        let body =
            r#"{"t":{"t":"17","r":1},"m":[{"c":"x","d":"0000000000000003ee"},{"d":"0000000000000004"}]}"#;
        assert_eq!(read(&answer(200, body)), Some(("17".to_owned(), vec![3, 4])));
        assert_eq!(read(&answer(403, body)), None);
        assert_eq!(read(&answer(200, r#"{"t":{"t":"17","r":1},"m":[{"d":"4"}]}"#)), None);
        assert_eq!(read(&answer(200, "[]")), None);
    }
}
