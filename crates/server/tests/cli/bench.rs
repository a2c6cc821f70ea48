//! `antiphon bench` with a server: each scenario over each protocol, small.

use serde_json::Value;

use crate::process::{Ran, Server, run};

/// Ends by number, not by time.
const SPAN: [&str; 6] = ["--warm-up", "0", "--duration", "600", "--messages", "40"];

fn bench(server: &Server, arguments: &[&str]) -> Value {
    let ran = server.run(&[&["bench", "--json"], arguments].concat());
    serde_json::from_str(&ran.printed()).unwrap()
}

fn count(report: &Value) -> u64 {
    report["count"].as_u64().unwrap()
}

#[test]
fn messages_reach_all_over_every_protocol() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]);
    for protocol in ["websocket", "v1", "socketio", "sse"] {
        for size in ["16", "1000", "100000"] {
            let load = ["fanout", "--protocol", protocol, "--size", size, "-s", "20", "--in-flight", "4"];
            let report = bench(&server, &[&load[..], &SPAN].concat());
            assert!(count(&report) >= 20 * 40, "{protocol} {size}: {report}");
        }
        let load = ["fanout", "--protocol", protocol, "-s", "5", "--rate", "2000"];
        let report = bench(&server, &[&load[..], &SPAN].concat());
        assert!(count(&report) >= 5 * 40 && report["latency"]["p999_us"].as_f64() > Some(0.0), "{report}");
    }
}

#[test]
fn echoes_come_back_over_every_protocol_that_has_them() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]);
    for protocol in ["websocket", "v1", "socketio"] {
        for pace in [["--in-flight", "3"], ["--rate", "2000"]] {
            let load = ["echo", "--protocol", protocol, "-c", "8"];
            let report = bench(&server, &[&load[..], &pace, &SPAN].concat());
            assert!(count(&report) >= 40, "{protocol} {pace:?}: {report}");
        }
    }
    let refused = server.run(&["bench", "echo", "--protocol", "sse"]).failed(1);
    assert!(refused.contains("no echo"), "{refused}");
}

#[test]
fn idle_connections_are_opened_and_found_alive() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]);
    for protocol in ["websocket", "v1", "socketio", "sse"] {
        let report = bench(&server, &["idle", "--protocol", protocol, "-c", "300"]);
        assert_eq!(count(&report), 300, "{protocol}");
    }
}

#[test]
fn clients_that_come_back_get_what_they_missed() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]);
    for protocol in ["websocket", "v1", "socketio", "sse"] {
        let load = ["storm", "--protocol", protocol, "-c", "50", "--missed", "30"];
        let report = bench(&server, &[&load[..], &["--stayers", "5", "--calm", "0.05"]].concat());
        assert_eq!(count(&report), 50 * 30, "{protocol}: {report}");
        assert_eq!(report["storm"]["clients"], 50);
        let [connected, caught_up] = ["connected_seconds", "caught_up_seconds"]
            .map(|member| report["storm"][member].as_f64().unwrap());
        assert!(0.0 < connected && connected <= caught_up, "{report}");
        assert!(report["latency"]["max_us"].as_f64() > Some(0.0), "{report}");
    }
    let refused = server.run(&["bench", "storm", "--protocol", "nats"]).failed(1);
    assert!(refused.contains("cannot ask for what it missed"), "{refused}");
}

#[test]
fn long_polls_bring_everything_in_both_protocols() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]);
    for protocol in ["v1", "pubnub"] {
        let load = ["long-poll", "--protocol", protocol, "-s", "10", "--publishers", "2", "--rate", "200"];
        let report = bench(&server, &[&load[..], &SPAN].concat());
        assert!(count(&report) >= 10 * 40, "{protocol}: {report}");
        assert!(report["answers"].as_u64() > Some(0), "{report}");
    }
}

#[test]
fn several_runs_are_told_as_their_medians() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]);
    let report = bench(&server, &[&["publish", "--publishers", "4", "--runs", "3"][..], &SPAN].concat());
    let mut counts: Vec<u64> = report["runs"].as_array().unwrap().iter().map(count).collect();
    counts.sort_unstable();
    assert_eq!((counts.len(), counts[1]), (3, count(&report)));
    let arguments = [&["bench", "echo", "-c", "2", "--runs", "2"][..], &SPAN].concat();
    let table = server.run(&arguments).printed();
    assert!(table.contains("medians of 2 runs") && table.contains(" to "), "{table}");
}

#[test]
fn an_error_says_what_to_do() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]);
    let unreachable = format!("http://{gone}");
    let elsewhere = format!("{}/nothing", server.url);
    for (arguments, says) in [
        (["echo", "--url", &unreachable], "--url"),
        (["echo", "--url", "https://127.0.0.1"], "must begin with http://"),
        (["echo", "--url", "http://no.such.host.invalid"], "no.such.host.invalid"),
        (["fanout", "--url", &elsewhere], "--path"),
    ] {
        let complaint = Ran::failed(run(&[&["bench"], &arguments[..]].concat()), 1);
        assert!(complaint.contains(says), "{arguments:?}: {complaint}");
    }
}
