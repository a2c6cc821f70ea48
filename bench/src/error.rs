//! What ends a run.

use std::io;

use rustix::io::Errno;

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
    #[error("connection {connection}: {source}{}", describe_socket(.source))]
    Socket {
        /// Which one, counted from 0 in the order of opening.
        connection: usize,
        /// What the kernel said.
        source: io::Error,
    },
    /// The server answered the request for a WebSocket, or for a stream, with something else.
    #[error("connection {connection}: the server answered the request for {asked_for} with {answer}{}", advise(.answer))]
    NotUpgraded {
        /// Which one.
        connection: usize,
        /// What was asked for.
        asked_for: &'static str,
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
    /// The server sent what is not the protocol.
    #[error("connection {connection}: the server does not speak the protocol: {detail}")]
    Malformed {
        /// Which one.
        connection: usize,
        /// What came.
        detail: &'static str,
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
    /// The scenario is not for this protocol or server.
    #[error("{0}")]
    Unsuited(&'static str),
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

/// What to do about a socket that failed.
fn describe_socket(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE) => {
            ": a connection takes a file descriptor, so raise the hard limit (`ulimit -Hn`, or `LimitNOFILE=` of systemd) \
             for this command and for the server, or open fewer"
        }
        Some(Errno::CONNREFUSED) => ": does the server run, and does it listen there (--url)?",
        Some(Errno::ADDRNOTAVAIL) => {
            ": all local ports are taken; more connections than those go to a server on 127.0.0.0/8 alone, from several \
             addresses"
        }
        Some(Errno::TIMEDOUT | Errno::HOSTUNREACH | Errno::NETUNREACH) => {
            ": is the host of --url right, and its port open?"
        }
        _ => "",
    }
}

/// What to do about an answer that is none to an upgrade.
fn advise(answer: &str) -> &'static str {
    match answer.split(' ').nth(1) {
        Some("401" | "403") => " (give --token; a server's limits on connections and origins count too)",
        Some("404" | "405" | "426") => " (is --kind right? --path says where to connect)",
        Some("429" | "503") => " (the server's limits on connections, by address too, may have to be raised)",
        _ => "",
    }
}
