//! The devices of the EXP network against a server in a thread, right and wrong.
#![allow(clippy::unwrap_used, reason = "the helpers of tests fail a test by panicking")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use antiphon_bench::framing::{Header, TEXT, apply_mask, push_frame};
use antiphon_bench::{Error, ExpArgs, Kind, Report, Scenario, TargetArgs, handshake, measure};
use serde_json::{Value, json};

const DEVICES: usize = 20;

/// What a server does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// Leaves a response out of the array.
    LosesResponse,
    /// Sends a device the broadcast twice.
    DoublesBroadcast,
    /// Takes no response.
    Refuses,
    /// Lets nobody listen.
    Denies,
}

struct Server {
    wrong: Wrong,
    state: Mutex<State>,
    responded: Condvar,
}

#[derive(Default)]
struct State {
    sockets: Vec<TcpStream>,
    responses: Vec<Value>,
}

fn run(wrong: Wrong) -> Result<Report, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = Arc::new(Server { wrong, state: Mutex::default(), responded: Condvar::new() });
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
    measure(&Scenario::Exp(ExpArgs {
        target,
        devices: DEVICES.try_into().unwrap(),
        rounds: 3.try_into().unwrap(),
        timeout: Duration::from_millis(50),
        secret: "secret".to_owned(),
    }))
}

impl Server {
    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut bytes = Vec::new();
        loop {
            let head_bytes = read_until(&mut stream, &mut bytes, handshake::head_bytes)?;
            let head = String::from_utf8(bytes.drain(..head_bytes).collect()).ok()?;
            if let Some(key) = handshake::header(&head, "Sec-WebSocket-Key") {
                let accept = handshake::accept(key);
                return self.serve_socket(stream, bytes, &accept);
            }
            let length: usize = handshake::header(&head, "Content-Length")?.parse().ok()?;
            read_until(&mut stream, &mut bytes, |bytes| (bytes.len() >= length).then_some(length))?;
            let body: Vec<u8> = bytes.drain(..length).collect();
            let (status, answer) = self.answer(&head, &serde_json::from_slice(&body).ok()?);
            let answer = answer.to_string();
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", answer.len());
            stream.write_all(format!("{head}{answer}").as_bytes()).ok()?;
        }
    }

    fn answer(&self, head: &str, body: &Value) -> (u16, Value) {
        let mut state = self.state.lock().unwrap();
        match head.split(' ').nth(1).unwrap() {
            "/api/auth/login" => {
                (200, json!({"token": body["token"], "identity": {"organization": "scala"}}))
            }
            "/api/networks/current/responses" if self.wrong == Wrong::Refuses => (403, json!({"code": "no"})),
            "/api/networks/current/responses" => {
                state.responses.push(body["payload"].clone());
                self.responded.notify_all();
                (200, json!({}))
            }
            _ => {
                state.responses.clear();
                let broadcast = json!({"id": "17", "name": body["name"], "channel": body["channel"], "payload": body["payload"]});
                let packet = json!(["broadcast", broadcast]);
                let mut frame = Vec::new();
                push_frame(&mut frame, TEXT, format!("42{packet}").as_bytes(), None);
                for socket in &mut state.sockets {
                    socket.write_all(&frame).unwrap();
                }
                if self.wrong == Wrong::DoublesBroadcast {
                    state.sockets[7].write_all(&frame).unwrap();
                }
                let patience = Duration::from_secs(10);
                let waited = self
                    .responded
                    .wait_timeout_while(state, patience, |state| state.responses.len() < DEVICES);
                let mut state = waited.unwrap().0;
                if self.wrong == Wrong::LosesResponse {
                    state.responses.pop();
                }
                (200, Value::Array(state.responses.clone()))
            }
        }
    }

    fn serve_socket(&self, mut stream: TcpStream, mut bytes: Vec<u8>, accept: &str) -> Option<()> {
        let mut out = format!("HTTP/1.1 101 Yes\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").into_bytes();
        push_frame(&mut out, TEXT, br#"0{"sid":"x"}"#, None);
        push_frame(&mut out, TEXT, b"40", None);
        stream.write_all(&out).ok()?;
        let whole = |bytes: &[u8]| {
            Header::read(bytes, 1 << 20).ok()?.filter(|header| header.frame_bytes() <= bytes.len())
        };
        loop {
            let header = read_until(&mut stream, &mut bytes, whole)?;
            let mut text: Vec<u8> = bytes.drain(..header.frame_bytes()).skip(header.header_bytes).collect();
            apply_mask(&mut text, header.mask?);
            let text = String::from_utf8(text).ok()?;
            let mut answer = text.replacen("subscribe", "subscribed", 1);
            if self.wrong == Wrong::Denies {
                answer = r#"42["subscribed",[]]"#.to_owned();
            }
            self.state.lock().unwrap().sockets.push(stream.try_clone().ok()?);
            out.clear();
            push_frame(&mut out, TEXT, answer.as_bytes(), None);
            stream.write_all(&out).ok()?;
        }
    }
}

/// Reads until `found` finds something.
fn read_until<T>(
    stream: &mut TcpStream,
    bytes: &mut Vec<u8>,
    found: impl Fn(&[u8]) -> Option<T>,
) -> Option<T> {
    let mut chunk = [0; 4096];
    loop {
        if let Some(found) = found(bytes) {
            return Some(found);
        }
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
    }
}

#[test]
fn all_devices_answer_each_broadcast() {
    let report = run(Wrong::Nothing).unwrap();
    assert_eq!(report.count, 3 * DEVICES as u64);
    let (delivered, answered) = (report.latency.unwrap(), report.answered.unwrap());
    assert!(delivered.max_us > 0.0 && answered.max_us > delivered.p50_us, "{report}");
    assert!(report.to_string().contains("answered p99"), "{report}");
}

#[test]
fn a_lost_response_a_doubled_broadcast_and_refusals_end_the_run() {
    let lost = run(Wrong::LosesResponse);
    assert!(matches!(&lost, Err(Error::Unexpected { detail, .. }) if detail.contains("1 of 20")), "{lost:?}");
    let doubled = run(Wrong::DoublesBroadcast);
    assert!(matches!(doubled, Err(Error::Unexpected { connection: 7, .. })), "{doubled:?}");
    let refused = run(Wrong::Refuses);
    assert!(matches!(&refused, Err(Error::Refused { answer, .. }) if answer.contains("403")), "{refused:?}");
    let denied = run(Wrong::Denies);
    assert!(matches!(denied, Err(Error::Unexpected { connection: 0, .. })), "{denied:?}");
}
