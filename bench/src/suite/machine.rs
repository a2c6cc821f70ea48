//! The page that the table stands on: what it was measured on, and how to do it again.

use std::fs;
use std::process::Command;

use antiphon_bench::Protocol;

use super::table::Table;

/// `docs/benchmarks.md`.
pub(super) fn page(table: &Table, rounds: u16, duration: u16, peers: &str) -> String {
    let machine = describe();
    let commit = commit().map_or_else(String::new, |commit| format!(" Commit {commit}."));
    let (websocket, socketio) = (table.render(Protocol::WebSocket), table.render(Protocol::SocketIo));
    format!(
        "# Benchmarks\n\n\
         Written by the suite; what it says holds for one machine, and the ratios carry further than the figures.\n\n\
         ```\n\
         cargo xtask bench --rounds {rounds} --duration {duration}\n\
         ```\n\n\
         {machine}.{commit} Loopback TCP with TCP_NODELAY, 128-byte messages. The server has one core and \
         one worker, the load another core; only with SQLite both have both. Each figure is the median of {rounds} rounds \
         of {duration} s, with the least and the most. In every round each server is started afresh and they take \
         turns. Every delivery is checked to be the next one of its subscriber.\n\n\
         The **reference** is the least that serves the same load: one thread on epoll without channels, limits or \
         sessions. It copies up to 64 messages that arrived together and writes them once to each socket.\n\n\
         ## Raw WebSocket\n\n\
         {websocket}\n\
         ## Socket.IO\n\n\
         Socket.IO 5 on Engine.IO 4 over WebSocket, without compression; the message is an event's one argument, a text. \
         *antiphon* is a program with the library whose handlers emit to a room and acknowledge, as a user's would: \
         `bench/examples/socketio_loads.rs`. The reference tells the three events of the loads apart by their first bytes \
         and looks no further. The peers are {peers}, with the same handlers and, but for TCP_NODELAY and a long backlog, as they come: \
         `bench/peers/`. A peer has *failed* where it loses, doubles or reorders a message.\n\n\
         {socketio}"
    )
}

/// The processor, its cores, the memory and the kernel, as far as they can be read.
fn describe() -> String {
    let value = |path: &str, key: &str| {
        let text = fs::read_to_string(path).ok()?;
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = value("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cores =
        value("/proc/cpuinfo", "siblings").and_then(|siblings| siblings.parse().ok()).unwrap_or(cores);
    let memory = value("/proc/meminfo", "MemTotal")
        .and_then(|total| total.split_whitespace().next()?.parse::<u64>().ok())
        .map_or_else(String::new, |kilobytes| format!(", {} GiB of memory", kilobytes >> 20));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel: String = kernel.trim().chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    format!("{model}, {cores} cores{memory}, Linux {}", kernel.trim_end_matches('.'))
}

/// The commit that is checked out, and whether files differ from it.
fn commit() -> Option<String> {
    let output =
        Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]).output().ok()?;
    let commit = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !commit.is_empty()).then_some(commit)
}
