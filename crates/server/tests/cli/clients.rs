//! The commands that are a client, with a server.

use std::io::{BufRead, BufReader};

use crate::process::{Running, Server, run_with_input};

#[test]
fn what_is_published_is_in_the_history() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]);
    let first = server.run(&["publish", "Raum/ü", r#"{"n":1}"#, "--identity", "alice"]).printed();
    assert!(first.trim().parse::<u64>().is_ok(), "{first}");
    server.run(&["publish", "Raum/ü", "hello", "--name", "greeting", "--meta", r#"{"m":1}"#]).printed();
    run_with_input(&["publish", "Raum/ü", "--url", &server.url, "--binary"], b"\xff\x00").printed();
    server.run(&["publish", "Raum/ü", "gone", "--no-store", "--ttl", "1h"]).printed();
    let lines = |arguments: &[&str]| -> Vec<String> {
        let printed = server.run(&[&["history", "Raum/ü"], arguments].concat()).printed();
        printed.lines().map(str::to_owned).collect()
    };
    let all = lines(&["--since", "0"]);
    assert_eq!(all[0], r#"alice message: {"n":1}"#);
    assert!(all[1].ends_with(r#"greeting: "hello""#), "{all:?}");
    assert!(all[2].ends_with(r#"message: "/wA=""#), "{all:?}");
    assert_eq!(lines(&["--since", first.trim(), "--limit", "1", "--raw"]), ["hello"]);
    let json = lines(&["--since", "0", "--json", "--limit", "2"]);
    assert!(json.len() == 2 && json[1].contains(r#""meta":{"m":1}"#), "{json:?}");
}

#[test]
fn a_key_makes_a_retry_harmless() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]);
    let publish =
        || server.run(&["publish", "room", "1", "--idempotency-key", "k", "--identity", "alice"]).printed();
    assert_eq!(publish(), publish());
    assert_eq!(server.run(&["history", "room", "--raw"]).printed(), "1\n");
    let nameless = server.run(&["publish", "room", "2", "--idempotency-key", "k"]).failed(1);
    assert!(nameless.contains("--identity"), "{nameless}");
}

#[test]
fn long_histories_are_read_page_by_page() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("antiphon.toml");
    // So few that each page has one message.
    std::fs::write(&config, "[http]\npoll_bytes_max = 1").unwrap();
    let server = Server::start(directory.path(), &["--config", config.to_str().unwrap()]);
    for number in 1..=5 {
        server.run(&["publish", "room", &number.to_string()]).printed();
    }
    assert_eq!(server.run(&["history", "room", "--since", "0", "--raw"]).printed(), "1\n2\n3\n4\n5\n");
    assert_eq!(
        server.run(&["history", "room", "--since", "0", "--raw", "--limit", "3"]).printed(),
        "1\n2\n3\n"
    );
}

#[test]
fn a_subscriber_goes_on_after_a_restart_without_loss_or_double() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]);
    let address = server.address().to_owned();
    server.run(&["publish", "room", "1"]).printed();
    let url = server.url.clone();
    let mut subscriber =
        Running::start(&["subscribe", "room", "lobby", "--since", "0", "--raw", "--url", &url]);
    assert_eq!(subscriber.line(), "1");
    server.run(&["publish", "lobby", "2"]).printed();
    assert_eq!(subscriber.line(), "2");
    assert_eq!(server.stop().code(), Some(0));
    let server = Server::start_on(&address, directory.path(), &[]);
    server.run(&["publish", "room", "3"]).printed();
    assert_eq!(subscriber.line(), "3");
    server.run(&["publish", "room", "4"]).printed();
    assert_eq!(subscriber.line(), "4");
}

#[test]
fn only_events_of_the_name_are_printed() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]);
    for (name, payload) in [("a", "1"), ("b", "2"), ("a", "3")] {
        server.run(&["publish", "room", payload, "--name", name, "--identity", "bob"]).printed();
    }
    let url = server.url.clone();
    let mut subscriber =
        Running::start(&["subscribe", "room", "--since", "0", "--event", "a", "--url", &url]);
    assert_eq!([subscriber.line(), subscriber.line()], ["bob a: 1", "bob a: 3"]);
}

/// Listens on a channel and answers the first broadcast, as bob.
fn answer_one(server: &Server, channel: &str) -> std::thread::JoinHandle<()> {
    let url = format!("{}/v1/channels/{channel}", server.url);
    let request = ureq::get(format!("{url}?identity=bob")).header("accept", "application/x-ndjson");
    let mut lines = BufReader::new(request.call().unwrap().into_body().into_reader()).lines();
    assert!(lines.next().unwrap().unwrap().contains(r#""type":"open""#));
    std::thread::spawn(move || {
        let question: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!((&question["payload"], &question["expects_replies"]), (&"who?".into(), &true.into()));
        let position = question["position"].as_str().unwrap();
        let reply = ureq::post(format!("{url}/broadcasts/{position}/replies?identity=bob"));
        assert_eq!(reply.content_type("application/json").send(r#"{"me":true}"#).unwrap().status(), 202);
    })
}

#[test]
fn a_broadcast_prints_the_replies() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]);
    for (raw, expected) in [(&[][..], "bob: {\"me\":true}\n"), (&["--raw"], "{\"me\":true}\n")] {
        let bob = answer_one(&server, "room");
        let ask = ["broadcast", "room", "\"who?\"", "--timeout", "30s", "--until", "1"];
        assert_eq!(server.run(&[&ask, raw].concat()).printed(), expected);
        bob.join().unwrap();
    }
    let ran = server.run(&["broadcast", "nobody", "1", "--timeout", "10ms", "--until", "1"]);
    assert_eq!(ran.failed(1), "antiphon: 0 of 1 replies came in 10ms\n");
    assert_eq!(server.run(&["broadcast", "nobody", "1", "--timeout", "10ms"]).printed(), "");
}

#[test]
fn channels_of_one_name_are_told_apart_by_their_flags() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("antiphon.toml");
    let keys = "[[org.key]]\nkey = \"admin-key\"\nallow = [\"admin\"]\n[[org.key]]\nkey = \"member-key\"\n\
                allow = [\"publish\", \"subscribe\", \"history\"]\n";
    std::fs::write(&config, format!("[[org]]\nname = \"acme\"\n{keys}")).unwrap();
    let server = Server::start(directory.path(), &["--config", config.to_str().unwrap()]);
    let admin = |arguments: &[&str]| server.run(&[arguments, &["--token", "admin-key"]].concat());
    for (payload, flags) in
        [("1", &[][..]), ("2", &["--system"]), ("3", &["--consumer"]), ("4", &["--system", "--consumer"])]
    {
        admin(&[&["publish", "updates", payload], flags].concat()).printed();
    }
    let ask = ["broadcast", "updates", "5", "--system", "--timeout", "10ms"];
    assert_eq!(admin(&ask).printed(), "");
    for (flags, expected) in [
        (&[][..], "1\n"),
        (&["--system"], "2\n5\n"),
        (&["--consumer"], "3\n"),
        (&["--system", "--consumer"], "4\n"),
    ] {
        assert_eq!(
            admin(&[&["history", "updates", "--raw"], flags].concat()).printed(),
            expected,
            "{flags:?}"
        );
    }
    let listen = ["subscribe", "updates", "--system", "--since", "0", "--raw", "--token", "member-key"];
    let mut member = Running::start(&[&listen[..], &["--url", &server.url]].concat());
    assert_eq!([member.line(), member.line()], ["2", "5"]);
    for command in ["publish", "broadcast"] {
        let refused = server.run(&[command, "updates", "6", "--system", "--token", "member-key"]).failed(1);
        assert!(refused.contains("only servers publish on system channels"), "{refused}");
    }
}

#[test]
fn a_token_lets_in_where_it_is_for_and_refusals_are_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("antiphon.toml");
    std::fs::write(
        &config,
        "[[org]]\nname = \"acme\"\n[[org.jwt]]\nalgorithm = \"HS256\"\nsecret = \"0123456789-0123456789-0123456789\"\n",
    )
    .unwrap();
    let config = config.to_str().unwrap();
    let server = Server::start(directory.path(), &["--config", config]);
    let token = server_token(config);
    server.run(&["publish", "room.1", "1", "--token", &token]).printed();
    for (arguments, expected) in [
        (&["publish", "room.1", "1"][..], "antiphon: Credential needed: "),
        (
            &["publish", "room.1", "1", "--token", "unknown-key"],
            "antiphon: Credential needed: the API key is not known",
        ),
        (&["publish", "lobby", "1", "--token", &token], "antiphon: Not permitted: "),
        (&["subscribe", "room.1", "--token", &token], "antiphon: Not permitted: "),
    ] {
        let complaint = server.run(arguments).failed(1);
        assert!(
            complaint.starts_with(expected) && complaint.lines().count() == 1,
            "{arguments:?}: {complaint}"
        );
    }
}

fn server_token(config: &str) -> String {
    let arguments =
        ["token", "--config", config, "--identity", "alice", "--allow", "publish", "--channels", "room.*"];
    crate::process::run(&arguments).printed().trim().to_owned()
}
