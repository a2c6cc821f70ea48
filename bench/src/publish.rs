//! Publishers that wait for acknowledgements, over the subprotocol `antiphon.v1`: publishes a second.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Poll};
use serde::Deserialize;

use crate::args::PublishArgs;
use crate::connect::{open, poll_events};
use crate::connection::{Connection, ReadBuffer};
use crate::error::Error;
use crate::framing::{MaskKeys, TEXT, push_frame};
use crate::meter::{Meter, Phase};
use crate::report::Report;
use crate::target::{Part, Protocol, Target};

/// Connections being opened at the same time.
const OPENING: usize = 256;

/// The largest answer that is read; an acknowledgement is far below.
const ANSWER_BYTES_MAX: usize = 64 << 10;

pub(crate) fn measure(args: &PublishArgs) -> Result<Report, Error> {
    let target = Target::new(&args.target, Protocol::V1)?;
    let (publishers, in_flight) = (args.publishers.get(), args.in_flight.get());
    let mut poll = Poll::new().map_err(Error::Poll)?;
    let opened = open(&mut poll, &target, publishers, OPENING, |_| Part::Acknowledged)?;
    let mut publish = Publish {
        publishers: opened
            .connections
            .into_iter()
            .map(|connection| Publisher::new(connection, in_flight))
            .collect(),
        requests: Requests::new(&format!("{}.publish", target.channel), args.size, args.transient),
        buffer: ReadBuffer::new(ANSWER_BYTES_MAX),
        meter: Meter::start(args.span, 1, args.target.pid),
        outstanding: 0,
        phase: Phase::WarmUp,
        free: Vec::with_capacity(in_flight),
    };
    publish.run(&mut poll, in_flight)?;
    let stored = if args.transient { "transient" } else { "stored" };
    let load = format!("{publishers} publishers, {in_flight} in flight each, {} bytes, {stored}", args.size);
    Ok(publish.meter.finish("publish", "publishes", load))
}

struct Publish {
    publishers: Vec<Publisher>,
    requests: Requests,
    buffer: ReadBuffer,
    meter: Meter,
    outstanding: u64,
    phase: Phase,
    /// Slots that one event's acknowledgements set free.
    free: Vec<usize>,
}

impl Publish {
    fn run(&mut self, poll: &mut Poll, in_flight: usize) -> Result<(), Error> {
        let all: Vec<usize> = (0..in_flight).collect();
        for publisher in &mut self.publishers {
            self.requests.send(publisher, &all)?;
            self.outstanding += in_flight as u64;
        }
        let mut events = Events::with_capacity(1024);
        while self.outstanding > 0 {
            poll_events(poll, &mut events, Some(Duration::from_millis(100)))?;
            for event in &events {
                self.handle_event(event)?;
            }
            self.phase = self.meter.tick(Instant::now(), self.outstanding)?;
        }
        Ok(())
    }

    fn handle_event(&mut self, event: &Event) -> Result<(), Error> {
        let number = event.token().0;
        let publisher = &mut self.publishers[number];
        let (slots, meter, free) = (&mut publisher.slots, &mut self.meter, &mut self.free);
        free.clear();
        publisher.connection.handle_event(event, &mut self.buffer, |frame| {
            if let Some(id) = acknowledged(number, frame.payload)? {
                let at = (id % slots.len() as u64) as usize;
                let slot = &mut slots[at];
                let sent_at = slot.sent_at.take().filter(|_| slot.id == id).ok_or_else(|| {
                    let detail = format!("an acknowledgement of {id}, which is not under way");
                    Error::Unexpected { connection: number, detail }
                })?;
                meter.record(frame.read_at.saturating_duration_since(sent_at), 1);
                free.push(at);
            }
            Ok(())
        })?;
        match self.phase {
            Phase::Draining => self.outstanding -= self.free.len() as u64,
            Phase::WarmUp | Phase::Measuring => self.requests.send(publisher, &self.free)?,
        }
        Ok(())
    }
}

struct Publisher {
    connection: Connection,
    /// What is under way. An id is its slot's number, plus the number of slots for each time the slot was used.
    slots: Box<[Slot]>,
}

#[derive(Clone)]
struct Slot {
    id: u64,
    sent_at: Option<Instant>,
}

impl Publisher {
    fn new(connection: Connection, in_flight: usize) -> Self {
        let slots = (0..in_flight as u64).map(|id| Slot { id, sent_at: None }).collect();
        Self { connection, slots }
    }
}

/// Encodes publishes; all are the same but for the id.
struct Requests {
    tail: String,
    text: String,
    frames: Vec<u8>,
    keys: MaskKeys,
}

impl Requests {
    fn new(channel: &str, size: usize, transient: bool) -> Self {
        let channel = serde_json::Value::from(channel);
        let payload = "p".repeat(size);
        let stored = !transient;
        let tail = format!(r#","channel":{channel},"payload":"{payload}","store":{stored},"echo":false}}"#);
        Self { tail, text: String::new(), frames: Vec::new(), keys: MaskKeys::new() }
    }

    fn send(&mut self, publisher: &mut Publisher, slots: &[usize]) -> Result<(), Error> {
        if slots.is_empty() {
            return Ok(());
        }
        let now = Instant::now();
        let in_flight = publisher.slots.len() as u64;
        self.frames.clear();
        for &at in slots {
            let slot = &mut publisher.slots[at];
            slot.id += in_flight;
            slot.sent_at = Some(now);
            self.text.clear();
            self.text.push_str(r#"{"type":"publish","id":"#);
            self.text.push_str(&slot.id.to_string());
            self.text.push_str(&self.tail);
            push_frame(&mut self.frames, TEXT, self.text.as_bytes(), Some(self.keys.next_key()));
        }
        publisher.connection.send(&self.frames)
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    id: Option<u64>,
}

/// The id of a publish that the server says is done; `None` for what is no answer.
fn acknowledged(connection: usize, text: &[u8]) -> Result<Option<u64>, Error> {
    let shown = || String::from_utf8_lossy(text).into_owned();
    let answer: Answer<'_> = serde_json::from_slice(text)
        .map_err(|error| Error::Unexpected { connection, detail: format!("{error}: {}", shown()) })?;
    match (&*answer.kind, answer.id) {
        ("ok", Some(id)) => Ok(Some(id)),
        ("error" | "close", _) => Err(Error::Refused { connection, answer: shown() }),
        ("open", _) => Ok(None),
        _ => Err(Error::Unexpected { connection, detail: shown() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_acknowledgements_from_the_rest() {
        let stored = br#"{"type":"ok","id":7,"position":"17","stored":true}"#;
        assert!(matches!(acknowledged(0, stored), Ok(Some(7))));
        assert!(matches!(acknowledged(0, br#"{"type":"open","session":"s","position":"1"}"#), Ok(None)));
        let refused = br#"{"type":"error","id":7,"error":{"status":403}}"#;
        assert!(matches!(acknowledged(0, refused), Err(Error::Refused { .. })));
        for other in [&b"{}"[..], b"ok", br#"{"type":"ok"}"#, br#"{"type":"message","id":1}"#] {
            assert!(matches!(acknowledged(0, other), Err(Error::Unexpected { .. })));
        }
    }

    #[test]
    fn a_publish_is_json_of_the_asked_size() {
        let requests = Requests::new("a\"b", 128, false);
        let text = format!(r#"{{"type":"publish","id":1{}"#, requests.tail);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["channel"], "a\"b");
        assert_eq!(json["payload"].as_str().map(str::len), Some(128));
        assert_eq!(json["store"], true);
    }
}
