//! Long polls against a server in a thread, right and wrong.
#![allow(clippy::unwrap_used, reason = "the helpers of tests fail a test by panicking")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use antiphon_bench::{Error, Kind, PubNubArgs, Report, Scenario, Span, TargetArgs, handshake, measure};

const SUBSCRIBERS: usize = 10;

/// What a server does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// Leaves a message out for one subscriber.
    Loses,
    /// Answers one subscriber with a timetoken that it has been behind already.
    Doubles,
    /// Swaps messages for one subscriber.
    Reorders,
    /// Takes no message.
    Refuses,
}

/// Its timetokens count messages, from 1.
struct Server {
    wrong: Wrong,
    messages: Mutex<Vec<String>>,
    published: Condvar,
}

fn run(wrong: Wrong) -> Result<Report, Error> {
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
    measure(&Scenario::PubNub(PubNubArgs {
        target,
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
                let head: Vec<u8> = bytes.drain(..head_bytes).collect();
                let (status, body) = self.answer(String::from_utf8(head).ok()?.split(' ').nth(1)?)?;
                let length = body.len();
                let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).ok()?;
            }
            let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
            bytes.extend_from_slice(&chunk[..count]);
        }
    }

    fn answer(&self, path: &str) -> Option<(u16, String)> {
        if let Some(rest) = path.strip_prefix("/publish/p/s/0/bench/0/%22") {
            if self.wrong == Wrong::Refuses {
                return Some((400, "[0,\"no\",\"1\"]".to_owned()));
            }
            self.messages.lock().unwrap().push(rest.split("%22").next()?.to_owned());
            self.published.notify_all();
            return Some((200, "[1,\"Sent\",\"1\"]".to_owned()));
        }
        let query = path.strip_prefix("/v2/subscribe/s/bench/0?")?;
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let timetoken: usize = value("tt")?.parse().ok()?;
        assert_eq!(value("tr").is_some(), timetoken > 0, "{path}");
        if timetoken == 0 {
            return Some((200, r#"{"t":{"t":"1","r":1},"m":[]}"#.to_owned()));
        }
        let waiting = self.messages.lock().unwrap();
        let waiting = self.published.wait_while(waiting, |messages| messages.len() < timetoken);
        let messages = waiting.unwrap();
        let mut told: Vec<&str> = messages[timetoken - 1..].iter().map(String::as_str).collect();
        let mut next = messages.len() + 1;
        if value("uuid")? == "bench-00003" && timetoken >= 3 {
            match self.wrong {
                Wrong::Loses => told.retain(|message| messages.get(4).map(String::as_str) != Some(*message)),
                Wrong::Doubles => next -= 1,
                Wrong::Reorders => told = vec![&messages[timetoken - 1], &messages[timetoken - 2]],
                Wrong::Nothing | Wrong::Refuses => {}
            }
        }
        let told: Vec<_> = told.iter().map(|message| format!(r#"{{"d":"{message}"}}"#)).collect();
        Some((200, format!(r#"{{"t":{{"t":"{next}","r":1}},"m":[{}]}}"#, told.join(","))))
    }
}

#[test]
fn all_subscribers_get_all_messages() {
    let report = run(Wrong::Nothing).unwrap();
    assert!(report.count > 0, "{report}");
    assert!((1..=report.count).contains(&report.answers.unwrap()), "{report}");
    assert!(report.to_string().contains("answers"), "{report}");
}

#[test]
fn what_is_lost_doubled_reordered_or_refused_ends_the_run() {
    for wrong in [Wrong::Loses, Wrong::Doubles, Wrong::Reorders] {
        let result = run(wrong);
        assert!(matches!(result, Err(Error::OutOfOrder { .. })), "{wrong:?}: {result:?}");
    }
    let refused = run(Wrong::Refuses);
    assert!(matches!(&refused, Err(Error::Refused { answer, .. }) if answer.contains("400")), "{refused:?}");
}
