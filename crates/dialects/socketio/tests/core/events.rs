use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use antiphon_socketio::{Binary, Event, HandlerError, Outcome};
use tokio::sync::Semaphore;

use crate::{Notes, Setup, done, echo, until};

#[test]
fn events_are_answered() {
    let running = Setup::default().start();
    running.io.root().on("echo", Arc::new(echo));
    let (mut client, _) = running.connected();
    client.send(r#"420["echo",1,"two",{"three":[null]}]"#);
    assert_eq!(client.next_text(), r#"430[1,"two",{"three":[null]}]"#);
    client.send(r#"4217["echo"]"#);
    assert_eq!(client.next_text(), "4317[]");
    client.send(r#"42["echo","nobody asks"]"#);
    client.send(r#"421["unknown"]"#);
    client.send(r#"422["echo","last"]"#);
    assert_eq!(client.next_text(), r#"432["last"]"#);
}

#[test]
fn attachments_come_back_together() {
    let running = Setup::default().start();
    running.io.root().on("echo", Arc::new(echo));
    let (mut client, _) = running.connected();
    client.send(r#"452-3["echo",{"_placeholder":true,"num":1},"x",{"a":{"_placeholder":true,"num":0}}]"#);
    client.send_binary(b"\x00first");
    client.send_binary(b"second");
    assert_eq!(
        client.next_text(),
        r#"462-3[{"_placeholder":true,"num":1},"x",{"a":{"_placeholder":true,"num":0}}]"#
    );
    assert_eq!(client.next_binary(), b"\x00first");
    assert_eq!(client.next_binary(), b"second");
}

#[test]
fn nothing_comes_between_a_packet_and_its_attachments() {
    let running = Setup::default().start();
    running.io.root().on("echo", Arc::new(echo));
    running.io.root().on(
        "more",
        Arc::new(|event: Event| {
            event.socket.emit("bytes", Binary::from(b"more".to_vec())).unwrap();
            done()
        }),
    );
    let (mut client, _) = running.connected();
    let (io, ends) = (running.io.clone(), Arc::new(AtomicBool::new(false)));
    let ended = Arc::clone(&ends);
    let noise = std::thread::spawn(move || {
        while !ended.load(Ordering::Relaxed) {
            io.root().emit("noise", 1).unwrap();
            std::thread::yield_now();
        }
    });
    for number in 0..200 {
        client.send(&format!(r#"451-{number}["echo",{{"_placeholder":true,"num":0}}]"#));
        client.send_binary(b"echo");
        client.send(r#"42["more"]"#);
    }
    let mut packets = 0;
    while packets < 400 {
        let text = client.next_text();
        if text != r#"42["noise",1]"# {
            packets += 1;
            assert_eq!(client.next_binary(), if text.starts_with("46") { &b"echo"[..] } else { b"more" });
        }
    }
    ends.store(true, Ordering::Relaxed);
    noise.join().unwrap();
}

#[test]
fn handlers_run_one_after_the_other_however_long_they_take() {
    let running = Setup::default().start();
    let gate = Arc::new(Semaphore::new(0));
    let root = running.io.root();
    let (notes, told) = Notes::new();
    let held = Arc::clone(&gate);
    let said = notes.clone();
    root.on(
        "slow",
        Arc::new(move |event: Event| {
            let (held, said) = (Arc::clone(&held), said.clone());
            Outcome::pending(async move {
                said.say("slow begins");
                held.acquire().await.unwrap().forget();
                said.say(format!("slow {}", event.arguments.parse::<u32>().unwrap()));
                event.ack.unwrap().send(()).unwrap();
                Ok(())
            })
        }),
    );
    root.on(
        "fast",
        Arc::new(move |event: Event| {
            notes.say(format!("fast {}", event.arguments.parse::<u32>().unwrap()));
            done()
        }),
    );
    let (mut client, _) = running.connected();
    client.send(r#"420["slow",1]"#);
    client.send(r#"42["fast",2]"#);
    client.send(r#"421["slow",3]"#);
    client.send(r#"42["fast",4]"#);
    assert_eq!(told.next(), "slow begins");
    // Another client is not held up.
    let (mut other, _) = running.connected();
    other.send(r#"42["fast",0]"#);
    assert_eq!(told.next(), "fast 0");
    gate.add_permits(1);
    assert_eq!([told.next(), told.next(), told.next()], ["slow 1", "fast 2", "slow begins"]);
    assert_eq!(client.next_text(), "430[]");
    gate.add_permits(1);
    assert_eq!([told.next(), told.next()], ["slow 3", "fast 4"]);
    assert_eq!(client.next_text(), "431[]");
}

#[test]
fn events_wait_until_the_connection_is_handled() {
    let running = Setup::default().start();
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    running.io.root().on_connection(Arc::new(move |socket| {
        let held = Arc::clone(&held);
        Outcome::pending(async move {
            held.acquire().await.unwrap().forget();
            socket.on("echo", Arc::new(echo));
            Ok(())
        })
    }));
    let (mut client, _) = running.connected();
    client.send(r#"420["echo","early"]"#);
    gate.add_permits(1);
    assert_eq!(client.next_text(), r#"430["early"]"#);
}

#[test]
fn so_many_events_wait_and_no_more() {
    let running = Setup::new(|settings| settings.handler_queue_max = 2).start();
    let root = running.io.root();
    root.on("stuck", Arc::new(|_| Outcome::pending(std::future::pending())));
    let (mut client, _) = running.connected();
    for _ in 0..3 {
        client.send(r#"42["stuck"]"#);
    }
    client.send(r#"42["stuck"]"#);
    client.expect_end();
    until("it is gone", || root.socket_count() == 0);
    let running = Setup::new(|settings| settings.handler_queue_bytes_max = 100).start();
    running.io.root().on("stuck", Arc::new(|_| Outcome::pending(std::future::pending())));
    let (mut client, _) = running.connected();
    for _ in 0..3 {
        client.send(&format!(r#"42["stuck","{}"]"#, "x".repeat(90)));
    }
    client.expect_end();
}

#[test]
fn middlewares_see_each_packet_and_may_keep_it() {
    let running = Setup::default().start();
    let root = running.io.root();
    let (notes, told) = Notes::new();
    root.on("echo", Arc::new(echo));
    let seen = notes.clone();
    root.on_any(Arc::new(move |event| seen.say(format!("any {}", event.name))));
    root.use_packet(Arc::new(|event| {
        let refused = event.arguments.parse::<Option<bool>>().is_ok_and(|secret| secret == Some(true));
        Outcome::pending(async move {
            tokio::task::yield_now().await;
            if refused { Err(HandlerError::new("it is secret")) } else { Ok(()) }
        })
    }));
    root.on_error(Arc::new(move |_, error| notes.say(format!("error {error}"))));
    let (mut client, _) = running.connected();
    client.send(r#"420["echo",true]"#);
    client.send(r#"421["echo",false]"#);
    assert_eq!(client.next_text(), "431[false]");
    assert_eq!([told.next(), told.next(), told.next()], ["any echo", "error it is secret", "any echo"]);
}

#[test]
fn several_handlers_of_an_event_are_called_in_order_and_the_first_answer_counts() {
    let running = Setup::default().start();
    let root = running.io.root();
    let (notes, told) = Notes::new();
    for number in [1, 2] {
        let notes = notes.clone();
        root.on(
            "which",
            Arc::new(move |event: Event| {
                notes.say(number.to_string());
                event.ack.unwrap().send(number).unwrap();
                done()
            }),
        );
    }
    root.on_connection(Arc::new(move |socket| {
        let notes = notes.clone();
        socket.once(
            "which",
            Arc::new(move |_| {
                notes.say("once");
                done()
            }),
        );
        done()
    }));
    let (mut client, _) = running.connected();
    client.send(r#"420["which"]"#);
    client.send(r#"421["which"]"#);
    assert_eq!([client.next_text(), client.next_text()], ["430[1]", "431[1]"]);
    assert_eq!([told.next(), told.next(), told.next()], ["1", "2", "once"]);
    assert_eq!([told.next(), told.next()], ["1", "2"]);
    told.nothing_more();
}

#[test]
fn what_has_no_handler_goes_to_the_fallback() {
    let running = Setup::default().start();
    let root = running.io.root();
    root.on("echo", Arc::new(echo));
    root.on_fallback(Arc::new(|event: Event| {
        let name = event.name.to_string();
        event.ack.unwrap().send(("no such event", name)).unwrap();
        done()
    }));
    let (mut client, _) = running.connected();
    client.send(r#"420["other"]"#);
    client.send(r#"421["echo",1]"#);
    assert_eq!([client.next_text(), client.next_text()], [r#"430["no such event","other"]"#, "431[1]"]);
    root.off("echo");
    client.send(r#"422["echo",1]"#);
    assert_eq!(client.next_text(), r#"432["no such event","echo"]"#);
}

#[test]
fn failures_and_panics_are_told_and_harm_nobody() {
    let running = Setup::default().start();
    let root = running.io.root();
    let (notes, told) = Notes::new();
    root.on_error(Arc::new(move |_, error| notes.say(error.to_string())));
    root.on("fail", Arc::new(|_| Outcome::Ready(Err(HandlerError::new("on purpose")))));
    root.on("panic", Arc::new(|_| panic!("a handler that does")));
    root.on(
        "panic later",
        Arc::new(|_| {
            Outcome::pending(async {
                tokio::task::yield_now().await;
                panic!("a future that does")
            })
        }),
    );
    root.on("echo", Arc::new(echo));
    let (mut client, _) = running.connected();
    for name in ["fail", "panic", "panic later"] {
        client.send(&format!(r#"42["{name}"]"#));
    }
    client.send(r#"420["echo","still here"]"#);
    assert_eq!(client.next_text(), r#"430["still here"]"#);
    assert_eq!(
        [told.next(), told.next(), told.next()],
        ["on purpose", "a handler panicked", "a handler panicked"]
    );
}

#[test]
fn sockets_that_go_are_let_go_of() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let running = Setup::default().start();
    let dropped = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&dropped);
    running.io.root().on_connection(Arc::new(move |socket| {
        socket.extensions().insert(Counted(Arc::clone(&counter)));
        // A handler that holds its own socket, as they do.
        let held = socket.clone();
        socket.on(
            "id",
            Arc::new(move |event: Event| {
                event.ack.unwrap().send(held.id().to_string()).unwrap();
                done()
            }),
        );
        done()
    }));
    let (mut client, id) = running.connected();
    client.send(r#"420["id"]"#);
    assert_eq!(client.next_text(), format!(r#"430["{id}"]"#));
    client.vanish();
    until("nobody holds it", || dropped.load(Ordering::SeqCst) == 1);
    assert!(running.io.root().socket(&id).is_none());
}
