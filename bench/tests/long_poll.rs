//! Long polls against a server in a thread, right and wrong.
#![allow(clippy::unwrap_used, reason = "the helpers of tests fail a test by panicking")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use antiphon_bench::{
    Error, Kind, LongPollArgs, PollProtocol, Report, Scenario, Span, TargetArgs, handshake, measure,
};

const SUBSCRIBERS: usize = 10;

/// What a server does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// Leaves a message out for one subscriber.
    Loses,
    /// Answers one subscriber with a position that it has been behind already.
    Doubles,
    /// Swaps messages for one subscriber.
    Reorders,
    /// Takes no message.
    Refuses,
}

/// Its positions count messages, from 1.
struct Server {
    wrong: Wrong,
    messages: Mutex<Vec<String>>,
    published: Condvar,
}

fn run(protocol: PollProtocol, wrong: Wrong) -> Result<Report, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = Arc::new(Server { wrong, messages: Mutex::default(), published: Condvar::new() });
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let server = Arc::clone(&server);
            thread::spawn(move || server.serve(stream));
        }
    });
    let target = TargetArgs {
        url,
        kind: Kind::Antiphon,
        path: None,
        publish_path: None,
        channel: "bench".to_owned(),
        token: None,
        pid: None,
    };
    measure(&Scenario::LongPoll(LongPollArgs {
        target,
        protocol,
        span: Span { duration: Duration::from_millis(300), warm_up: Duration::ZERO, messages: None },
        subscribers: SUBSCRIBERS.try_into().unwrap(),
        publishers: 3.try_into().unwrap(),
        rate: 100.0,
        size: 20,
        publish_key: "p".to_owned(),
        subscribe_key: "s".to_owned(),
    }))
}

impl Server {
    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
        loop {
            while let Some(head_bytes) = handshake::head_bytes(&bytes) {
                let head = String::from_utf8(bytes[..head_bytes].to_vec()).ok()?;
                let length =
                    handshake::header(&head, "content-length").and_then(|length| length.parse().ok());
                let end = head_bytes + length.unwrap_or(0);
                let Some(body) = bytes.get(head_bytes..end) else { break };
                let body = String::from_utf8(body.to_vec()).ok()?;
                bytes.drain(..end);
                let (status, body) = self.answer(head.split(' ').nth(1)?, &body)?;
                let length = body.len();
                let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).ok()?;
            }
            let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
            bytes.extend_from_slice(&chunk[..count]);
        }
    }

    fn answer(&self, path: &str, body: &str) -> Option<(u16, String)> {
        if let Some(rest) = path.strip_prefix("/publish/p/s/0/bench/0/%22") {
            let (status, answer) = self.take(rest.split("%22").next()?, 200);
            return Some((status, format!("[1,\"{answer}\",\"1\"]")));
        }
        if !body.is_empty() {
            assert!(path.starts_with("/v1/channels/bench.poll?"), "{path}");
            return Some(self.take(body.trim_matches('"'), 201));
        }
        let (path, query) = path.split_once('?')?;
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        match path {
            "/v2/subscribe/s/bench/0" => {
                let position = value("tt")?.parse().ok()?;
                assert_eq!(value("tr").is_some(), position > 0, "{query}");
                let (next, told) = self.poll(value("uuid")?, position);
                let told: Vec<_> = told.iter().map(|message| format!(r#"{{"d":"{message}"}}"#)).collect();
                Some((200, format!(r#"{{"t":{{"t":"{next}","r":1}},"m":[{}]}}"#, told.join(","))))
            }
            "/v1/channels/bench.poll" => {
                let position = value("since").map_or(Some(0), |since| since.parse().ok())?;
                assert_eq!(value("wait").is_some(), position > 0, "{query}");
                let (next, told) = self.poll(value("identity")?, position);
                let told: Vec<_> =
                    told.iter().map(|message| format!(r#"{{"payload":"{message}"}}"#)).collect();
                let told = told.join(",");
                Some((200, format!(r#"{{"messages":[{told}],"position":"{next}","gap":false}}"#)))
            }
            _ => None,
        }
    }

    fn take(&self, message: &str, status: u16) -> (u16, String) {
        if self.wrong == Wrong::Refuses {
            return (400, "no".to_owned());
        }
        self.messages.lock().unwrap().push(message.to_owned());
        self.published.notify_all();
        (status, "yes".to_owned())
    }

    /// The next position, and the messages that this subscriber is told of. Who has no position yet gets one at once.
    fn poll(&self, subscriber: &str, position: usize) -> (usize, Vec<String>) {
        if position == 0 {
            return (1, Vec::new());
        }
        let waiting = self.messages.lock().unwrap();
        let messages = self.published.wait_while(waiting, |messages| messages.len() < position).unwrap();
        let mut told = messages[position - 1..].to_vec();
        let mut next = messages.len() + 1;
        if subscriber == "bench-00003" && position >= 3 {
            match self.wrong {
                Wrong::Loses => told.retain(|message| messages.get(4) != Some(message)),
                Wrong::Doubles => next -= 1,
                Wrong::Reorders => {
                    told = vec![messages[position - 1].clone(), messages[position - 2].clone()]
                }
                Wrong::Nothing | Wrong::Refuses => {}
            }
        }
        (next, told)
    }
}

const PROTOCOLS: [PollProtocol; 2] = [PollProtocol::V1, PollProtocol::PubNub];

#[test]
fn all_subscribers_get_all_messages() {
    for protocol in PROTOCOLS {
        let report = run(protocol, Wrong::Nothing).unwrap();
        assert!(report.count > 0, "{report}");
        assert!((1..=report.count).contains(&report.answers.unwrap()), "{report}");
        assert!(report.to_string().contains("answers"), "{report}");
    }
}

#[test]
fn what_is_lost_doubled_reordered_or_refused_ends_the_run() {
    for protocol in PROTOCOLS {
        for wrong in [Wrong::Loses, Wrong::Doubles, Wrong::Reorders] {
            let result = run(protocol, wrong);
            assert!(matches!(result, Err(Error::OutOfOrder { .. })), "{wrong:?}: {result:?}");
        }
        let refused = run(protocol, Wrong::Refuses);
        assert!(
            matches!(&refused, Err(Error::Refused { answer, .. }) if answer.contains("400")),
            "{refused:?}"
        );
    }
}
