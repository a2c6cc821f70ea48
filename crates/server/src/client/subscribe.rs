//! Listening over HTTP streaming, again and again.

use std::io::{self, BufRead, BufReader, Write};
use std::time::Duration;

use serde::Deserialize;
use ureq::BodyReader;

use super::connection::{Connection, Query, Refused, flags_query};
use super::message::{Message, Printer};
use crate::args::SubscribeArgs;
use crate::failure::Failure;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The longest line that is read; the longest payload of an org in base64 is shorter unless it is set very high.
const LINE_BYTES_MAX: usize = 256 << 20;

/// Prints the messages of channels as they come, for ever.
///
/// # Errors
/// The server refuses, or was not there in the first place; standard output is closed.
pub(crate) fn subscribe(args: &SubscribeArgs) -> Result<(), Failure> {
    let connection = Connection::new(&args.server)?;
    let mut listener = Listener {
        printer: Printer::new(args.output, args.channels.len()),
        since: args.since.clone(),
        pause: FIRST_PAUSE,
    };
    let mut was_connected = false;
    loop {
        let query = listener.query(args);
        let request =
            connection.request("GET", "/v1/events", &query).header("accept", "application/x-ndjson");
        let pause = match connection.send(request, Vec::new()) {
            Ok(response) => {
                was_connected = true;
                let lost = listener.print_all(response.into_body().into_reader())?;
                eprintln!("antiphon: {lost}; connecting again");
                listener.next_pause(None)
            }
            Err(Refused { failure, temporary: true, retry_after }) if was_connected => {
                let pause = listener.next_pause(retry_after);
                eprintln!("antiphon: {failure}; again in {:.1} s", pause.as_secs_f64());
                pause
            }
            Err(refused) => return Err(refused.failure),
        };
        std::thread::sleep(pause);
    }
}

/// What goes over from one connection to the next.
struct Listener {
    printer: Printer,
    since: Option<String>,
    pause: Duration,
}

/// A line that is not a message.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Control {
    Open {
        position: String,
    },
    Gap {
        since: String,
        resumed: String,
    },
    Close {
        #[serde(default)]
        reason: String,
    },
    #[serde(other)]
    Other,
}

impl Listener {
    fn query(&self, args: &SubscribeArgs) -> Query {
        let mut query = flags_query(args.flags);
        for channel in &args.channels {
            query.add("channel", channel);
        }
        for event in &args.event {
            query.add("event", event);
        }
        if args.presence {
            query.add("presence", "true");
        }
        if let Some(since) = &self.since {
            query.add("since", since);
        }
        query
    }

    /// Prints until the stream ends, and says why it did.
    fn print_all(&mut self, body: BodyReader<'static>) -> Result<String, Failure> {
        let mut reader = BufReader::new(body);
        let mut line = Vec::new();
        loop {
            line.clear();
            match read_line(&mut reader, &mut line) {
                Ok(()) => {}
                Err(error) => return Ok(error.to_string()),
            }
            match self.handle_line(&line, &mut io::stdout().lock())? {
                None => {}
                Some(ended) => return Ok(ended),
            }
        }
    }

    /// Takes in a line; returns why the stream ends, if it does.
    fn handle_line(&mut self, line: &[u8], out: &mut impl Write) -> Result<Option<String>, Failure> {
        if let Ok(message) = serde_json::from_slice::<Message>(line) {
            self.printer.print(&message, out)?;
            out.flush()?;
            self.since = Some(message.position().to_owned());
            self.pause = FIRST_PAUSE;
            return Ok(None);
        }
        let control = serde_json::from_slice::<Control>(line);
        match control.map_err(|_| Failure::new("the server does not answer as an antiphon server does"))? {
            Control::Open { position } => {
                // From where one asked for, what was missed is still to come.
                self.since.get_or_insert(position);
            }
            Control::Gap { since, resumed } => {
                eprintln!("antiphon: what came after {since} and up to {resumed} is no longer kept");
            }
            Control::Close { reason } => return Ok(Some(format!("the server closed the stream: {reason}"))),
            Control::Other => {}
        }
        self.pause = FIRST_PAUSE;
        Ok(None)
    }

    /// How long to wait before the next connection: longer each time, until one brings something.
    fn next_pause(&mut self, retry_after: Option<Duration>) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        // Many clients lose a server at the same time; they should not all come back at the same time.
        let jitter = f64::from(std::process::id() % 1000) / 2000.0;
        retry_after.unwrap_or_default().max(pause.mul_f64(0.75 + jitter))
    }
}

/// Reads up to a line break.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let available = reader.fill_buf()?;
        if available.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was lost"));
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(available.len(), |end| end + 1);
        line.extend_from_slice(&available[..taken]);
        reader.consume(taken);
        if end.is_some() {
            return Ok(());
        }
        if line.len() > LINE_BYTES_MAX {
            return Err(io::Error::other("the server sent a line without an end"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(since: Option<&str>) -> Listener {
        Listener { printer: Printer::Raw, since: since.map(str::to_owned), pause: FIRST_PAUSE }
    }

    fn handle(listener: &mut Listener, line: &str) -> (Option<String>, String) {
        let mut out = Vec::new();
        let ended = listener.handle_line(line.as_bytes(), &mut out).unwrap();
        (ended, String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_position_to_come_back_with_is_the_last_that_was_printed() {
        let mut fresh = listener(None);
        handle(&mut fresh, r#"{"type":"open","position":"50"}"#);
        assert_eq!(fresh.since.as_deref(), Some("50"));
        handle(&mut fresh, r#"{"type":"heartbeat"}"#);
        let (_, out) = handle(&mut fresh, r#"{"position":"60","channel":"a","name":"n","payload":1}"#);
        assert_eq!((fresh.since.as_deref(), out.as_str()), (Some("60"), "1\n"));
        let mut back = listener(Some("10"));
        handle(&mut back, r#"{"type":"open","position":"50"}"#);
        assert_eq!(back.since.as_deref(), Some("10"), "11 to 49 are still to come");
    }

    #[test]
    fn the_end_of_the_stream_has_a_reason() {
        let (ended, _) = handle(&mut listener(None), r#"{"type":"close","reason":"the server restarts"}"#);
        assert_eq!(ended.as_deref(), Some("the server closed the stream: the server restarts"));
        assert!(listener(None).handle_line(b"<html>\n", &mut Vec::new()).is_err());
    }

    #[test]
    fn pauses_grow_and_do_as_the_server_says() {
        let mut listener = listener(None);
        let first = listener.next_pause(None);
        assert!(first < FIRST_PAUSE * 2);
        for _ in 0..20 {
            listener.next_pause(None);
        }
        assert!(listener.next_pause(None) > first && listener.pause == LONGEST_PAUSE);
        assert!(listener.next_pause(Some(Duration::from_secs(100))) >= Duration::from_secs(100));
        handle(&mut listener, r#"{"type":"heartbeat"}"#);
        assert_eq!(listener.pause, FIRST_PAUSE);
    }

    #[test]
    fn lines_are_read_whole_and_the_end_is_an_error() {
        let mut reader = io::BufReader::with_capacity(3, &b"long line\nrest"[..]);
        let mut line = Vec::new();
        read_line(&mut reader, &mut line).unwrap();
        assert_eq!(line, b"long line\n");
        assert!(read_line(&mut reader, &mut line).is_err());
    }
}
