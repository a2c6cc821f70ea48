//! One broadcast, and all that comes of it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Poll};
use serde::Deserialize;
use serde_json::json;

use super::device::Device;
use crate::connect::poll_events;
use crate::connection::{Frame, ReadBuffer};
use crate::error::Error;
use crate::framing::TEXT;
use crate::http::{Answer, HttpConnection, post};
use crate::meter::STALL;
use crate::target::Target;

/// How long is waited where nobody has anything to say.
const IDLE: Duration = Duration::from_millis(100);

/// How many devices answer before the sockets are looked at again.
const ANSWERS_AT_ONCE: usize = 16;

/// The largest frame of a round.
const FRAME_BYTES_MAX: usize = 64 << 10;

/// How often each device says that it is there; the server gives it 85 s.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING: &[u8] = b"2";
const PONG: &[u8] = b"3";

/// How a broadcast begins on a socket, and what ends it.
const BROADCAST: (&[u8], &[u8]) = (br#"42["broadcast","#, b"]");

/// What stands for the number of a round where there is none.
const BETWEEN: u32 = u32::MAX;

/// When a round was where, from the sending of the broadcast.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    /// The last device has read the broadcast.
    pub(super) last_delivery: Duration,
    /// The last device's response has been acknowledged.
    pub(super) last_answer: Duration,
}

/// All devices, and who broadcasts.
pub(super) struct Load {
    devices: Vec<Device>,
    sender: HttpConnection,
    sender_token: String,
    host: String,
    channel: String,
    path: String,
    /// How long nothing may arrive: most of a round passes in silence.
    patience: Duration,
    pinged: Instant,
    buffer: ReadBuffer,
}

/// How far a round is.
struct Progress {
    number: u32,
    began: Instant,
    deliveries: usize,
    last_delivery: Instant,
    /// Devices that have read the broadcast and have not answered it.
    to_answer: VecDeque<usize>,
    answers: usize,
    last_answer: Instant,
    collected: Option<Answer>,
    pongs: usize,
    arrived: Instant,
}

/// A broadcast as devices get it.
#[derive(Deserialize)]
struct Heard<'a> {
    #[serde(borrow)]
    id: &'a str,
    channel: String,
    payload: Payload,
}

/// What is broadcast, and what is responded.
#[derive(Deserialize)]
struct Payload {
    round: u32,
    device: Option<usize>,
}

impl Load {
    pub(super) fn new(
        target: &Target,
        devices: Vec<Device>,
        sender: HttpConnection,
        sender_token: String,
        timeout: Duration,
    ) -> Load {
        Load {
            sender,
            sender_token,
            host: target.host().to_owned(),
            channel: devices.first().map(|device| device.channel.clone()).unwrap_or_default(),
            path: format!("/api/networks/current/broadcasts?timeout={}", timeout.as_millis()),
            patience: STALL + timeout,
            pinged: Instant::now(),
            buffer: ReadBuffer::new(FRAME_BYTES_MAX),
            devices,
        }
    }

    /// Broadcasts, lets every device answer, and checks that all answers are in the array.
    ///
    /// # Errors
    /// A device does not get it, or twice; a response is refused, or not in the array; a connection ends.
    pub(super) fn round(&mut self, poll: &mut Poll, number: u32) -> Result<Round, Error> {
        let mut events = Events::with_capacity(1024);
        if self.pinged.elapsed() > PING_INTERVAL {
            self.ping(poll, &mut events)?;
        }
        let body = json!({"name": "bench", "channel": self.channel, "payload": {"round": number}});
        let token = Some(self.sender_token.as_str());
        let request = post(&self.host, &self.path, token, body.to_string().as_bytes());
        let mut progress = Progress::begin(number);
        self.sender.send(&request)?;
        while progress.answers < self.devices.len() || progress.collected.is_none() {
            self.turn(poll, &mut events, &mut progress)?;
        }
        let collected = progress.collected.expect("it has been waited for");
        check(&collected, number, self.devices.len())
            .map_err(|detail| Error::Unexpected { connection: 2 * self.devices.len(), detail })?;
        Ok(Round {
            last_delivery: progress.last_delivery - progress.began,
            last_answer: progress.last_answer - progress.began,
        })
    }

    /// Says for every device that it is there.
    fn ping(&mut self, poll: &mut Poll, events: &mut Events) -> Result<(), Error> {
        for device in &mut self.devices {
            device.socket.send_control(TEXT, PING)?;
        }
        let mut progress = Progress::begin(BETWEEN);
        while progress.pongs < self.devices.len() {
            self.turn(poll, events, &mut progress)?;
        }
        self.pinged = Instant::now();
        Ok(())
    }

    /// Reads what has come; only where there is nothing, some devices answer.
    fn turn(&mut self, poll: &mut Poll, events: &mut Events, progress: &mut Progress) -> Result<(), Error> {
        let timeout = if progress.to_answer.is_empty() { IDLE } else { Duration::ZERO };
        poll_events(poll, events, Some(timeout))?;
        for event in events.iter() {
            self.handle_event(event, progress)?;
        }
        if !events.is_empty() {
            progress.arrived = Instant::now();
            return Ok(());
        }
        for _ in 0..ANSWERS_AT_ONCE.min(progress.to_answer.len()) {
            let device = progress.to_answer.pop_front().expect("there are so many");
            self.answer(device, progress.number)?;
        }
        if progress.arrived.elapsed() > self.patience {
            let outstanding = self.devices.len() - progress.answers.min(self.devices.len());
            return Err(Error::Stalled { seconds: self.patience.as_secs(), outstanding: outstanding as u64 });
        }
        Ok(())
    }

    fn handle_event(&mut self, event: &Event, progress: &mut Progress) -> Result<(), Error> {
        let (number, count) = (event.token().0, self.devices.len());
        if number < count {
            let Device { socket, got, heard, .. } = &mut self.devices[number];
            return socket
                .handle_event(event, &mut self.buffer, |frame| progress.take(number, frame, got, heard));
        }
        let Some(device) = self.devices.get_mut(number - count) else {
            if let Some(answer) = self.sender.handle_event(event)? {
                progress.collected = Some(answer);
            }
            return Ok(());
        };
        match device.responses.handle_event(event)? {
            None => Ok(()),
            Some(Answer { status: 200..=299, .. }) => {
                progress.answers += 1;
                progress.last_answer = Instant::now();
                Ok(())
            }
            Some(answer) => Err(Error::Refused { connection: number, answer: answer.to_string() }),
        }
    }

    /// Lets a device answer what it has heard.
    fn answer(&mut self, number: usize, round: u32) -> Result<(), Error> {
        let device = &mut self.devices[number];
        let heard = std::mem::take(&mut device.heard);
        let unexpected = || {
            let detail = format!("round {round}: {}", String::from_utf8_lossy(&heard));
            Error::Unexpected { connection: number, detail }
        };
        let (before, after) = BROADCAST;
        let json =
            heard.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).ok_or_else(unexpected)?;
        let Heard { id, channel, payload } = serde_json::from_slice(json).map_err(|_| unexpected())?;
        if channel != device.channel || payload.round != round {
            return Err(unexpected());
        }
        let body = json!({"id": id, "channel": channel, "payload": {"round": round, "device": number}});
        let path = "/api/networks/current/responses";
        let request = post(&self.host, path, Some(&device.token), body.to_string().as_bytes());
        device.responses.send(&request)
    }
}

impl Progress {
    fn begin(number: u32) -> Progress {
        let now = Instant::now();
        Progress {
            number,
            began: now,
            deliveries: 0,
            last_delivery: now,
            to_answer: VecDeque::new(),
            answers: 0,
            last_answer: now,
            collected: None,
            pongs: 0,
            arrived: now,
        }
    }

    /// Takes a frame in, and keeps it for later: until all have been read, nothing else is done.
    fn take(
        &mut self,
        device: usize,
        frame: Frame<'_>,
        got: &mut u32,
        heard: &mut Vec<u8>,
    ) -> Result<(), Error> {
        if frame.opcode == TEXT && frame.payload == PONG {
            self.pongs += 1;
            return Ok(());
        }
        if *got != self.number {
            return Err(frame.unexpected(device));
        }
        *got += 1;
        heard.extend_from_slice(frame.payload);
        self.deliveries += 1;
        self.last_delivery = self.last_delivery.max(frame.read_at);
        self.to_answer.push_back(device);
        Ok(())
    }
}

/// Checks that the array has the response of every device, once.
fn check(collected: &Answer, round: u32, devices: usize) -> Result<(), String> {
    let wrong = |what: String| Err(format!("{what} in the answer to broadcast {round}: {collected}"));
    let Ok(responses) = serde_json::from_slice::<Vec<Payload>>(&collected.body) else {
        return wrong("no array of responses".to_owned());
    };
    let mut missing = vec![true; devices];
    for response in &responses {
        let device = response.device.filter(|_| response.round == round);
        match device.and_then(|device| missing.get_mut(device)) {
            Some(is_missing) if *is_missing => *is_missing = false,
            _ => return wrong(format!("a response too many ({:?})", response.device)),
        }
    }
    match missing.iter().filter(|is_missing| **is_missing).count() {
        0 => Ok(()),
        missing => wrong(format!("{missing} of {devices} responses are not")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(body: &str) -> Result<(), String> {
        check(&Answer { status: 200, body: body.into() }, 7, 2)
    }

    #[test]
    fn every_response_is_in_the_array_once() {
        assert_eq!(checked(r#"[{"round":7,"device":1},{"round":7,"device":0}]"#), Ok(()));
        for (body, expected) in [
            ("{}", "no array"),
            ("[]", "2 of 2 responses are not"),
            (r#"[{"round":7,"device":1}]"#, "1 of 2 responses are not"),
            (r#"[{"round":7,"device":1},{"round":7,"device":1}]"#, "a response too many (Some(1))"),
            (r#"[{"round":7,"device":1},{"round":6,"device":0}]"#, "a response too many"),
            (r#"[{"round":7,"device":2}]"#, "a response too many"),
            (r#"[{"round":7}]"#, "a response too many (None)"),
        ] {
            let error = checked(body).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
