//! Long polls, the native ones or those of PubNub's SDKs: how many messages each second reach everybody, and what each costs the
//! server.
//!
//! A subscriber takes a position, and asks with it for what came after; the answer has some messages and the next position.
//! It asks again as soon as it has been answered, so that what is published meanwhile has to come with the next answer. A few more
//! connections publish in turn, at a fixed rate. All of them are on one thread.

mod deliveries;
mod dialect;
mod publishers;
mod subscriber;

use std::time::Instant;

use mio::event::Event;
use mio::{Events, Interest, Poll, Token};

use self::deliveries::Deliveries;
use self::dialect::Dialect;
use self::publishers::Publishers;
use self::subscriber::Subscriber;
use crate::args::{LongPollArgs, PollProtocol};
use crate::connect::poll_events;
use crate::error::Error;
use crate::http::HttpConnection;
use crate::meter::{Meter, Phase};
use crate::progress::Progress;
use crate::report::Report;
use crate::target::{Protocol, Target};

pub(crate) fn measure(args: &LongPollArgs) -> Result<Report, Error> {
    let target = Target::new(&args.target, Protocol::WebSocket)?;
    let mut poll = Poll::new().map_err(Error::Poll)?;
    let mut load = Load::open(&mut poll, args, &target)?;
    load.run(&mut poll)?;
    let Load { subscribers, deliveries, meter, .. } = load;
    let load = format!(
        "{} long polls of {}, {} publishers, {} messages/s, {} bytes",
        subscribers.len(),
        match args.protocol {
            PollProtocol::V1 => "the native protocol",
            PollProtocol::PubNub => "PubNub's",
        },
        args.publishers,
        args.rate,
        args.size
    );
    let mut report = meter.finish("long-poll", "deliveries", load);
    report.answers = Some(deliveries.answers());
    Ok(report)
}

struct Load {
    subscribers: Vec<Subscriber>,
    publishers: Publishers,
    deliveries: Deliveries,
    meter: Meter,
}

impl Load {
    /// Opens every connection, and gives each subscriber its first timetoken and its first poll.
    fn open(poll: &mut Poll, args: &LongPollArgs, target: &Target) -> Result<Load, Error> {
        let count = args.subscribers.get();
        let dialect = Dialect::new(args, target);
        let mut subscribers = Vec::with_capacity(count);
        let mut progress = Progress::new();
        for number in 0..count {
            let mut subscriber = Subscriber::open(number, target, &dialect)?;
            register(poll, number, &mut subscriber.connection)?;
            progress.show(Instant::now(), || format!("{number} of {count} subscribers have a position"));
            subscribers.push(subscriber);
        }
        progress.clear();
        let mut publishers = Publishers::open(count, args, target, dialect)?;
        for (number, connection) in (count..).zip(&mut publishers.connections) {
            register(poll, number, connection)?;
        }
        for subscriber in &mut subscribers {
            subscriber.poll()?;
        }
        Ok(Load {
            subscribers,
            publishers,
            deliveries: Deliveries::new(count, args.publishers.get()),
            meter: Meter::start(args.span, count as u64, args.target.pid),
        })
    }

    fn run(&mut self, poll: &mut Poll) -> Result<(), Error> {
        let mut events = Events::with_capacity(1024);
        self.publishers.begin();
        loop {
            let outstanding = self.deliveries.outstanding(self.publishers.sent);
            let phase = self.meter.tick(Instant::now(), outstanding)?;
            self.deliveries.enter(phase);
            match phase {
                Phase::Draining if outstanding == 0 => return Ok(()),
                Phase::Draining => {}
                Phase::WarmUp | Phase::Measuring => self.publishers.publish()?,
            }
            poll_events(poll, &mut events, Some(self.publishers.wait()))?;
            for event in &events {
                self.handle_event(event)?;
            }
        }
    }

    fn handle_event(&mut self, event: &Event) -> Result<(), Error> {
        let number = event.token().0;
        let Some(subscriber) = self.subscribers.get_mut(number) else {
            return self.publishers.handle_event(number, event);
        };
        let Some(messages) = subscriber.handle_event(event, &self.publishers.dialect)? else { return Ok(()) };
        let now = self.publishers.elapsed();
        self.deliveries.begin_answer();
        for message in messages {
            self.deliveries.take(number, message)?;
            self.meter.record(now.saturating_sub(self.publishers.due(message)), 1);
        }
        subscriber.poll()
    }
}

fn register(poll: &Poll, number: usize, connection: &mut HttpConnection) -> Result<(), Error> {
    let interest = Interest::READABLE | Interest::WRITABLE;
    poll.registry().register(connection.stream_mut(), Token(number), interest).map_err(Error::Poll)
}

/// A message: its number and what fills it up to its size.
fn written(number: u64, size: usize) -> String {
    let mut text = format!("{number:016}");
    text.extend(std::iter::repeat_n('e', size.saturating_sub(text.len())));
    text
}

/// The number of a message.
fn number_of(text: &str) -> Option<u64> {
    let (digits, filler) = text.split_at_checked(16)?;
    filler.bytes().all(|byte| byte == b'e').then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_its_number() {
        for (number, size) in [(0, 16), (7, 128), (9_999_999_999_999_999, 17)] {
            let text = written(number, size);
            assert_eq!((text.len(), number_of(&text)), (size, Some(number)));
        }
        for text in ["", "12", "000000000000000x", "0000000000000001f"] {
            assert_eq!(number_of(text), None, "{text}");
        }
    }
}
