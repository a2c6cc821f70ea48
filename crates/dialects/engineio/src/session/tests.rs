mod any_order;

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::handshake::{Refusal, RefusalCode};
use crate::packet::Frame;
use crate::payload::{BodyForm, PayloadError};

const WS: SocketId = SocketId(100);

fn at(millis: u64) -> Monotonic {
    Monotonic(Duration::from_millis(millis))
}

fn settings() -> EngineSettings {
    EngineSettings { ping_interval_ms: 300, ping_timeout_ms: 200, ..EngineSettings::default() }
}

fn open_with(revision: Revision, on: OpenOn, settings: EngineSettings) -> Session {
    let sid = Sid::from_random([0; 15]);
    Session::open(sid, revision, BinarySupport::Native, on, Arc::new(settings), at(0))
}

/// A session after its open packet.
fn opened(revision: Revision, on: OpenOn, settings: EngineSettings) -> Session {
    let mut session = open_with(revision, on, settings);
    assert_eq!(drain(&mut session).len(), 1);
    session
}

fn polling(revision: Revision) -> Session {
    opened(revision, OpenOn::Poll { request: RequestId(0), jsonp: None }, settings())
}

fn websocket(revision: Revision) -> Session {
    opened(revision, OpenOn::Socket(WS), settings())
}

/// The outputs in a short form.
fn drain(session: &mut Session) -> Vec<String> {
    std::iter::from_fn(|| session.poll_output()).map(|output| short(&output)).collect()
}

fn short(output: &Output) -> String {
    match output {
        Output::Answer { request, answer } => {
            let body = String::from_utf8_lossy(&answer.clone().into_body()).replace('\x1e', "|");
            let body = if answer.status() == 200 { body } else { String::new() };
            format!("{} {} {body}", request.0, answer.status()).trim_end().to_owned()
        }
        Output::Frame { socket, frame: Frame::Text(text) } => format!("ws{} {text}", socket.0),
        Output::Frame { socket, frame: Frame::Binary(bytes) } => format!("ws{} {bytes:?}", socket.0),
        Output::CloseSocket { socket, code } => format!("ws{} close {}", socket.0, code.code()),
        Output::Message(Data::Text(text)) => format!("message {text}"),
        Output::Message(Data::Binary(bytes)) => format!("message {bytes:?}"),
        Output::Upgraded => "upgraded".into(),
        Output::Closed(reason) => format!("closed: {}", reason.as_str()),
    }
}

fn send(session: &mut Session, text: &str) {
    assert_eq!(session.handle_send(Data::Text(text.into()), Delivery::Reliable), Ok(Sent::Queued));
}

fn post(session: &mut Session, request: u64, body: &str, now: u64) {
    session.handle_post(RequestId(request), at(now));
    session.handle_post_body(
        RequestId(request),
        BodyForm::Text,
        Bytes::copy_from_slice(body.as_bytes()),
        at(now),
    );
}

fn frame(session: &mut Session, socket: SocketId, text: &str, now: u64) {
    session.handle_frame(socket, Frame::Text(text.into()), at(now));
}

#[test]
fn the_open_packet_is_answered_alone() {
    let mut session =
        open_with(Revision::V3, OpenOn::Poll { request: RequestId(1), jsonp: None }, settings());
    send(&mut session, "0");
    let outputs = drain(&mut session);
    assert_eq!(outputs.len(), 1);
    assert!(outputs[0].starts_with("1 200 114:0{\"sid\":\"AAAA"), "{}", outputs[0]);
    session.handle_poll(RequestId(2), None, at(1));
    assert_eq!(drain(&mut session), ["2 200 2:40"]);

    let mut session = open_with(Revision::V4, OpenOn::Socket(WS), settings());
    send(&mut session, "x");
    let outputs = drain(&mut session);
    assert!(outputs[0].starts_with("ws100 0{\"sid\""), "{}", outputs[0]);
    assert_eq!(outputs[1..], ["ws100 4x"]);
}

#[test]
fn polls_are_answered_with_all_that_waits() {
    let mut session = polling(Revision::V4);
    session.handle_poll(RequestId(1), None, at(1));
    assert_eq!(drain(&mut session), [""; 0]);
    send(&mut session, "a");
    send(&mut session, "b");
    assert_eq!(drain(&mut session), ["1 200 4a|4b"]);
    send(&mut session, "c");
    let index = JsonpIndex::parse("3");
    session.handle_poll(RequestId(2), index, at(2));
    assert_eq!(drain(&mut session), ["2 200 ___eio[3](\"4c\");"]);
    post(&mut session, 3, "4x\x1e4y\x1ebAQ==", 3);
    assert_eq!(drain(&mut session), ["message x", "message y", "message b\"\\x01\"", "3 200 ok"]);
}

#[test]
fn a_second_poll_ends_the_session() {
    for (revision, farewell) in [(Revision::V4, "1 200 1"), (Revision::V3, "1 200 1:1")] {
        let mut session = polling(revision);
        session.handle_poll(RequestId(1), None, at(1));
        session.handle_poll(RequestId(2), None, at(2));
        assert_eq!(drain(&mut session), ["2 400", farewell, "closed: transport error"]);
        session.handle_poll(RequestId(3), None, at(3));
        let answer = Answer::Refused(Refusal::new(RefusalCode::UnknownSid));
        assert_eq!(session.poll_output(), Some(Output::Answer { request: RequestId(3), answer }));
        assert_eq!(session.poll_timeout(), None);
    }
}

#[test]
fn a_second_post_ends_the_session() {
    let mut session = polling(Revision::V4);
    session.handle_poll(RequestId(1), None, at(1));
    session.handle_post(RequestId(2), at(1));
    session.handle_post(RequestId(3), at(1));
    assert_eq!(drain(&mut session), ["3 400", "1 200 1", "2 400", "closed: transport error"]);
    session.handle_post_body(RequestId(2), BodyForm::Text, Bytes::from_static(b"4a"), at(1));
    assert_eq!(drain(&mut session), [""; 0]);
}

#[test]
fn requests_that_are_given_up_end_the_session() {
    let mut session = polling(Revision::V4);
    session.handle_poll(RequestId(1), None, at(1));
    session.handle_request_lost(RequestId(9), at(2));
    session.handle_request_lost(RequestId(1), at(2));
    let closed = Output::Closed(CloseReason::TransportError(TransportFault::PollLost));
    assert_eq!(session.poll_output(), Some(closed));
    session.handle_poll(RequestId(2), None, at(2));
    assert_eq!(drain(&mut session), ["2 400"]);

    let mut session = polling(Revision::V4);
    session.handle_post(RequestId(1), at(1));
    session.handle_request_lost(RequestId(1), at(1));
    let closed = Output::Closed(CloseReason::TransportError(TransportFault::PostLost));
    assert_eq!(session.poll_output(), Some(closed));
}

#[test]
fn malformed_and_large_bodies_end_the_session() {
    let mut session = polling(Revision::V4);
    session.handle_poll(RequestId(1), None, at(1));
    post(&mut session, 2, "4a\x1eabc", 1);
    assert_eq!(drain(&mut session), ["2 400", "1 200 1", "closed: parse error"]);

    let small = EngineSettings { payload_bytes_max: 4, packets_per_payload_max: 2, ..settings() };
    let on = OpenOn::Poll { request: RequestId(0), jsonp: None };
    let mut session = opened(Revision::V4, on, small.clone());
    post(&mut session, 2, "41234", 1);
    assert_eq!(drain(&mut session), ["2 413", "closed: transport error"]);
    let mut session = opened(Revision::V4, on, small.clone());
    session.handle_post(RequestId(1), at(1));
    session.handle_post_too_large(RequestId(1), at(1));
    assert_eq!(drain(&mut session), ["1 413", "closed: transport error"]);
    let mut session = opened(Revision::V3, on, small.clone());
    post(&mut session, 2, "0:0:0:", 1);
    assert_eq!(drain(&mut session), ["2 413", "closed: transport error"]);

    let mut session = opened(Revision::V4, OpenOn::Socket(WS), small);
    frame(&mut session, WS, "41234", 1);
    assert_eq!(drain(&mut session), ["ws100 close 1009", "closed: transport error"]);
    let mut session = websocket(Revision::V4);
    frame(&mut session, WS, "abc", 1);
    let parse = CloseReason::ParseError(PayloadError::Packet(crate::PacketError::UnknownType));
    assert_eq!(drain(&mut session), ["ws100 close 1002", &short(&Output::Closed(parse))]);
}

#[test]
fn the_client_can_leave() {
    let mut session = polling(Revision::V4);
    session.handle_poll(RequestId(1), None, at(1));
    post(&mut session, 2, "4bye\x1e1\x1e4late", 1);
    assert_eq!(drain(&mut session), ["message bye", "2 200 ok", "1 200 6", "closed: transport close"]);

    let mut session = websocket(Revision::V3);
    frame(&mut session, WS, "1", 1);
    assert_eq!(drain(&mut session), ["ws100 close 1000", "closed: transport close"]);
    let mut session = websocket(Revision::V4);
    session.handle_socket_lost(WS);
    assert_eq!(drain(&mut session), ["closed: transport close"]);
}

#[test]
fn the_server_pings_in_revision_4() {
    let mut session = websocket(Revision::V4);
    for start in [0, 310, 620] {
        assert_eq!(session.poll_timeout(), Some(at(start + 300)));
        session.handle_timeout(at(start + 299));
        assert_eq!(drain(&mut session), [""; 0]);
        session.handle_timeout(at(start + 300));
        assert_eq!(drain(&mut session), ["ws100 2"]);
        assert_eq!(session.poll_timeout(), Some(at(start + 500)));
        frame(&mut session, WS, "3", start + 310);
    }
    session.handle_timeout(at(1230));
    assert_eq!(drain(&mut session), ["ws100 2"]);
    frame(&mut session, WS, "4alive", 1300);
    session.handle_timeout(at(1430));
    assert_eq!(drain(&mut session), ["message alive", "ws100 close 1000", "closed: ping timeout"]);

    let mut session = websocket(Revision::V4);
    frame(&mut session, WS, "2", 1);
    assert_eq!(drain(&mut session), ["ws100 close 1002", "closed: transport error"]);
}

#[test]
fn the_client_pings_in_revision_3() {
    let mut session = websocket(Revision::V3);
    frame(&mut session, WS, "2", 400);
    assert_eq!(drain(&mut session), ["ws100 3"]);
    assert_eq!(session.poll_timeout(), Some(at(900)));
    frame(&mut session, WS, "4a", 800);
    assert_eq!(session.poll_timeout(), Some(at(1300)));
    session.handle_timeout(at(1300));
    assert_eq!(drain(&mut session), ["message a", "ws100 close 1000", "closed: ping timeout"]);

    let mut session = polling(Revision::V3);
    post(&mut session, 1, "1:2", 1);
    session.handle_poll(RequestId(2), None, at(2));
    assert_eq!(drain(&mut session), ["1 200 ok", "2 200 1:3"]);
    post(&mut session, 3, "1:2", 502);
    assert_eq!(drain(&mut session), ["closed: ping timeout", "3 400"]);
}

#[test]
fn an_upgrade_keeps_the_order() {
    for (revision, noop, rest) in
        [(Revision::V4, "1 200 6", "2 200 6"), (Revision::V3, "1 200 1:6", "2 200 1:6")]
    {
        let mut session = polling(revision);
        session.handle_poll(RequestId(1), None, at(1));
        session.handle_websocket(WS, BinarySupport::Native, at(2));
        assert_eq!(drain(&mut session), [""; 0]);
        frame(&mut session, WS, "2probe", 3);
        assert_eq!(drain(&mut session), ["ws100 3probe", noop]);
        // A client that polls on is let go as well, though not without pause.
        session.handle_poll(RequestId(2), None, at(4));
        assert_eq!(drain(&mut session), [""; 0]);
        assert_eq!(session.poll_timeout(), Some(at(103)));
        session.handle_timeout(at(103));
        assert_eq!(drain(&mut session), [rest]);
        send(&mut session, "a");
        send(&mut session, "b");
        assert_eq!(drain(&mut session), [""; 0]);
        frame(&mut session, WS, "5", 104);
        frame(&mut session, WS, "4hello", 105);
        send(&mut session, "c");
        assert_eq!(drain(&mut session), ["upgraded", "message hello", "ws100 4a", "ws100 4b", "ws100 4c"]);
        assert_eq!(session.transport(), Some(Transport::WebSocket));
        // What comes late by other ways does no harm.
        session.handle_poll(RequestId(3), None, at(106));
        session.handle_post(RequestId(4), at(106));
        session.handle_websocket(SocketId(101), BinarySupport::Native, at(106));
        assert_eq!(drain(&mut session), ["3 400", "4 400", "ws101 close 1008"]);
        send(&mut session, "d");
        assert_eq!(drain(&mut session), ["ws100 4d"]);
    }
}

#[test]
fn abandoned_upgrades_leave_polling_as_it_was() {
    let lost = |session: &mut Session| session.handle_socket_lost(WS);
    let late = |session: &mut Session| session.handle_timeout(at(10_000));
    let malformed = |session: &mut Session| frame(session, WS, "x", 20);
    let out_of_turn = |session: &mut Session| frame(session, WS, "4early", 20);
    let long = EngineSettings { ping_interval_ms: 60_000, ..settings() };
    type Step = fn(&mut Session);
    let steps: [(Step, &[&str]); 4] = [
        (lost, &[]),
        (late, &["ws100 close 1008"]),
        (malformed, &["ws100 close 1002"]),
        (out_of_turn, &["ws100 close 1002"]),
    ];
    for (step, expected) in steps {
        for probe in [None, Some("2probe")] {
            let on = OpenOn::Poll { request: RequestId(0), jsonp: None };
            let mut session = opened(Revision::V4, on, long.clone());
            session.handle_websocket(WS, BinarySupport::Native, at(0));
            if let Some(probe) = probe {
                frame(&mut session, WS, probe, 0);
                assert_eq!(drain(&mut session), ["ws100 3probe"]);
            }
            send(&mut session, "a");
            step(&mut session);
            assert_eq!(drain(&mut session), expected);
            session.handle_poll(RequestId(1), None, at(10_001));
            assert_eq!(drain(&mut session), ["1 200 4a"]);
            session.handle_websocket(SocketId(101), BinarySupport::Native, at(10_002));
            assert_eq!(drain(&mut session), [""; 0], "another try is welcome");
        }
    }
}

#[test]
fn upgrades_have_to_be_probed_and_allowed() {
    let mut session = polling(Revision::V4);
    session.handle_websocket(WS, BinarySupport::Native, at(1));
    session.handle_websocket(SocketId(101), BinarySupport::Native, at(1));
    frame(&mut session, WS, "5", 1);
    assert_eq!(drain(&mut session), ["ws101 close 1008", "ws100 close 1002"]);
    assert_eq!(session.transport(), Some(Transport::Polling));

    let on = OpenOn::Poll { request: RequestId(0), jsonp: None };
    let mut session = opened(Revision::V4, on, EngineSettings { allow_upgrades: false, ..settings() });
    session.handle_websocket(WS, BinarySupport::Native, at(1));
    assert_eq!(drain(&mut session), ["ws100 close 1008"]);
}

#[test]
fn a_session_that_ends_takes_its_probe_along() {
    let mut session = polling(Revision::V4);
    session.handle_websocket(WS, BinarySupport::Native, at(1));
    frame(&mut session, WS, "2probe", 1);
    drain(&mut session);
    post(&mut session, 1, "1", 2);
    assert_eq!(drain(&mut session), ["1 200 ok", "ws100 close 1000", "closed: transport close"]);
}

#[test]
fn an_orderly_close_waits_for_what_was_sent() {
    let mut session = polling(Revision::V4);
    send(&mut session, "a");
    session.handle_close(CloseMode::Orderly, at(1));
    assert_eq!(session.handle_send(Data::Text("b".into()), Delivery::Reliable), Err(SendError::Closed));
    post(&mut session, 1, "4ignored", 2);
    assert_eq!(drain(&mut session), ["1 200 ok"]);
    session.handle_poll(RequestId(2), None, at(3));
    assert_eq!(drain(&mut session), ["2 200 4a|1", "closed: forced close"]);

    let mut session = polling(Revision::V4);
    session.handle_close(CloseMode::Orderly, at(1));
    assert_eq!(session.poll_timeout(), Some(at(30_001)));
    session.handle_timeout(at(30_001));
    assert_eq!(drain(&mut session), ["closed: forced close"]);

    let mut session = websocket(Revision::V4);
    send(&mut session, "a");
    session.handle_close(CloseMode::Orderly, at(1));
    assert_eq!(drain(&mut session), ["ws100 4a", "ws100 close 1000", "closed: forced close"]);

    let mut session = polling(Revision::V4);
    session.handle_poll(RequestId(1), None, at(1));
    send(&mut session, "a");
    session.handle_close(CloseMode::Discard, at(1));
    assert_eq!(drain(&mut session), ["1 200 1", "closed: forced close"]);
}

#[test]
fn the_send_buffer_is_bounded() {
    let small = EngineSettings { send_buffer_bytes_max: 200, ..settings() };
    let message = |bytes: usize| Data::Binary(vec![0; bytes].into());
    let mut session = opened(Revision::V4, OpenOn::Socket(WS), small.clone());
    session.handle_writability(WS, Writability::Blocked);
    assert_eq!(session.handle_send(message(1), Delivery::Volatile), Ok(Sent::Dropped));
    assert_eq!(session.handle_send(message(500), Delivery::Reliable), Ok(Sent::Queued), "one always fits");
    assert_eq!(session.handle_send(message(1), Delivery::Reliable), Err(SendError::Full));
    assert_eq!(drain(&mut session), ["ws100 close 1008", "closed: transport error"]);

    let refuse = EngineSettings { when_full: WhenFull::Refuse, ..small };
    let mut session = opened(Revision::V4, OpenOn::Socket(WS), refuse);
    session.handle_writability(WS, Writability::Blocked);
    let data = Data::Text("a".repeat(100).into());
    assert_eq!(session.handle_send(data.clone(), Delivery::Reliable), Ok(Sent::Queued));
    assert_eq!(session.handle_send(data.clone(), Delivery::Reliable), Err(SendError::Full));
    assert_eq!(session.buffered_bytes(), 164);
    session.handle_writability(WS, Writability::Writable);
    assert_eq!(drain(&mut session).len(), 1);
    assert_eq!(session.handle_send(data, Delivery::Volatile), Ok(Sent::Queued));
}

#[test]
fn no_text_can_pass_for_several_packets() {
    let mut session = polling(Revision::V4);
    let data = Data::Text("a\x1e1".into());
    assert_eq!(session.handle_send(data.clone(), Delivery::Reliable), Err(SendError::Separator));
    let mut session = polling(Revision::V3);
    assert_eq!(session.handle_send(data, Delivery::Reliable), Ok(Sent::Queued));
}
