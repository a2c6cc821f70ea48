//! Whatever comes in whatever order: no panic, no request answered twice or forgotten, nothing after the end, order kept.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Input {
    Poll,
    Post(String),
    PostHead,
    Lost(u32),
    Socket,
    Frame(u64, String),
    SocketLost(u64),
    SocketFault(u64),
    Send,
    Overflow,
    Close(CloseMode),
    Wait(u64),
}

fn input() -> impl Strategy<Value = Input> {
    let wire = || prop_oneof![4 => "2probe", 4 => "5", 2 => "4a", 1 => "3", 1 => "2", 1 => "6", 1 => "1:2", 1 => "3:4hi", 1 => "1", 1 => ".{0,6}"];
    let mode = prop_oneof![4 => Just(CloseMode::Orderly), 1 => Just(CloseMode::Discard), 1 => Just(CloseMode::ShutDown)];
    prop_oneof![
        6 => Just(Input::Poll),
        4 => wire().prop_map(Input::Post),
        1 => Just(Input::PostHead),
        1 => (0_u32..20).prop_map(Input::Lost),
        4 => Just(Input::Socket),
        8 => (0_u64..4, wire()).prop_map(|(which, text)| Input::Frame(which, text)),
        1 => (0_u64..4).prop_map(Input::SocketLost),
        1 => (0_u64..20).prop_map(Input::SocketFault),
        8 => Just(Input::Send),
        1 => (0_u64..20).prop_map(|at| if at == 0 { Input::Overflow } else { Input::Send }),
        1 => mode.prop_map(Input::Close),
        4 => (0_u64..250).prop_map(Input::Wait),
    ]
}

#[derive(Default)]
struct Seen {
    waiting: BTreeSet<u32>,
    sent: usize,
    arrived: usize,
    is_closed: bool,
}

impl Seen {
    fn line(&mut self, line: &str) {
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut may_follow_the_end = false;
        if let Ok(request) = first.parse() {
            assert!(self.waiting.remove(&request), "answered twice: {line}");
            may_follow_the_end = !rest.starts_with("200");
        } else if line.starts_with("closed") {
            assert!(!self.is_closed, "closed twice");
            assert!(self.waiting.is_empty(), "not answered: {:?}", self.waiting);
            self.is_closed = true;
            return;
        }
        may_follow_the_end |= rest.starts_with("close");
        assert!(!self.is_closed || may_follow_the_end, "after the end: {line}");
        self.numbers(rest);
    }

    /// Messages are numbered, `<1>`, `<2>`, and so on, as they are sent.
    fn numbers(&mut self, wire: &str) {
        for number in wire.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
            self.arrived += 1;
            assert_eq!(number, self.arrived.to_string(), "out of order");
        }
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
        let on = if on_socket { OpenOn::Socket(SocketId(0)) } else { OpenOn::Poll(RequestId(0)) };
        let mut driven = opened(revision, on, settings());
        let mut seen = Seen::default();
        let (mut next, mut now) = (1, 0);
        let mut sockets = vec![SocketId(0)];
        for input in inputs {
            next += 1;
            match input {
                Input::Poll => {
                    seen.waiting.insert(next);
                    driven.poll(next, now);
                }
                Input::Post(body) => {
                    seen.waiting.insert(next);
                    driven.post(next, &body, now);
                }
                Input::PostHead => {
                    seen.waiting.insert(next);
                    driven.post_head(next, now);
                }
                Input::Lost(request) => {
                    if seen.waiting.remove(&request) {
                        driven.lost(request, now);
                    }
                }
                Input::Socket => {
                    sockets.push(SocketId(next));
                    driven.websocket(SocketId(next), now);
                }
                Input::Frame(which, text) => driven.frame(recent(&sockets, which), &text, now),
                Input::SocketLost(which) => driven.session.handle_socket_lost(recent(&sockets, which)),
                Input::SocketFault(which) if which < 2 => {
                    let fault = TransportFault::SocketViolation;
                    driven.session.handle_socket_fault(recent(&sockets, which), fault);
                }
                Input::SocketFault(_) => {}
                Input::Send if driven.session.is_open() => {
                    seen.sent += 1;
                    let text = format!("<{}>", seen.sent);
                    driven.send(&text);
                }
                Input::Send => {}
                Input::Overflow => driven.session.handle_overflow(),
                Input::Close(mode) => driven.close(mode, now),
                Input::Wait(millis) => {
                    now += millis;
                    driven.timeout(now);
                }
            }
            for line in driven.drain() {
                seen.line(&line);
            }
            prop_assert_eq!(driven.session.poll_timeout().is_none(), seen.is_closed);
            prop_assert_eq!(driven.session.transport().is_none(), seen.is_closed);
        }
    }
}
