//! Whatever comes in whatever order: no panic, no request answered twice or forgotten, nothing after the end, order kept.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Input {
    Poll,
    Post(String),
    PostHead,
    Lost(u64),
    Socket,
    Frame(u64, String),
    SocketLost(u64),
    Blocked(u64, bool),
    Send,
    Close(bool),
    Wait(u64),
}

fn input() -> impl Strategy<Value = Input> {
    let wire = || prop_oneof![4 => "2probe", 4 => "5", 2 => "4a", 1 => "3", 1 => "2", 1 => "6", 1 => "1:2", 1 => "3:4hi", 1 => "1", 1 => ".{0,6}"];
    prop_oneof![
        6 => Just(Input::Poll),
        4 => wire().prop_map(Input::Post),
        1 => Just(Input::PostHead),
        1 => (0_u64..20).prop_map(Input::Lost),
        4 => Just(Input::Socket),
        8 => (0_u64..4, wire()).prop_map(|(which, text)| Input::Frame(which, text)),
        1 => (0_u64..4).prop_map(Input::SocketLost),
        1 => (0_u64..4, any::<bool>()).prop_map(|(which, blocked)| Input::Blocked(which, blocked)),
        8 => Just(Input::Send),
        1 => any::<bool>().prop_map(Input::Close),
        4 => (0_u64..250).prop_map(Input::Wait),
    ]
}

#[derive(Default)]
struct Seen {
    waiting: BTreeSet<u64>,
    sent: usize,
    arrived: usize,
    is_closed: bool,
}

impl Seen {
    /// Messages are numbered, `<1>`, `<2>`, and so on, as they are sent.
    fn numbers(&mut self, wire: &str) {
        for number in wire.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
            self.arrived += 1;
            assert_eq!(number, self.arrived.to_string(), "out of order");
        }
    }

    fn output(&mut self, output: &Output) {
        match output {
            Output::Answer { request, answer } => {
                assert!(self.waiting.remove(&request.0), "answered twice: {request:?}");
                if answer.status() == 200 {
                    self.numbers(std::str::from_utf8(&answer.clone().into_body()).unwrap());
                }
            }
            Output::Frame { frame: Frame::Text(text), .. } => self.numbers(text),
            Output::Closed(_) => {
                assert!(!self.is_closed, "closed twice");
                assert!(self.waiting.is_empty(), "not answered: {:?}", self.waiting);
                self.is_closed = true;
                return;
            }
            Output::Frame { .. } | Output::CloseSocket { .. } | Output::Message(_) | Output::Upgraded => {}
        }
        let may_follow = match output {
            Output::Answer { answer, .. } => matches!(answer, Answer::Refused(_)),
            Output::CloseSocket { .. } => true,
            _ => false,
        };
        assert!(!self.is_closed || may_follow, "after the end: {output:?}");
    }
}

/// One of the last two sockets, so that upgrades come about.
fn recent(sockets: &[SocketId], which: u64) -> SocketId {
    sockets[sockets.len().saturating_sub(1 + usize::from(which == 0))]
}

proptest! {
    #[test]
    fn promises_hold_in_any_order(
        inputs in prop::collection::vec(input(), 0..60),
        revision in crate::testing::revision(),
        on_socket: bool,
    ) {
        let on = if on_socket {
            OpenOn::Socket(SocketId(0))
        } else {
            OpenOn::Poll { request: RequestId(0), jsonp: None }
        };
        let settings = EngineSettings { send_buffer_bytes_max: 1000, ..settings() };
        let mut session = opened(revision, on, settings);
        let mut seen = Seen::default();
        let (mut next, mut now) = (1, 0);
        let mut sockets = vec![SocketId(0)];
        for input in inputs {
            next += 1;
            match input {
                Input::Poll => {
                    seen.waiting.insert(next);
                    session.handle_poll(RequestId(next), None, at(now));
                }
                Input::Post(body) => {
                    seen.waiting.insert(next);
                    post(&mut session, next, &body, now);
                }
                Input::PostHead => {
                    seen.waiting.insert(next);
                    session.handle_post(RequestId(next), at(now));
                }
                Input::Lost(request) => {
                    if seen.waiting.remove(&request) {
                        session.handle_request_lost(RequestId(request), at(now));
                    }
                }
                Input::Socket => {
                    sockets.push(SocketId(next));
                    session.handle_websocket(SocketId(next), BinarySupport::Native, at(now));
                }
                Input::Frame(which, text) => frame(&mut session, recent(&sockets, which), &text, now),
                Input::SocketLost(which) => session.handle_socket_lost(recent(&sockets, which)),
                Input::Blocked(which, blocked) => {
                    let writability = if blocked { Writability::Blocked } else { Writability::Writable };
                    session.handle_writability(recent(&sockets, which), writability);
                }
                Input::Send => {
                    let text = format!("<{}>", seen.sent + 1);
                    if session.handle_send(Data::Text(text.into()), Delivery::Reliable).is_ok() {
                        seen.sent += 1;
                    }
                }
                Input::Close(orderly) => {
                    let mode = if orderly { CloseMode::Orderly } else { CloseMode::Discard };
                    session.handle_close(mode, at(now));
                }
                Input::Wait(millis) => {
                    now += millis;
                    session.handle_timeout(at(now));
                }
            }
            while let Some(output) = session.poll_output() {
                seen.output(&output);
            }
            prop_assert!(session.buffered_bytes() <= 1000);
            prop_assert_eq!(session.poll_timeout().is_none(), seen.is_closed);
        }
    }
}
