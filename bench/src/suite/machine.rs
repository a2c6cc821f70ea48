//! The page that the table stands on: what it was measured on, and how to do it again.

use std::fs;
use std::process::Command;

use super::cases::Section;
use super::table::Table;

/// How the part of the EXP network begins.
pub(super) const EXP_HEADING: &str = "## EXP network\n";

/// How the part of the long polls begins.
pub(super) const PUBNUB_HEADING: &str = "## PubNub-compatible long polls\n";

/// `docs/benchmarks.md`.
pub(super) fn page(table: &Table, rounds: u16, duration: u16, peers: &str) -> String {
    let machine = describe();
    let (commit, exp, pubnub) = (commit(), exp(table, rounds), pubnub(table, rounds, duration));
    let (websocket, socketio) = (table.render(Section::WebSocket), table.render(Section::SocketIo));
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
         {socketio}\n\
         {exp}\n\
         {pubnub}"
    )
}

/// The part of the page about the EXP network, which can be measured by itself.
pub(super) fn exp(table: &Table, rounds: u16) -> String {
    let (machine, commit, exp) = (describe(), commit(), table.render(Section::Exp));
    let priority = priority();
    let of = match rounds {
        1 => "of one round of 100 broadcasts".to_owned(),
        rounds => format!("the median of {rounds} rounds of 100 broadcasts, with the least and the most"),
    };
    format!(
        "{EXP_HEADING}\n\
         ```\n\
         cargo xtask bench --only exp --rounds {rounds}\n\
         ```\n\n\
         {machine}.{commit} A device has a socket (Engine.IO 3 over WebSocket) and a connection of its own for its responses. One \
         broadcasts with `timeout=2000`, and each device posts a response as soon as it has read the broadcast: 100 times, and each \
         time all 1,000 responses are found in the array that is answered. The server has one core and one worker, all devices are on \
         another core.{priority} The times are from the sending of the broadcast, and as the load sees them: until the last of the 1,000 \
         sockets has been *read*, and until the last response has been acknowledged. The server's own share, up to its last write to a socket, \
         is less than the first of them. Each figure is {of}.\n\n\
         {exp}"
    )
}

/// The part of the page about the PubNub-compatible API, which can be measured by itself.
pub(super) fn pubnub(table: &Table, rounds: u16, duration: u16) -> String {
    let (machine, commit, pubnub) = (describe(), commit(), table.render(Section::PubNub));
    let priority = priority();
    let of = match rounds {
        1 => format!("of one round of {duration} s"),
        rounds => format!("the median of {rounds} rounds of {duration} s, with the least and the most"),
    };
    format!(
        "{PUBNUB_HEADING}\n\
         ```\n\
         cargo xtask bench --only pubnub --rounds {rounds} --duration {duration}\n\
         ```\n\n\
         {machine}.{commit} 5,000 subscribers of one channel, each with a uuid and a connection of its own, poll as the SDKs do: with the \
         timetoken of the last answer, and at once when there is one. 20 more connections publish one message of 128 bytes a second each, \
         by GET. Every subscriber is checked to get every message once, and all of them in the same order. A server that has many polls \
         to answer lets each wait a little (`pubnub.answer_hold_max`, by default up to 400 ms), so that an answer has several messages: most of the \
         time until a subscriber has a message is that wait. \
         CPU time is that of the server for each message that a subscriber got, the poll and its answer included. The server has \
         one core and one worker, the load another core.{priority} The times are from when each message was due, as the load sees \
         them. Each figure is {of}.\n\n\
         {pubnub}"
    )
}

/// The page with a part that begins with this heading put in the place of the one that it has, or at its end.
pub(super) fn with_part(page: &str, heading: &str, part: &str) -> String {
    let (before, rest) = match page.find(heading) {
        Some(at) => (&page[..at], &page[at + heading.len()..]),
        None => (page, ""),
    };
    let after = rest.find("\n## ").map_or("", |at| &rest[at..]);
    format!("{}\n\n{}{}", before.trim_end(), part, after)
}

/// Whether the suite, and with it what it starts, goes before everything else that the machine does.
fn priority() -> &'static str {
    /// The scheduling policies `SCHED_FIFO` and `SCHED_RR` of Linux.
    const REAL_TIME: [&str; 2] = ["1", "2"];
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The fields after the name, which may contain anything, begin with the third; the policy is the 41st.
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    match after_name.split(' ').nth(41 - 3) {
        Some(policy) if REAL_TIME.contains(&policy) => {
            " Both ran at real-time priority, because the machine had other work besides."
        }
        _ => "",
    }
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
fn commit() -> String {
    let git = Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]).output();
    let output = git.ok().filter(|output| output.status.success());
    let commit = output.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    if commit.trim().is_empty() { String::new() } else { format!(" Commit {}.", commit.trim()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_of_the_page_is_replaced_and_the_others_stay() {
        let new = "## EXP network\n\nnew\n";
        for (page, expected) in [
            ("# B\n\ntable\n", "# B\n\ntable\n\n## EXP network\n\nnew\n"),
            ("# B\n\n## EXP network\n\nold\n", "# B\n\n## EXP network\n\nnew\n"),
            ("# B\n\n## EXP network\nold\n\n## More\nx\n", "# B\n\n## EXP network\n\nnew\n\n## More\nx\n"),
        ] {
            assert_eq!(with_part(page, EXP_HEADING, new), expected);
        }
    }
}
