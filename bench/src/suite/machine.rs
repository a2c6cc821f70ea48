//! What was measured on.

use std::fs;
use std::process::Command;

/// The processor, its cores, the memory and the kernel, as far as they can be read.
pub(super) fn describe() -> String {
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

/// The commit that is checked out, and whether files differ from it, as a sentence.
pub(super) fn commit() -> String {
    let git = Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]).output();
    let output = git.ok().filter(|output| output.status.success());
    let commit = output.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    if commit.trim().is_empty() { String::new() } else { format!(" Commit {}.", commit.trim()) }
}

/// Whether the suite, and with it what it starts, goes before everything else that the machine does, as a sentence.
pub(super) fn priority() -> &'static str {
    /// The scheduling policies `SCHED_FIFO` and `SCHED_RR` of Linux.
    const REAL_TIME: [&str; 2] = ["1", "2"];
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The fields after the name, which may contain anything, begin with the third; the policy is the 41st.
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    match after_name.split(' ').nth(41 - 3) {
        Some(policy) if REAL_TIME.contains(&policy) => {
            " All ran at real-time priority, because the machine had other work besides; unless \
             `kernel.sched_rt_runtime_us` is -1, the kernel stops them for a twentieth of each second, which the longest latencies show."
        }
        _ => "",
    }
}
