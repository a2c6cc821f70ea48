use std::sync::Arc;
use std::time::Duration;

use antiphon_socketio::{AckError, Disconnect, Event, Outcome, Socket};

use crate::{Notes, Running, Setup, done};

/// The socket of a client that is in `/`.
fn socket(running: &Running, id: &str) -> Socket {
    running.io.root().socket(id).unwrap()
}

/// Waits for a future on this thread, which has no runtime.
fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn a_client_answers() {
    let running = Setup::default().start();
    let (mut client, id) = running.connected();
    let socket = socket(&running, &id);
    let first = socket.emit_with_ack("question", ("a", 1)).unwrap();
    let second = socket.emit_with_ack("question", ()).unwrap();
    assert_eq!(client.next_text(), r#"420["question","a",1]"#);
    assert_eq!(client.next_text(), r#"421["question"]"#);
    client.send(r#"431["second"]"#);
    client.send(r#"431["again"]"#);
    client.send("439[1]");
    client.send("461-0[{\"_placeholder\":true,\"num\":0}]");
    client.send_binary(b"first");
    assert_eq!(wait(second).unwrap().parse::<String>().unwrap(), "second");
    let answer = wait(first).unwrap();
    assert_eq!(answer.attachments(), [&b"first"[..]]);
}

#[test]
fn a_handler_may_wait_for_an_answer_of_its_own_client() {
    let running = Setup::default().start();
    running.io.root().on(
        "start",
        Arc::new(|event: Event| {
            Outcome::pending(async move {
                let answer = event.socket.emit_with_ack("more", ())?.await?;
                event.ack.unwrap().send(&answer)?;
                Ok(())
            })
        }),
    );
    let (mut client, _) = running.connected();
    client.send(r#"425["start"]"#);
    assert_eq!(client.next_text(), r#"420["more"]"#);
    client.send(r#"430["that is all",true]"#);
    assert_eq!(client.next_text(), r#"435["that is all",true]"#);
}

#[test]
fn who_does_not_answer_is_late() {
    let running = Setup::default().start();
    let (mut client, id) = running.connected();
    let socket = socket(&running, &id);
    let never = socket.timeout(Duration::from_secs(600)).emit_with_ack("later", ()).unwrap();
    let late = socket.timeout(Duration::from_millis(20)).emit_with_ack("soon", ()).unwrap();
    assert_eq!(wait(late).unwrap_err(), AckError::TimedOut);
    client.send("431[]");
    client.send(r#"430["in time"]"#);
    assert_eq!(wait(never).unwrap().parse::<String>().unwrap(), "in time");
    assert_eq!(client.next_text(), r#"420["later"]"#);
}

#[test]
fn who_is_disconnected_does_not_answer() {
    let running = Setup::default().start();
    let (mut client, id) = running.connected();
    let socket = socket(&running, &id);
    let waits = socket.emit_with_ack("question", ()).unwrap();
    assert_eq!(client.next_text(), r#"420["question"]"#);
    socket.disconnect(Disconnect::Namespace);
    assert_eq!(wait(waits).unwrap_err(), AckError::Disconnected);
    assert_eq!(client.next_text(), "41");
    assert!(socket.emit_with_ack("question", ()).is_err());
}

#[test]
fn so_many_answers_are_awaited_and_no_more() {
    let running = Setup::new(|settings| settings.acks_max = 1).start();
    let (notes, told) = Notes::new();
    running.io.root().on(
        "go",
        Arc::new(move |event: Event| {
            let notes = notes.clone();
            Outcome::pending(async move {
                let one = event.socket.emit_with_ack("one", ())?;
                let two = event.socket.emit_with_ack("two", ())?;
                notes.say(two.await.unwrap_err().to_string());
                notes.say(one.await?.parse::<String>()?);
                Ok(())
            })
        }),
    );
    let (mut client, _) = running.connected();
    client.send(r#"42["go"]"#);
    assert_eq!(client.next_text(), r#"420["one"]"#);
    client.send(r#"430["fine"]"#);
    assert_eq!(told.next(), AckError::TooMany.to_string());
    assert_eq!(told.next(), "fine");
}

#[test]
fn an_answer_can_be_given_from_anywhere_and_later() {
    let running = Setup::default().start();
    running.io.root().on(
        "later",
        Arc::new(|event: Event| {
            std::thread::spawn(move || event.ack.unwrap().send("from a thread").unwrap());
            done()
        }),
    );
    let (mut client, _) = running.connected();
    client.send(r#"420["later"]"#);
    assert_eq!(client.next_text(), r#"430["from a thread"]"#);
}
