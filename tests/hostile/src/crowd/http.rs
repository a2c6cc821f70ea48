use std::net::SocketAddr;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::config::{CHANNEL, SUBSCRIBE_KEY};
use crate::tally::Tally;

/// No mark is longer.
const MARK_BYTES_MAX: usize = 64;

async fn connect(address: SocketAddr) -> Result<TcpStream, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    Ok(stream)
}

async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<(), String> {
    match stream.read_buf(bytes).await {
        Ok(0) => Err("the server ended it".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads a head of HTTP, which leaves what follows in the bytes.
async fn read_head(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<String, String> {
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head: Vec<u8> = bytes.drain(..end + 4).collect();
            return Ok(String::from_utf8_lossy(&head).into_owned());
        }
        read(stream, bytes).await?;
    }
}

/// Somebody who listens to server-sent events.
pub(super) struct Stream {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Stream {
    /// Connects; what is published from here on is heard.
    pub(super) async fn connect(address: SocketAddr) -> Result<Stream, String> {
        let mut stream = connect(address).await?;
        let request = format!(
            "GET /v1/channels/{CHANNEL} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        let head = read_head(&mut stream, &mut bytes).await?;
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(head);
        }
        Ok(Stream { stream, read: bytes })
    }

    /// Listens until the connection ends.
    pub(super) async fn listen(mut self, client: usize, tally: &Tally) -> String {
        loop {
            let heard = tally.hear(client, &self.read);
            // A mark that is only begun is at the end.
            let kept = heard.max(self.read.len().saturating_sub(MARK_BYTES_MAX));
            self.read.drain(..kept);
            if let Err(wrong) = read(&mut self.stream, &mut self.read).await {
                return wrong;
            }
        }
    }
}

/// Somebody who polls as PubNub's SDKs do.
pub(super) struct Poll {
    stream: TcpStream,
    read: Vec<u8>,
    client: usize,
    timetoken: String,
}

/// What a subscribe is answered with.
#[derive(Deserialize)]
struct Answered<'a> {
    #[serde(borrow)]
    t: Timetoken<'a>,
}

#[derive(Deserialize)]
struct Timetoken<'a> {
    t: &'a str,
}

impl Poll {
    /// Connects and takes a timetoken; what is published from here on is heard.
    pub(super) async fn connect(address: SocketAddr, client: usize) -> Result<Poll, String> {
        let stream = connect(address).await?;
        let mut poll = Poll { stream, read: Vec::new(), client, timetoken: "0".to_owned() };
        poll.ask().await?;
        poll.answer().await?;
        Ok(poll)
    }

    async fn ask(&mut self) -> Result<(), String> {
        let Poll { timetoken, client, .. } = self;
        let request = format!(
            "GET /v2/subscribe/{SUBSCRIBE_KEY}/{CHANNEL}/0?heartbeat=300&tt={timetoken}&uuid=crowd-{client} HTTP/1.1\r\n\
             Host: localhost\r\n\r\n"
        );
        self.stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())
    }

    /// The body of the answer, whose timetoken is the next.
    async fn answer(&mut self) -> Result<Vec<u8>, String> {
        let head = read_head(&mut self.stream, &mut self.read).await?.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
        while self.read.len() < length {
            read(&mut self.stream, &mut self.read).await?;
        }
        let body: Vec<u8> = self.read.drain(..length).collect();
        if !head.starts_with("http/1.1 200 ") {
            return Err(format!("{head}{}", String::from_utf8_lossy(&body)));
        }
        let answered: Answered<'_> = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        self.timetoken = answered.t.t.to_owned();
        Ok(body)
    }

    /// Polls until an answer is not as it should be.
    pub(super) async fn listen(mut self, client: usize, tally: &Tally) -> String {
        loop {
            if let Err(wrong) = self.ask().await {
                return wrong;
            }
            match self.answer().await {
                Ok(body) => {
                    tally.hear(client, &body);
                }
                Err(wrong) => return wrong,
            }
        }
    }
}
