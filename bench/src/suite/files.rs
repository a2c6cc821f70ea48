//! How many files may be open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// As many files as the largest load takes on either side.
const FILES: u64 = 200_000;

/// From so many connections on, the usual limits of open files may be too low.
pub(super) const MANY_CONNECTIONS: f64 = 15_000.0;

/// Lets this process, and those it starts, open as many files as the largest load takes, or as many as it may; says how many.
pub(super) fn raise_limit() -> u64 {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(FILES, |maximum| maximum.max(FILES));
    // Only the administrator may raise the maximum.
    for limit in [Some(wanted), maximum] {
        if setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit }).is_ok() {
            break;
        }
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
