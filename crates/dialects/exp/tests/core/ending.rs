use std::time::Duration;

use antiphon_access::CredentialKind;
use antiphon_net::Close;

use crate::client::{Heard, Polls};
use crate::{PATIENCE, Running, Setup, channel, subscribe, subscribed};

/// For the poll that is under way: the packet that closes Engine.IO, and none of Socket.IO's.
fn expect_nothing_but_the_end(polls: &mut Polls) {
    let last_words = polls.last_words();
    assert!(last_words.as_ref().is_none_or(|words| *words == ["1"]), "{last_words:?}");
}

#[test]
fn a_client_that_says_so_is_gone() {
    let running = Setup::default().start();
    let token = running.token("one");
    // The socket of the JavaScript SDK, and the engine of the Python one, which leaves the connection open.
    for farewell in ["41", "1"] {
        let mut socket = running.socket(&token);
        socket.text(farewell);
        socket.expect_end();
        let mut polls = running.polls(&token, "");
        polls.post(farewell);
        if farewell == "41" {
            polls.post("1");
        }
        running.until_empty();
        assert!(polls.is_gone());
    }
}

/// Who has no credential any more loses the transport, and is not told so: the SDKs would never come back.
#[test]
fn the_end_of_a_token_closes_the_transport() {
    let running = Setup::default().start();
    let token = running.token_for(CredentialKind::Device, "one", Duration::from_secs(1));
    let (c, expires) = (channel("c"), running.expires(&token));
    let mut socket = running.socket(&token);
    socket.asks(&subscribe([&c]), &subscribed([&c]));
    let mut polls = running.polls(&token, "");
    polls.begin_poll();
    assert_eq!(socket.next(), Heard::Close(4001));
    expect_nothing_but_the_end(&mut polls);
    running.until_empty();
    assert!(running.node().now().wall >= expires);
}

#[test]
fn a_credential_that_is_revoked_closes_the_transport() {
    let running = Setup::default().start();
    running.add_device("late", "*");
    let token = running.token("late");
    let mut socket = running.socket(&token);
    let mut polls = running.polls(&token, "");
    polls.begin_poll();
    running.revoke_device("late");
    assert_eq!(socket.next(), Heard::Close(4001));
    expect_nothing_but_the_end(&mut polls);
    running.until_empty();
    let query = Running::query(&token, "polling");
    assert_eq!(running.connect().get(&query).status, 401);
}

#[test]
fn a_server_that_stops_says_nothing_but_the_end() {
    let mut running = Setup::default().start();
    let token = running.token("one");
    let mut socket = running.socket(&token);
    let mut polls = running.polls(&token, "");
    polls.begin_poll();
    let close = Close { code: 1012, reason: "restarting".into(), reconnect: true };
    let server = running.server.take().unwrap();
    let stopping = std::thread::spawn(move || server.stop(&close, PATIENCE));
    assert_eq!(socket.next(), Heard::Close(1012));
    expect_nothing_but_the_end(&mut polls);
    drop(socket);
    assert!(stopping.join().unwrap());
}
