mod any_order;
mod model;

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::handshake::{Refusal, RefusalCode};
use crate::packet::BinarySupport;
use crate::payload::{BodyForm, PayloadError, V3Text};
use model::Driven;

const WS: SocketId = SocketId(100);
const NOTHING: [&str; 0] = [];

fn at(millis: u64) -> Monotonic {
    Monotonic(Duration::from_millis(millis))
}

fn settings() -> EngineSettings {
    EngineSettings { ping_interval_ms: 300, ping_timeout_ms: 200, ..EngineSettings::default() }
}

/// A session after its open packet.
fn opened(revision: Revision, on: OpenOn, settings: EngineSettings) -> Driven {
    let mut driven = Driven::open(revision, on, settings);
    assert_eq!(driven.drain().len(), 1);
    driven
}

fn polling(revision: Revision) -> Driven {
    opened(revision, OpenOn::Poll(RequestId(0)), settings())
}

fn websocket(revision: Revision) -> Driven {
    opened(revision, OpenOn::Socket(WS), settings())
}

#[test]
fn the_open_packet_is_answered_alone() {
    let mut driven = Driven::open(Revision::V3, OpenOn::Poll(RequestId(1)), settings());
    driven.send("0");
    let lines = driven.drain();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("1 200 114:0{\"sid\":\"AAAA"), "{}", lines[0]);
    driven.poll(2, 1);
    assert_eq!(driven.drain(), ["2 200 2:40"]);

    let mut driven = Driven::open(Revision::V4, OpenOn::Socket(WS), settings());
    let lines = driven.drain();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("ws100 0{\"sid\""), "{}", lines[0]);
}

#[test]
fn polls_are_answered_with_all_that_waits() {
    let mut driven = polling(Revision::V4);
    driven.poll(1, 1);
    assert_eq!(driven.drain(), NOTHING);
    driven.send("a");
    driven.send("b");
    assert_eq!(driven.drain(), ["1 200 4a|4b"]);
    driven.send("c");
    assert_eq!(driven.drain(), NOTHING);
    driven.poll(2, 2);
    assert_eq!(driven.drain(), ["2 200 4c"]);
    driven.post(3, "4x\x1e4y\x1ebAQ==", 3);
    assert_eq!(driven.drain(), ["message x", "message y", "message b\"\\x01\"", "3 200 ok"]);
}

#[test]
fn a_second_poll_ends_the_session() {
    for (revision, farewell) in [(Revision::V4, "1 200 1"), (Revision::V3, "1 200 1:1")] {
        let mut driven = polling(revision);
        driven.poll(1, 1);
        driven.poll(2, 2);
        assert_eq!(driven.drain(), ["2 400", farewell, "closed: transport error"]);
        driven.poll(3, 3);
        let answer = Answer::Refused(Refusal::new(RefusalCode::UnknownSid));
        assert_eq!(driven.session.poll_output(), Some(Output::Answer { request: RequestId(3), answer }));
        assert_eq!(driven.session.poll_timeout(), None);
    }
}

#[test]
fn a_second_post_ends_the_session() {
    let mut driven = polling(Revision::V4);
    driven.poll(1, 1);
    driven.post_head(2, 1);
    driven.post_head(3, 1);
    assert_eq!(driven.drain(), ["3 400", "1 200 1", "2 400", "closed: transport error"]);
    driven.session.handle_post_body(RequestId(2), BodyForm::Text, Bytes::from_static(b"4a"), at(1));
    assert_eq!(driven.drain(), NOTHING);
}

#[test]
fn requests_that_are_given_up_end_the_session() {
    let mut driven = polling(Revision::V4);
    driven.poll(1, 1);
    driven.lost(9, 2);
    driven.lost(1, 2);
    let closed = Output::Closed(CloseReason::TransportError(TransportFault::PollLost));
    assert_eq!(driven.session.poll_output(), Some(closed));
    driven.poll(2, 2);
    assert_eq!(driven.drain(), ["2 400"]);

    let mut driven = polling(Revision::V4);
    driven.post_head(1, 1);
    driven.lost(1, 1);
    let closed = Output::Closed(CloseReason::TransportError(TransportFault::PostLost));
    assert_eq!(driven.session.poll_output(), Some(closed));
}

#[test]
fn malformed_and_large_bodies_end_the_session() {
    let mut driven = polling(Revision::V4);
    driven.poll(1, 1);
    driven.post(2, "4a\x1eabc", 1);
    assert_eq!(driven.drain(), ["2 400", "1 200 1", "closed: parse error"]);

    let small = EngineSettings { payload_bytes_max: 4, packets_per_payload_max: 2, ..settings() };
    let on = OpenOn::Poll(RequestId(0));
    let mut driven = opened(Revision::V4, on, small.clone());
    driven.post(2, "41234", 1);
    assert_eq!(driven.drain(), ["2 413", "closed: transport error"]);
    let mut driven = opened(Revision::V4, on, small.clone());
    driven.post_head(1, 1);
    driven.session.handle_post_too_large(RequestId(1), at(1));
    assert_eq!(driven.drain(), ["1 413", "closed: transport error"]);
    let mut driven = opened(Revision::V3, on, small.clone());
    driven.post(2, "0:0:0:", 1);
    assert_eq!(driven.drain(), ["2 413", "closed: transport error"]);

    let mut driven = opened(Revision::V4, OpenOn::Socket(WS), small);
    driven.frame(WS, "41234", 1);
    assert_eq!(driven.drain(), ["ws100 close 1009", "closed: transport error"]);
    let mut driven = websocket(Revision::V4);
    driven.frame(WS, "abc", 1);
    let parse = CloseReason::ParseError(PayloadError::Packet(crate::PacketError::UnknownType));
    assert_eq!(driven.session.poll_output().map(|_| ()), Some(()));
    assert_eq!(driven.session.poll_output(), Some(Output::Closed(parse)));
}

#[test]
fn the_client_can_leave() {
    let mut driven = polling(Revision::V4);
    driven.poll(1, 1);
    driven.post(2, "4bye\x1e1\x1e4late", 1);
    assert_eq!(driven.drain(), ["message bye", "2 200 ok", "1 200 6", "closed: transport close"]);

    let mut driven = websocket(Revision::V3);
    driven.frame(WS, "1", 1);
    assert_eq!(driven.drain(), ["ws100 close 1000", "closed: transport close"]);
    let mut driven = websocket(Revision::V4);
    driven.session.handle_socket_lost(WS);
    assert_eq!(driven.drain(), ["closed: transport close"]);
    let mut driven = websocket(Revision::V4);
    driven.session.handle_socket_fault(WS, TransportFault::SocketViolation);
    assert_eq!(driven.drain(), ["closed: transport error"]);
}

#[test]
fn the_server_pings_in_revision_4() {
    let mut driven = websocket(Revision::V4);
    for start in [0, 300, 600] {
        assert_eq!(driven.session.poll_timeout(), Some(at(start + 300)));
        driven.timeout(start + 299);
        assert_eq!(driven.drain(), NOTHING);
        driven.timeout(start + 300);
        assert_eq!(driven.drain(), ["ws100 2"]);
        assert_eq!(driven.session.poll_timeout(), Some(at(start + 500)));
        driven.frame(WS, "3", start + 310);
    }
    // One that nobody asked for puts nothing off.
    driven.frame(WS, "3", 1000);
    driven.timeout(1230);
    assert_eq!(driven.drain(), ["ws100 2"]);
    driven.frame(WS, "4alive", 1300);
    driven.timeout(1409);
    assert_eq!(driven.drain(), ["message alive"], "the server was late as well");
    driven.timeout(1410);
    assert_eq!(driven.drain(), ["ws100 close 1000", "closed: ping timeout"]);

    let mut driven = websocket(Revision::V4);
    driven.timeout(310);
    assert_eq!(driven.drain(), ["ws100 2"]);
    assert_eq!(driven.session.poll_timeout(), Some(at(500)), "a timer's delay is not given away");

    let mut driven = websocket(Revision::V4);
    driven.frame(WS, "2", 1);
    assert_eq!(driven.drain(), ["ws100 close 1002", "closed: transport error"]);
}

#[test]
fn a_poll_carries_the_ping() {
    let mut driven = polling(Revision::V4);
    driven.poll(1, 1);
    driven.timeout(300);
    assert_eq!(driven.drain(), ["1 200 2"]);
    driven.post(2, "3", 310);
    assert_eq!(driven.drain(), ["2 200 ok"]);
    assert_eq!(driven.session.poll_timeout(), Some(at(600)));
    driven.timeout(1000);
    assert_eq!(driven.drain(), NOTHING, "it waits in the outbox");
    driven.poll(3, 1001);
    assert_eq!(driven.drain(), ["3 200 2"]);
}

#[test]
fn the_client_pings_in_revision_3() {
    let mut driven = websocket(Revision::V3);
    driven.frame(WS, "2", 400);
    assert_eq!(driven.drain(), ["ws100 3"]);
    assert_eq!(driven.session.poll_timeout(), Some(at(900)));
    driven.frame(WS, "4a", 800);
    assert_eq!(driven.session.poll_timeout(), Some(at(1300)));
    driven.timeout(1300);
    assert_eq!(driven.drain(), ["message a", "ws100 close 1000", "closed: ping timeout"]);

    let mut driven = polling(Revision::V3);
    driven.post(1, "1:2", 1);
    driven.poll(2, 2);
    assert_eq!(driven.drain(), ["1 200 ok", "2 200 1:3"]);
    driven.post(3, "1:2", 502);
    assert_eq!(driven.drain(), ["closed: ping timeout", "3 400"]);
}

#[test]
fn an_upgrade_keeps_the_order() {
    for (revision, noop, rest) in
        [(Revision::V4, "1 200 6", "2 200 6"), (Revision::V3, "1 200 1:6", "2 200 1:6")]
    {
        let mut driven = polling(revision);
        driven.poll(1, 1);
        assert!(driven.session.takes_websocket());
        driven.websocket(WS, 2);
        assert!(!driven.session.takes_websocket());
        assert_eq!(driven.drain(), NOTHING);
        driven.frame(WS, "2probe", 3);
        assert_eq!(driven.drain(), ["ws100 3probe", noop]);
        // A client that polls on is let go as well, though not without pause.
        driven.poll(2, 4);
        assert_eq!(driven.drain(), NOTHING);
        assert_eq!(driven.session.poll_timeout(), Some(at(103)));
        driven.timeout(103);
        assert_eq!(driven.drain(), [rest]);
        driven.send("a");
        driven.send("b");
        assert_eq!(driven.drain(), NOTHING);
        driven.frame(WS, "5", 104);
        driven.frame(WS, "4hello", 105);
        assert_eq!(driven.drain(), ["upgraded", "message hello", "ws100 4a", "ws100 4b"]);
        driven.send("c");
        assert_eq!(driven.drain(), ["ws100 4c"]);
        assert_eq!(driven.session.transport(), Some(Transport::WebSocket));
        // What comes late by other ways does no harm.
        driven.poll(3, 106);
        driven.post_head(4, 106);
        driven.websocket(SocketId(101), 106);
        assert_eq!(driven.drain(), ["3 400", "4 400", "ws101 close 1008"]);
        driven.send("d");
        assert_eq!(driven.drain(), ["ws100 4d"]);
    }
}

#[test]
fn abandoned_upgrades_leave_polling_as_it_was() {
    let lost = |driven: &mut Driven| driven.session.handle_socket_lost(WS);
    let late = |driven: &mut Driven| driven.timeout(10_000);
    let malformed = |driven: &mut Driven| driven.frame(WS, "x", 20);
    let out_of_turn = |driven: &mut Driven| driven.frame(WS, "4early", 20);
    let long = EngineSettings { ping_interval_ms: 60_000, ..settings() };
    type Step = fn(&mut Driven);
    let steps: [(Step, &[&str]); 4] = [
        (lost, &[]),
        (late, &["ws100 close 1008"]),
        (malformed, &["ws100 close 1002"]),
        (out_of_turn, &["ws100 close 1002"]),
    ];
    for (step, expected) in steps {
        for probe in [None, Some("2probe")] {
            let mut driven = opened(Revision::V4, OpenOn::Poll(RequestId(0)), long.clone());
            driven.websocket(WS, 0);
            if let Some(probe) = probe {
                driven.frame(WS, probe, 0);
                assert_eq!(driven.drain(), ["ws100 3probe"]);
            }
            driven.send("a");
            step(&mut driven);
            assert_eq!(driven.drain(), expected);
            driven.poll(1, 10_001);
            assert_eq!(driven.drain(), ["1 200 4a"]);
            driven.websocket(SocketId(101), 10_002);
            assert_eq!(driven.drain(), NOTHING, "another try is welcome");
        }
    }
}

#[test]
fn upgrades_have_to_be_probed_and_allowed() {
    let mut driven = polling(Revision::V4);
    driven.websocket(WS, 1);
    driven.websocket(SocketId(101), 1);
    driven.frame(WS, "5", 1);
    assert_eq!(driven.drain(), ["ws101 close 1008", "ws100 close 1002"]);
    assert_eq!(driven.session.transport(), Some(Transport::Polling));

    let settings = EngineSettings { allow_upgrades: false, ..settings() };
    let mut driven = opened(Revision::V4, OpenOn::Poll(RequestId(0)), settings);
    assert!(!driven.session.takes_websocket());
    driven.websocket(WS, 1);
    assert_eq!(driven.drain(), ["ws100 close 1008"]);
}

#[test]
fn a_session_that_ends_takes_its_probe_along() {
    let mut driven = polling(Revision::V4);
    driven.websocket(WS, 1);
    driven.frame(WS, "2probe", 1);
    driven.drain();
    driven.post(1, "1", 2);
    assert_eq!(driven.drain(), ["1 200 ok", "ws100 close 1000", "closed: transport close"]);
}

#[test]
fn an_orderly_close_waits_for_what_was_sent() {
    let mut driven = polling(Revision::V4);
    driven.send("a");
    driven.close(CloseMode::Orderly, 1);
    assert!(!driven.session.is_open());
    driven.post(1, "4ignored", 2);
    assert_eq!(driven.drain(), ["1 200 ok"]);
    driven.poll(2, 3);
    assert_eq!(driven.drain(), ["2 200 4a"]);
    driven.poll(3, 4);
    assert_eq!(driven.drain(), ["3 200 1", "closed: forced close"]);

    let mut driven = polling(Revision::V4);
    driven.poll(1, 1);
    driven.send("a");
    driven.close(CloseMode::Orderly, 1);
    assert_eq!(driven.drain(), ["1 200 4a"]);
    driven.poll(2, 2);
    assert_eq!(driven.drain(), ["2 200 1", "closed: forced close"]);

    let mut driven = polling(Revision::V4);
    driven.close(CloseMode::Orderly, 1);
    assert_eq!(driven.session.poll_timeout(), Some(at(30_001)));
    driven.timeout(30_001);
    assert_eq!(driven.drain(), ["closed: forced close"]);

    let mut driven = websocket(Revision::V4);
    driven.send("a");
    driven.close(CloseMode::Orderly, 1);
    assert_eq!(driven.drain(), ["ws100 4a", "ws100 close 1000", "closed: forced close"]);

    let mut driven = polling(Revision::V4);
    driven.poll(1, 1);
    driven.send("a");
    driven.close(CloseMode::Discard, 1);
    assert_eq!(driven.drain(), ["1 200 1", "closed: forced close"]);
}

#[test]
fn a_server_that_stops_waits_for_nobody() {
    let mut driven = polling(Revision::V4);
    driven.poll(1, 1);
    driven.send("a");
    driven.close(CloseMode::ShutDown, 1);
    assert_eq!(driven.drain(), ["1 200 4a|1", "closed: server shutting down"]);
    let mut driven = polling(Revision::V4);
    driven.close(CloseMode::ShutDown, 1);
    assert_eq!(driven.drain(), ["closed: server shutting down"]);
    let mut driven = websocket(Revision::V4);
    driven.close(CloseMode::ShutDown, 1);
    assert_eq!(driven.drain(), ["ws100 close 1012", "closed: server shutting down"]);
}

#[test]
fn a_full_outbox_ends_the_session() {
    let mut driven = polling(Revision::V4);
    driven.poll(1, 1);
    driven.session.handle_overflow();
    assert_eq!(driven.drain(), ["1 200 1", "closed: transport error"]);
    let mut driven = websocket(Revision::V4);
    driven.session.handle_overflow();
    assert_eq!(driven.drain(), ["ws100 close 1008", "closed: transport error"]);
}
