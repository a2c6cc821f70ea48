use std::sync::Arc;

use antiphon_hub::Rule;
use antiphon_socketio::{Disconnect, RecoverySettings, Socket};
use antiphon_store::{MemoryStore, StoreSettings};

use crate::client::Client;
use crate::{Notes, Running, Setup, done, until};

fn setup() -> Setup {
    Setup::new(|settings| settings.connection_state_recovery = Some(RecoverySettings::default()))
}

/// A client's id and what it comes back with.
struct Known {
    id: String,
    pid: String,
}

fn connect(running: &Running, auth: &str) -> (Client, Known) {
    let mut client = running.client();
    client.send(&format!("40{auth}"));
    let known = granted(&mut client);
    (client, known)
}

fn granted(client: &mut Client) -> Known {
    let granted = client.next_granted("40");
    let member = |name: &str| granted[name].as_str().unwrap().to_owned();
    Known { id: member("sid"), pid: member("pid") }
}

fn socket(running: &Running, known: &Known) -> Socket {
    running.io.root().socket(&known.id).unwrap()
}

fn until_gone(running: &Running) {
    until("it is gone", || running.io.root().socket_count() == 0);
}

/// The name of an event, its argument, and its offset.
fn event(text: &str) -> (String, String, String) {
    let event = text.strip_prefix("42").unwrap_or_else(|| panic!("{text} is no event"));
    serde_json::from_str(event).unwrap()
}

#[test]
fn a_client_that_had_no_event_yet_comes_back() {
    let running = setup().start();
    let (client, known) = connect(&running, "");
    let before = socket(&running, &known);
    before.join("room").unwrap();
    before.data().set("name", &"Ada").unwrap();
    before.extensions().insert(7_u8);
    client.vanish();
    until_gone(&running);
    running.io.root().to("room").emit("missed", "one").unwrap();
    running.io.root().emit("missed", "two").unwrap();
    running.io.root().to("elsewhere").emit("missed", "not mine").unwrap();
    let mut client = running.client();
    client.send(&format!(r#"40{{"pid":"{}"}}"#, known.pid));
    let (first, second) = (event(&client.next_text()), event(&client.next_text()));
    assert_eq!((first.1.as_str(), second.1.as_str()), ("one", "two"));
    let again = granted(&mut client);
    assert_eq!((&again.id, &again.pid), (&known.id, &known.pid));
    let after = socket(&running, &known);
    assert!(after.recovered() && after.is_in("room"));
    assert_eq!(after.data().get::<String>("name").as_deref(), Some("Ada"));
    assert_eq!(after.extensions().get::<u8>().as_deref(), Some(&7));
    running.io.root().to("room").emit("live", "three").unwrap();
    assert_eq!(event(&client.next_text()).1, "three");
}

#[test]
fn a_client_that_had_events_gets_what_came_after_them() {
    let running = setup().start();
    let (mut client, known) = connect(&running, "");
    let before = socket(&running, &known);
    before.emit("direct", "one").unwrap();
    running.io.root().emit("all", "two").unwrap();
    let (_, _, first) = event(&client.next_text());
    let (_, argument, _) = event(&client.next_text());
    assert_eq!(argument, "two");
    client.vanish();
    until_gone(&running);
    running.io.root().emit("all", "three").unwrap();
    let mut client = running.client();
    client.send(&format!(r#"40{{"pid":"{}","offset":"{first}"}}"#, known.pid));
    assert_eq!(event(&client.next_text()).1, "two");
    assert_eq!(event(&client.next_text()).1, "three");
    assert_eq!(granted(&mut client).id, known.id);
    // Once more, without a word from the server meanwhile.
    client.vanish();
    until_gone(&running);
    let (mut client, again) =
        connect(&running, &format!(r#"{{"pid":"{}","offset":"99999999999999999"}}"#, known.pid));
    assert_eq!(again.id, known.id);
    socket(&running, &again).emit("direct", "four").unwrap();
    assert_eq!(event(&client.next_text()).1, "four");
}

#[test]
fn nobody_gets_what_was_said_in_a_room_before_he_was_there() {
    let running = setup().start();
    let (client, known) = connect(&running, "");
    running.io.root().to("room").emit("before", "not for him").unwrap();
    socket(&running, &known).join("room").unwrap();
    running.io.root().to("room").emit("after", "for him").unwrap();
    client.vanish();
    until_gone(&running);
    let mut client = running.client();
    client.send(&format!(r#"40{{"pid":"{}","offset":"1"}}"#, known.pid));
    assert_eq!(event(&client.next_text()).0, "after");
    assert_eq!(granted(&mut client).id, known.id);
}

#[test]
fn a_connection_that_is_not_known_to_be_lost_gives_way() {
    let running = setup().start();
    let (notes, told) = Notes::new();
    running.io.root().on_disconnect(Arc::new(move |_, reason| {
        notes.say(reason.to_string());
        done()
    }));
    let (_lost, known) = connect(&running, "");
    let (mut client, again) = connect(&running, &format!(r#"{{"pid":"{}"}}"#, known.pid));
    assert_eq!(again.id, known.id);
    assert_eq!(told.next(), "transport close");
    assert_eq!(running.io.root().socket_count(), 1);
    running.io.root().emit("all", "here").unwrap();
    assert_eq!(event(&client.next_text()).1, "here");
}

#[test]
fn who_left_or_is_not_known_is_a_new_one() {
    let running = setup().start();
    let (mut client, known) = connect(&running, "");
    client.send("41");
    until_gone(&running);
    client.send(&format!(r#"40{{"pid":"{}"}}"#, known.pid));
    let second = granted(&mut client);
    assert_ne!(second.id, known.id);
    socket(&running, &second).disconnect(Disconnect::Namespace);
    assert_eq!(client.next_text(), "41");
    let third = connect(&running, &format!(r#"{{"pid":"{}"}}"#, second.pid)).1;
    assert_ne!(third.id, second.id);
    for auth in [r#"{"pid":"AAAAAAAAAAAAAAAAAAAA"}"#, r#"{"pid":7}"#, r#"{"pid":"x","offset":"y"}"#] {
        assert!(!socket(&running, &connect(&running, auth).1).recovered());
    }
    // What is known is good for one time, and for its own namespace.
    running.io.of("/other").unwrap();
    let (client, known) = connect(&running, "");
    client.vanish();
    until("it is gone", || running.io.root().socket(&known.id).is_none());
    let mut thief = running.client();
    thief.send(&format!(r#"40/other,{{"pid":"{}"}}"#, known.pid));
    assert_ne!(thief.next_granted("40/other,")["sid"], known.id);
}

#[test]
fn middlewares_are_passed_by_unless_it_is_said_otherwise() {
    for skip_middlewares in [true, false] {
        let settings = RecoverySettings { skip_middlewares, ..RecoverySettings::default() };
        let running = Setup::new(|all| all.connection_state_recovery = Some(settings)).start();
        let (notes, told) = Notes::new();
        running.io.root().use_(Arc::new(move |socket| {
            notes.say(format!("asked {}", socket.recovered()));
            Ok(()).into()
        }));
        let (client, known) = connect(&running, "");
        assert_eq!(told.next(), "asked false");
        client.vanish();
        until_gone(&running);
        let again = connect(&running, &format!(r#"{{"pid":"{}"}}"#, known.pid)).1;
        assert_eq!(again.id, known.id);
        if !skip_middlewares {
            assert_eq!(told.next(), "asked true");
        }
        told.nothing_more();
    }
}

#[test]
fn a_server_that_was_started_anew_knows_who_was_there() {
    let store = Arc::new(MemoryStore::new(&StoreSettings::default()).unwrap());
    let setup = || Setup { store: store.clone(), rule: Rule { persist: true, ..Rule::default() }, ..setup() };
    let running = setup().start();
    let (_client, known) = connect(&running, "");
    let (_other, other) = connect(&running, "");
    let before = socket(&running, &known);
    before.join("room").unwrap();
    before.data().set("name", &"Ada").unwrap();
    let io = running.io.clone();
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(io.close());
    io.root().to("room").emit("missed", "one").unwrap();
    running.stop();

    let running = setup().start();
    let mut client = running.client();
    client.send(&format!(r#"40{{"pid":"{}"}}"#, known.pid));
    assert_eq!(event(&client.next_text()).1, "one");
    assert_eq!(granted(&mut client).id, known.id);
    let after = socket(&running, &known);
    assert!(after.recovered() && after.is_in("room"));
    assert_eq!(after.data().get::<String>("name").as_deref(), Some("Ada"));
    let again = connect(&running, &format!(r#"{{"pid":"{}"}}"#, other.pid)).1;
    assert_eq!(again.id, other.id);
}

#[test]
fn a_server_that_was_not_told_knows_it_as_well() {
    let store = Arc::new(MemoryStore::new(&StoreSettings::default()).unwrap());
    let setup = || Setup { store: store.clone(), rule: Rule { persist: true, ..Rule::default() }, ..setup() };
    let crashed = setup().start();
    let (_client, known) = connect(&crashed, "");
    let before = socket(&crashed, &known);
    before.join("room").unwrap();
    before.data().set("name", &"Ada").unwrap();
    crashed.io.root().to("room").emit("missed", "one").unwrap();

    // As far as this one knows, the other ended without a word.
    let running = setup().start();
    let auth = format!(r#"{{"pid":"{}"}}"#, known.pid);
    let came_back = |running: &Running| {
        let mut client = running.client();
        client.send(&format!("40{auth}"));
        let first = client.next_text();
        first.starts_with("42").then(|| (event(&first).1, granted(&mut client).id))
    };
    let mut back = None;
    until("the record is there", || {
        back = came_back(&running);
        back.is_some()
    });
    assert_eq!(back, Some(("one".to_owned(), known.id.clone())));
    let after = running.io.root().socket(&known.id);
    assert!(after.is_none_or(|after| after.is_in("room") && after.data().get::<String>("name").is_some()));
}

#[test]
fn what_is_kept_has_an_end() {
    let settings = RecoverySettings { sessions_max: 1, ..RecoverySettings::default() };
    let running = Setup::new(|all| all.connection_state_recovery = Some(settings)).start();
    let (client, first) = connect(&running, "");
    client.vanish();
    until_gone(&running);
    let (client, second) = connect(&running, "");
    client.vanish();
    until_gone(&running);
    let back = |known: &Known| connect(&running, &format!(r#"{{"pid":"{}"}}"#, known.pid));
    // Both stay: whoever went would be what is kept.
    let (_client, stranger) = back(&first);
    let (_client, same) = back(&second);
    assert_ne!(stranger.id, first.id);
    assert_eq!(same.id, second.id);
}
