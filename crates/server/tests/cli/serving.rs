//! A server that starts, answers and stops.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use rustix::process::Signal;
use ureq::Agent;

use crate::process::{Running, Server, run};

fn agent() -> Agent {
    Agent::config_builder().http_status_as_error(false).build().into()
}

fn get(server: &Server, path: &str) -> (u16, String, String) {
    let mut response = agent().get(format!("{}{path}", server.url)).call().unwrap();
    let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    (response.status().as_u16(), content_type, response.body_mut().read_to_string().unwrap())
}

#[test]
fn the_banner_says_what_to_try() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let mut server = Server::start(&data_dir, &[]);
    let url = server.url.clone();
    assert!(url.starts_with("http://127.0.0.1:") && !url.ends_with(":0"), "{url}");
    assert_eq!(server.process.line(), "");
    assert_eq!(server.process.line(), format!("  chat     {url}/"));
    assert!(server.process.line().starts_with("  listen   curl -N "));
    assert!(server.process.line().starts_with("  publish  curl "));
    assert_eq!(server.process.line(), format!("  data     {}", data_dir.display()));
    assert!(data_dir.join("antiphon.db").exists());
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn pages_health_and_metrics_are_served() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &["--memory"]);
    for path in ["/", "/chat"] {
        let (status, content_type, page) = get(&server, path);
        assert_eq!((status, content_type.as_str()), (200, "text/html; charset=utf-8"), "{path}");
        assert!(page.contains("chat/chat.js"));
    }
    for (path, content_type) in [
        ("/chat/chat.js", "text/javascript; charset=utf-8"),
        ("/chat/chat.css", "text/css; charset=utf-8"),
        ("/chat/icon.svg", "image/svg+xml"),
        ("/health/live", "text/plain; charset=utf-8"),
        ("/health/ready", "text/plain; charset=utf-8"),
        ("/metrics", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ] {
        let (status, found, _) = get(&server, path);
        assert_eq!((status, found.as_str()), (200, content_type), "{path}");
    }
    assert!(get(&server, "/metrics").2.contains("antiphon_connections"));
    assert_eq!(get(&server, "/chat/README.md").0, 404);
    assert!(
        std::fs::read_dir(directory.path()).unwrap().next().is_none(),
        "with --memory nothing is written"
    );
}

#[test]
fn a_web_page_under_a_foreign_name_is_not_answered() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &["--memory"]);
    let status = |path: &str| {
        let request = agent().get(format!("{}{path}", server.url)).header("host", "evil.example");
        request.call().unwrap().status().as_u16()
    };
    assert_eq!((status("/v1/channels/room"), status("/health/live")), (403, 200));
}

#[test]
fn metrics_can_be_turned_off() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("antiphon.toml");
    std::fs::write(&config, "metrics = false").unwrap();
    let server = Server::start(directory.path(), &["--memory", "--config", config.to_str().unwrap()]);
    assert_eq!(get(&server, "/metrics").0, 404);
}

#[test]
fn told_to_stop_it_says_goodbye_and_ends_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let directory = tempfile::tempdir().unwrap();
        let mut server = Server::start(directory.path(), &[]);
        let request =
            agent().get(format!("{}/v1/channels/room", server.url)).header("accept", "application/x-ndjson");
        let mut lines = BufReader::new(request.call().unwrap().into_body().into_reader()).lines();
        assert!(lines.next().unwrap().unwrap().contains(r#""type":"open""#));
        server.process.signal(signal);
        let goodbye = lines.next().unwrap().unwrap();
        assert!(
            goodbye.contains(r#""type":"close""#) && goodbye.contains("the server restarts"),
            "{goodbye}"
        );
        assert!(lines.next().is_none());
        assert_eq!(server.process.wait().code(), Some(0));
    }
}

#[test]
fn told_a_second_time_it_stops_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("antiphon.toml");
    std::fs::write(&config, "[timeouts]\ndrain = \"1h\"\nclose = \"1h\"").unwrap();
    let mut server = Server::start(directory.path(), &["--memory", "--config", config.to_str().unwrap()]);
    let mut silent = TcpStream::connect(server.address()).unwrap();
    let upgrade = "GET /v1/channels/room HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    silent.write_all(upgrade.as_bytes()).unwrap();
    let mut reader = BufReader::new(silent);
    let head: Vec<_> =
        reader.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
    assert_eq!(head[0], "HTTP/1.1 101 Switching Protocols");
    server.process.signal(Signal::TERM);
    let mut close = [0; 4];
    reader.read_exact(&mut close).unwrap();
    assert_eq!((close[0], u16::from_be_bytes([close[2], close[3]])), (0x88, 1012), "a close frame");
    // It waits for an answer, which it does not get.
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.wait().code(), Some(130));
}

#[test]
fn a_hangup_reads_the_keys_again_and_stops_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (key, config) = (directory.path().join("key"), directory.path().join("antiphon.toml"));
    std::fs::write(&key, "first-key").unwrap();
    let org = format!(
        "[[org]]\nname = \"a\"\n[[org.key]]\nkey_file = {:?}\nallow = [\"publish\"]",
        key.to_str().unwrap()
    );
    std::fs::write(&config, org).unwrap();
    let server = Server::start(directory.path(), &["--memory", "--config", config.to_str().unwrap()]);
    server.run(&["publish", "room", "1", "--token", "first-key"]).printed();
    std::fs::write(&key, "second-key").unwrap();
    server.process.signal(Signal::HUP);
    // The old key is refused from some moment on; until then every publish with it succeeds.
    while server.run(&["publish", "room", "1", "--token", "first-key"]).code == Some(0) {}
    server.run(&["publish", "room", "1", "--token", "second-key"]).printed();
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn what_is_taken_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]);
    let data_dir = directory.path().to_str().unwrap();
    let complaint = run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data_dir]).failed(1);
    assert_eq!(
        complaint.trim(),
        format!(
            "antiphon: {data_dir} is in use by another server: stop it, or choose another with --data-dir"
        )
    );
    let complaint = run(&["serve", "--listen", server.address(), "--memory"]).failed(1);
    assert_eq!(
        complaint.trim(),
        format!(
            "antiphon: {} is taken by another program: stop it, or choose another with --listen",
            server.address()
        )
    );
    let complaint = run(&["serve", "--listen", "192.0.2.1:0", "--memory", "--allow-demo"]).failed(1);
    assert!(complaint.contains("192.0.2.1:0 is not an address of this machine"), "{complaint}");
}

#[test]
fn a_data_directory_that_cannot_be_used_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("data");
    let complaint =
        run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", below.to_str().unwrap()]).failed(1);
    assert!(complaint.starts_with(&format!("antiphon: {}: ", below.display())), "{complaint}");
    std::fs::write(
        directory.path().join("antiphon.db"),
        "something else that is long enough to be no database",
    )
    .unwrap();
    let complaint =
        run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", directory.path().to_str().unwrap()])
            .failed(1);
    assert!(complaint.contains("damaged or not one of Antiphon's"), "{complaint}");
}

#[test]
fn outside_of_this_machine_it_needs_an_org_or_the_word() {
    let complaint = run(&["serve", "--listen", "0.0.0.0:0", "--memory"]).failed(1);
    assert!(complaint.contains("[[org]]") && complaint.contains("--allow-demo"), "{complaint}");
}

#[test]
fn without_a_command_it_serves() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("antiphon.toml");
    std::fs::write(&config, "listen = [\"127.0.0.1:0\", \"[::1]:0\"]\nstore.kind = \"memory\"").unwrap();
    let mut server = Running::start(&["--config", config.to_str().unwrap()]);
    assert!(server.line().starts_with("listening on http://127.0.0.1:"));
    assert!(server.line().starts_with("listening on http://[::1]:"));
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
}
