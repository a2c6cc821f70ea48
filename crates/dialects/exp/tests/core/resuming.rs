use std::sync::Arc;
use std::time::Duration;

use antiphon_store::{SqliteStore, Store, StoreSettings};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::json;

use crate::slow_store::SlowStore;
use crate::{Running, Setup, broadcast, channel, subscribe, subscribed, until};

/// Listens on a socket that is then lost.
fn listen_and_vanish<const N: usize>(running: &Running, token: &str, ids: [&str; N]) {
    let mut socket = running.socket(token);
    socket.asks(&subscribe(ids), &subscribed(ids));
    socket.vanish();
}

#[test]
fn a_client_that_comes_back_and_says_nothing_still_listens() {
    let running = Setup::default().start();
    let token = running.token("one");
    let (c, d) = (channel("c"), channel("~~~"));
    let spelled = URL_SAFE.encode(json!(["scala", "~~~", 0, 0]).to_string());
    listen_and_vanish(&running, &token, [&c, &d, &spelled]);
    running.until_empty();
    let mut socket = running.socket(&token);
    let position = running.publish("c", "x", &json!(1));
    assert_eq!(socket.next_text(), broadcast(position, "x", &c, &json!(1)));
    let position = running.publish("~~~", "x", &json!(2));
    let mut heard = [socket.next_text(), socket.next_text()];
    let mut expected = [&*d, &*spelled].map(|id| broadcast(position, "x", id, &json!(2)));
    heard.sort();
    expected.sort();
    assert_eq!(heard, expected);
    // Who does say it gets nothing twice.
    socket.asks(&subscribe([&c]), &subscribed([&c]));
    let position = running.publish("c", "x", &json!(3));
    assert_eq!(socket.next_text(), broadcast(position, "x", &c, &json!(3)));
    socket.has_nothing();
}

/// A connection that is lost without the server knowing it yet, and clients that poll.
#[test]
fn it_need_not_wait_until_the_lost_socket_is_known_to_be_lost() {
    let running = Setup::default().start();
    let token = running.token("one");
    let c = channel("c");
    let mut lost = running.polls(&token, "");
    lost.post(&subscribe([&c]));
    assert_eq!(lost.next(), subscribed([&c]));
    let mut polls = running.polls(&token, "");
    let position = running.publish("c", "x", &json!(1));
    assert_eq!(polls.next(), broadcast(position, "x", &c, &json!(1)));
}

#[test]
fn another_login_begins_anew() {
    let running = Setup::default().start();
    let c = channel("c");
    listen_and_vanish(&running, &running.token("one"), [&c]);
    let mut socket = running.socket(&running.token("one"));
    running.publish("c", "x", &json!(1));
    socket.has_nothing();
}

#[test]
fn a_refreshed_token_is_the_same_connection() {
    let running = Setup::default().start();
    let token = running.token("one");
    let c = channel("c");
    listen_and_vanish(&running, &token, [&c]);
    let (access, now) = (running.node().access(), running.node().now().wall);
    let refreshed = access.refresh(&token, Duration::from_secs(600), now).unwrap().token;
    assert_ne!(refreshed, token);
    let mut socket = running.socket(&refreshed);
    let position = running.publish("c", "x", &json!(1));
    assert_eq!(socket.next_text(), broadcast(position, "x", &c, &json!(1)));
}

#[test]
fn after_its_time_nothing_is_kept() {
    let running = Setup::new(|settings| settings.subscriptions_kept_for = Duration::ZERO).start();
    let token = running.token("one");
    listen_and_vanish(&running, &token, [&channel("c")]);
    running.until_empty();
    let mut socket = running.socket(&token);
    running.publish("c", "x", &json!(1));
    socket.has_nothing();
}

fn sqlite(directory: &std::path::Path) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(directory, &StoreSettings::default()).unwrap())
}

/// A server that is started anew knows what its clients listen to, and takes their tokens.
#[test]
fn a_restart_of_the_server_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let c = channel("c");
    let running = Setup { store: sqlite(directory.path()), ..Setup::default() }.start();
    let token = running.token("one");
    let mut socket = running.socket(&token);
    socket.asks(&subscribe([&c]), &subscribed([&c]));
    drop(socket);
    running.stop();
    let running = Setup { store: sqlite(directory.path()), ..Setup::default() }.start();
    let mut socket = running.socket(&token);
    let position = running.publish("c", "x", &json!(1));
    assert_eq!(socket.next_text(), broadcast(position, "x", &c, &json!(1)));
}

/// The record is there while the client is connected: a crash asks nobody.
#[test]
fn the_store_knows_who_is_connected() {
    let setup = Setup::default();
    let store = Arc::clone(&setup.store);
    let running = setup.start();
    let token = running.token("one");
    let [c, d] = [channel("c"), channel("d")];
    let mut socket = running.socket(&token);
    socket.asks(&subscribe([&c]), &subscribed([&c]));
    socket.asks(&subscribe([&d]), &subscribed([&d]));
    assert_eq!(running.record(&token).read(&*store), [c, d]);
}

/// Clients that count on what they said before count on it from when they are connected.
#[test]
fn a_client_is_connected_once_the_store_has_answered() {
    let store = SlowStore::new();
    let running = Setup { store: Arc::clone(&store) as _, ..Setup::default() }.start();
    let token = running.token("one");
    let c = channel("c");
    running.record(&token).put(&*store, &[&c], running.expires(&token));
    let mut socket = running.connect().upgrade(&Running::query(&token, "websocket")).unwrap();
    assert!(socket.next_text().starts_with("0{"));
    socket.has_nothing();
    store.answer();
    assert_eq!(socket.next_text(), "40");
    let position = running.publish("c", "x", &json!(1));
    assert_eq!(socket.next_text(), broadcast(position, "x", &c, &json!(1)));
}

#[test]
fn a_store_that_does_not_answer_keeps_nobody_waiting_for_long_and_loses_nothing() {
    let store = SlowStore::new();
    let running = Setup { store: Arc::clone(&store) as _, ..Setup::default() }.start();
    let token = running.token("one");
    let [c, d] = [channel("c"), channel("d")];
    let record = running.record(&token);
    record.put(&*store, &[&c], running.expires(&token));
    let mut socket = running.socket(&token);
    socket.asks(&subscribe([&d]), &subscribed([&d]));
    let position = running.publish("d", "x", &json!(1));
    assert_eq!(socket.next_text(), broadcast(position, "x", &d, &json!(1)));
    store.answer();
    until("it is restored", || record.read(&*store) == [&*c, &*d]);
    let position = running.publish("c", "x", &json!(2));
    assert_eq!(socket.next_text(), broadcast(position, "x", &c, &json!(2)));
}

#[test]
fn a_client_that_does_not_wait_for_the_store_leaves_nothing_behind() {
    let store = SlowStore::new();
    let running = Setup { store: Arc::clone(&store) as _, ..Setup::default() }.start();
    let token = running.token("one");
    let mut socket = running.connect().upgrade(&Running::query(&token, "websocket")).unwrap();
    assert!(socket.next_text().starts_with("0{"));
    socket.vanish();
    running.until_empty();
    store.answer();
    let mut socket = running.socket(&token);
    socket.has_nothing();
}

#[test]
fn permissions_are_asked_again() {
    let running = Setup::default().start();
    running.add_device("late", "*");
    let token = running.token("late");
    let [c, room] = [channel("c"), channel("room.1")];
    let mut socket = running.socket(&token);
    socket.asks(&subscribe([&c, &room]), &subscribed([&c, &room]));
    running.add_device("late", "room.*");
    socket.expect_end();
    let mut socket = running.socket(&token);
    running.publish("c", "x", &json!(1));
    let position = running.publish("room.1", "x", &json!(2));
    assert_eq!(socket.next_text(), broadcast(position, "x", &room, &json!(2)));
    socket.asks(&subscribe([&c]), &subscribed([]));
}
