use std::net::Shutdown;
use std::time::Duration;

use antiphon_net::websocket::Opcode;

use crate::client::{Heard, frame};
use crate::{Setup, until};

#[test]
fn a_client_that_closes_is_answered_with_its_own_code() {
    let running = Setup::default().start();
    for (payload, code) in
        [(&b""[..], None), (&1000u16.to_be_bytes(), Some(1000)), (&b"\x0f\xa0bye"[..], Some(4000))]
    {
        let mut socket = running.open("/");
        socket.write(&frame(Opcode::Close, payload));
        assert_eq!(socket.last_words(), [Heard::Close(code)]);
        drop(socket);
        running.until_empty();
    }
}

#[test]
fn a_server_that_closes_says_its_last_words_first() {
    let running = Setup::default().start();
    let mut socket = running.open("/");
    socket.text("close 4002");
    assert_eq!(socket.next_text(), "closing 4002");
    assert_eq!(socket.next(), Heard::Close(Some(4002)));
    socket.close(4002);
    assert_eq!(socket.next(), Heard::End);
    drop(socket);
    running.until_empty();
    assert_eq!(running.drops("close not answered"), 0);
}

#[test]
fn closes_that_cross_end_with_one_frame_each() {
    let running = Setup::default().start();
    let mut socket = running.open("/");
    let both = [frame(Opcode::Text, b"close 4002"), frame(Opcode::Close, &1000u16.to_be_bytes())];
    socket.write(&both.concat());
    assert_eq!(socket.last_words(), [Heard::Text("closing 4002".into()), Heard::Close(Some(4002))]);
    drop(socket);
    running.until_empty();
}

#[test]
fn what_comes_after_a_close_is_not_heard() {
    let running = Setup::default().start();
    let mut listener = running.open("/a");
    assert_eq!(listener.next_text(), "open");
    for close in [frame(Opcode::Text, b"close 4002"), frame(Opcode::Close, b"")] {
        let mut socket = running.open("/");
        let after = frame(Opcode::Text, b"pub a too late");
        socket.write(&[close, after.clone(), after].concat());
        assert!(matches!(socket.last_words().last(), Some(Heard::Close(_))));
    }
    listener.text("in time");
    assert_eq!(listener.next_publication().1, "in time");
}

#[test]
fn violations_are_told_by_their_code() {
    let running = Setup::default().start();
    let mut unmasked = frame(Opcode::Text, b"x");
    unmasked[1] &= 0x7f;
    let cases = [
        (unmasked, 1002),
        (vec![0x83, 0x80, 0, 0, 0, 0], 1002),
        (frame(Opcode::Text, &[0xff]), 1007),
        (frame(Opcode::Close, &[0x03]), 1002),
        ([&[0x82, 0xff][..], &u64::MAX.to_be_bytes()[..], &[0; 4]].concat(), 1002),
        ([&[0x82, 0xff][..], &(1u64 << 40).to_be_bytes()[..], &[0; 4]].concat(), 1009),
    ];
    for (bytes, code) in cases {
        let mut socket = running.open("/");
        socket.write(&bytes);
        let closing = Heard::Text(format!("closing {code}"));
        assert_eq!(socket.last_words(), [closing, Heard::Close(Some(code))]);
        // A violation while closing is nothing new.
        socket.try_write(&bytes);
        drop(socket);
    }
    running.until_empty();
}

#[test]
fn a_client_that_half_closes_after_much_data_is_not_forgotten() {
    let running = Setup::default().start();
    let mut listener = running.open("/a");
    assert_eq!(listener.next_text(), "open");
    for bytes in [0, 10, 64 << 10, (64 << 10) + 1, 200 << 10, 1 << 20] {
        let mut socket = running.open("/");
        socket.write(&frame(Opcode::Text, format!("pub a {}", "x".repeat(bytes)).as_bytes()));
        socket.shutdown(Shutdown::Write);
        assert_eq!(listener.next_publication().1.len(), bytes);
        assert_eq!(socket.next(), Heard::End);
    }
    until("only the listener is left", || running.connections() == 1);
    assert_eq!(running.drops("ping not answered"), 0);
}

#[test]
fn a_peer_that_does_not_hang_up_is_cut_off() {
    let mut setup = Setup::default();
    setup.net.close_timeout = Duration::from_millis(50);
    let running = setup.start();
    let mut socket = running.open("/");
    socket.close(1000);
    assert_eq!(socket.last_words(), [Heard::Close(Some(1000))]);
    running.until_empty();
    assert_eq!(running.drops("close not answered"), 1);
}

#[test]
fn a_peer_that_does_not_read_its_close_is_cut_off() {
    let mut setup = Setup::default();
    setup.net.close_timeout = Duration::from_millis(50);
    let running = setup.start();
    let mut socket = running.open("/");
    socket.text(&format!("send {}", 32 << 20));
    until("it waits", || running.node().metrics().outbox_bytes.get() > 0);
    socket.text("close 4002");
    running.until_empty();
    assert_eq!(running.drops("close not read"), 1);
}

#[test]
fn a_client_that_closes_while_it_is_behind_is_still_answered() {
    let mut setup = Setup::default();
    setup.net.outbox_bytes_max = 1000;
    let running = setup.start();
    let mut socket = running.open("/");
    socket.text(&format!("send {}", 32 << 20));
    until("it waits", || running.node().metrics().outbox_bytes.get() > 0);
    socket.close(1000);
    let heard = socket.last_words();
    assert!(matches!(&heard[0], Heard::Text(text) if text.len() == 32 << 20));
    assert_eq!(heard[1..], [Heard::Close(Some(1000))]);
}

#[test]
fn silent_clients_are_pinged_and_the_dead_let_go() {
    let mut setup = Setup::default();
    setup.net.ping_interval = Duration::from_millis(20);
    setup.net.ping_timeout = Duration::from_millis(1500);
    let running = setup.start();
    let mut alive = running.open("/");
    let mut dead = running.open("/");
    // Pongs keep the one here until the other has gone.
    while running.drops("ping not answered") == 0 {
        assert_eq!(alive.next(), Heard::Ping);
        alive.write(&frame(Opcode::Pong, b""));
    }
    assert_eq!(dead.last_words(), [Heard::Ping]);
    assert_eq!(running.connections(), 1);
}

#[test]
fn a_connection_that_asks_for_nothing_is_let_go() {
    let mut setup = Setup::default();
    setup.net.handshake_timeout = Duration::from_millis(100);
    let running = setup.start();
    // Nothing; half a head; and what may still become HTTP/2.
    for bytes in ["", "GET / HTTP/1.1\r\nhost:", "P", "PRI * HTTP/2.0\r\n"] {
        let mut socket = running.socket();
        socket.write(bytes.as_bytes());
        socket.rest();
    }
    running.until_empty();
}
