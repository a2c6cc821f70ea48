use std::time::{Duration, Instant};

use mio::event::Event;

use super::dialect::Dialect;
use super::written;
use crate::args::LongPollArgs;
use crate::error::Error;
use crate::http::{self, HttpConnection};
use crate::target::Target;

/// The longest that is waited for events.
const IDLE: Duration = Duration::from_millis(100);

/// Those who publish by the clock, in turn, whether or not what they sent before is acknowledged.
pub(super) struct Publishers {
    pub(super) connections: Vec<HttpConnection>,
    /// The first of their numbers.
    first: usize,
    pub(super) dialect: Dialect,
    size: usize,
    period: Duration,
    origin: Instant,
    /// How many messages have been sent.
    pub(super) sent: u64,
}

impl Publishers {
    /// # Errors
    /// The server does not take a connection.
    pub(super) fn open(
        first: usize,
        args: &LongPollArgs,
        target: &Target,
        dialect: Dialect,
    ) -> Result<Publishers, Error> {
        let open = |number| Ok(HttpConnection::new(number, http::connect(number, target)?));
        Ok(Publishers {
            connections: (first..first + args.publishers.get()).map(open).collect::<Result<_, Error>>()?,
            first,
            dialect,
            size: args.size,
            period: Duration::from_secs_f64(1.0 / args.rate),
            origin: Instant::now(),
            sent: 0,
        })
    }

    /// From here on the time counts.
    pub(super) fn begin(&mut self) {
        self.origin = Instant::now();
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    /// When a message is to be published, from the beginning.
    pub(super) fn due(&self, message: u64) -> Duration {
        self.period.mul_f64(message as f64)
    }

    /// How long to wait for events before it is time to publish again.
    pub(super) fn wait(&self) -> Duration {
        self.due(self.sent).saturating_sub(self.elapsed()).min(IDLE)
    }

    /// Publishes what is due.
    pub(super) fn publish(&mut self) -> Result<(), Error> {
        while self.due(self.sent) <= self.elapsed() {
            let at = (self.sent % self.connections.len() as u64) as usize;
            let message = written(self.sent, self.size);
            self.connections[at].send(&self.dialect.publish(at, &message))?;
            self.sent += 1;
        }
        Ok(())
    }

    /// Reads acknowledgements.
    ///
    /// # Errors
    /// A message was refused, or the connection ended.
    pub(super) fn handle_event(&mut self, number: usize, event: &Event) -> Result<(), Error> {
        let connection = &mut self.connections[number - self.first];
        let mut next = connection.handle_event(event)?;
        while let Some(answer) = next {
            if !self.dialect.is_taken(&answer) {
                return Err(Error::Refused { connection: number, answer: answer.to_string() });
            }
            next = connection.next_answer()?;
        }
        Ok(())
    }
}
