//! How much memory the process uses, and how much there is for it.

use std::path::{Path, PathBuf};
use std::sync::Weak;
use std::time::{Duration, Instant};

use antiphon_node::Node;

/// How often it is looked at. What comes in meanwhile is beyond the ceiling, so the ceiling leaves room for it.
const INTERVAL: Duration = Duration::from_millis(100);

/// How soon the allocator is asked again for what is free, while there is no memory for more.
const GIVING_BACK_EVERY: Duration = Duration::from_secs(1);

/// It is not asked for more than a part of the time: threads wait for it.
const GIVING_BACK_SHARE: u32 = 20;

/// How much of what there is may be used, in percent. The rest is for what comes between two looks, the cache of the file system, and others.
const SHARE_PERCENT: u64 = 80;

/// The ceiling that is set, or a share of what there is; none if it is turned off, or nobody knows how much there is.
pub(crate) fn ceiling(set: Option<u64>) -> Option<u64> {
    match set {
        Some(0) => None,
        Some(bytes) => Some(bytes),
        None => Limits::of_this_process().least().map(|bytes| bytes / 100 * SHARE_PERCENT),
    }
}

/// Has the node know how much memory is in use, for as long as it is there. Where that cannot be read, there is no ceiling.
pub(super) fn watch(node: Weak<Node>) {
    // Its own thread: giving memory back can take a while, and whoever signals the server is not to wait.
    let watch = move || {
        let mut due = Instant::now();
        while let (Some(node), Some(used)) = (node.upgrade(), used()) {
            let ceiling = node.overload().ceiling().unwrap_or(u64::MAX);
            let near = used >= ceiling || node.overload().is_over();
            match near && Instant::now() >= due {
                false => _ = node.note_memory(used),
                // Much of it may be free, and kept by the allocator.
                true => {
                    let begun = Instant::now();
                    antiphon_net::allocator::give_back();
                    due = Instant::now() + (begun.elapsed() * GIVING_BACK_SHARE).max(GIVING_BACK_EVERY);
                    node.note_memory(self::used().unwrap_or(used));
                }
            }
            drop(node);
            std::thread::sleep(INTERVAL);
        }
    };
    if let Err(error) = std::thread::Builder::new().name("memory".into()).spawn(watch) {
        tracing::warn!(%error, "limits.memory_bytes_max is not watched");
    }
}

/// How many bytes the process uses.
fn used() -> Option<u64> {
    let pages = own_pages(&std::fs::read_to_string("/proc/self/statm").ok()?)?;
    Some(pages * page_bytes()?)
}

/// The pages of the process that no file backs.
fn own_pages(statm: &str) -> Option<u64> {
    let mut fields = statm.split_ascii_whitespace().skip(1).map(|field| field.parse::<u64>().ok());
    let (resident, shared) = (fields.next()??, fields.next()??);
    Some(resident.saturating_sub(shared))
}

fn page_bytes() -> Option<u64> {
    u64::try_from(rustix::param::page_size()).ok()
}

/// Where it is written how much memory a process may have.
struct Limits {
    /// What the machine has, in `/proc/meminfo`.
    meminfo: PathBuf,
    /// The control groups of the process, in `/proc/self/cgroup`.
    groups: PathBuf,
    /// Where those are mounted.
    mounted: PathBuf,
}

impl Limits {
    fn of_this_process() -> Limits {
        Limits {
            meminfo: "/proc/meminfo".into(),
            groups: "/proc/self/cgroup".into(),
            mounted: "/sys/fs/cgroup".into(),
        }
    }

    /// The least of what the machine has and its control groups allow.
    fn least(&self) -> Option<u64> {
        let groups = std::fs::read_to_string(&self.groups).unwrap_or_default();
        let limits = groups.lines().flat_map(|group| self.of_group(group));
        limits.chain(self.of_machine()).min()
    }

    fn of_machine(&self) -> Option<u64> {
        let text = std::fs::read_to_string(&self.meminfo).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        kibibytes.checked_mul(1024)
    }

    /// The limits of a group and of those that it is in: `0::/a/b`, or `4:memory:/a/b` of version 1.
    fn of_group(&self, group: &str) -> Vec<u64> {
        let mut fields = group.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { return Vec::new() };
        let (root, file) = match controllers {
            "" => (self.mounted.clone(), "memory.max"),
            controllers if controllers.split(',').any(|one| one == "memory") => {
                (self.mounted.join("memory"), "memory.limit_in_bytes")
            }
            _ => return Vec::new(),
        };
        let read = |group: &Path| -> Option<u64> {
            let below = group.strip_prefix("/").ok()?;
            // Without a limit version 2 says `max`, and version 1 a number beyond any memory.
            std::fs::read_to_string(root.join(below).join(file)).ok()?.trim().parse().ok()
        };
        // In a container the path may be that of the machine, of which only the root is seen.
        Path::new(path).ancestors().filter_map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_of_files_do_not_count() {
        assert_eq!(own_pages("9000 5000 1200 300 0 4000 0\n"), Some(3800));
        assert_eq!(own_pages(""), None);
        assert_eq!(own_pages("1 x 3"), None);
        assert!(page_bytes().is_some_and(|bytes| bytes >= 4096));
    }

    #[test]
    fn the_tightest_limit_counts() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let write = |name: &str, text: &str| {
            std::fs::create_dir_all(path(name).parent().unwrap()).unwrap();
            std::fs::write(path(name), text).unwrap();
        };
        let limits = Limits { meminfo: path("meminfo"), groups: path("groups"), mounted: path("mounted") };
        assert_eq!(limits.least(), None);
        write("meminfo", "MemTotal:       1000 kB\nMemFree: 1 kB\n");
        assert_eq!(limits.least(), Some(1_024_000));
        write("groups", "0::/slice/unit\n");
        write("mounted/slice/unit/memory.max", "max\n");
        assert_eq!(limits.least(), Some(1_024_000));
        write("mounted/slice/memory.max", "500000\n");
        assert_eq!(limits.least(), Some(500_000));
        write("groups", "5:cpu:/x\n4:memory,other:/one\n0::/\n");
        write("mounted/memory/one/memory.limit_in_bytes", "400000\n");
        assert_eq!(limits.least(), Some(400_000));
    }

    #[test]
    fn the_setting_goes_before_what_there_is() {
        assert_eq!(ceiling(Some(0)), None);
        assert_eq!(ceiling(Some(7)), Some(7));
        assert!(ceiling(None).is_some_and(|bytes| bytes > 0));
    }
}
