//! What ends a run.

use std::io;

use crate::framing::FrameError;

/// Why a scenario could not be measured to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is not one that can be connected to.
    #[error("cannot use the URL {url}: {reason}")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A socket failed.
    #[error("connection {connection}: {source}")]
    Socket {
        /// Which one, counted from 0 in the order of opening.
        connection: usize,
        /// What the kernel said.
        source: io::Error,
    },
    /// The server answered the upgrade with something else than a valid 101.
    #[error("connection {connection}: the server did not upgrade to WebSocket: {answer}")]
    NotUpgraded {
        /// Which one.
        connection: usize,
        /// The status line of the answer, or what was wrong with it.
        answer: String,
    },
    /// The server closed a connection.
    #[error("connection {connection}: the server closed it{}", describe_close(.code, .reason))]
    Closed {
        /// Which one.
        connection: usize,
        /// The close frame's code, if there was a close frame with one.
        code: Option<u16>,
        /// The close frame's reason.
        reason: String,
    },
    /// The server sent what is not WebSocket.
    #[error("connection {connection}: {source}")]
    Frame {
        /// Which one.
        connection: usize,
        /// What was wrong.
        source: FrameError,
    },
    /// A frame came that is not a message of this run.
    #[error("connection {connection}: unexpected frame: {detail}")]
    Unexpected {
        /// Which one.
        connection: usize,
        /// What it was.
        detail: String,
    },
    /// A message was lost, doubled or out of order.
    #[error("connection {connection}: message {found} came where message {expected} was due")]
    OutOfOrder {
        /// Which one.
        connection: usize,
        /// The sequence number that was due.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// The server refused a publish, or a response.
    #[error("connection {connection}: the server refused a request: {answer}")]
    Refused {
        /// Which one.
        connection: usize,
        /// Its answer.
        answer: String,
    },
    /// Nothing arrived for too long.
    #[error("nothing arrived for {seconds} s with {outstanding} still to come")]
    Stalled {
        /// How long was waited.
        seconds: u64,
        /// Connections, deliveries or answers that were due.
        outstanding: u64,
    },
    /// The event queue failed.
    #[error("waiting for events: {0}")]
    Poll(#[source] io::Error),
    /// The server's process cannot be accounted.
    #[error("cannot read what process {pid} uses: {source}")]
    Process {
        /// The process.
        pid: u32,
        /// What the kernel said.
        source: io::Error,
    },
    /// The report could not be printed.
    #[error("cannot print the report: {0}")]
    Output(#[source] io::Error),
}

fn describe_close(code: &Option<u16>, reason: &str) -> String {
    match code {
        Some(code) if reason.is_empty() => format!(" with code {code}"),
        Some(code) => format!(" with code {code}: {reason}"),
        None => String::new(),
    }
}
