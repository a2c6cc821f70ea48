use std::path::Path;

use super::Findings;
use crate::workspace::{Metadata, Workspace};

/// A room of the house, and the rooms its crates may depend on.
struct Room {
    /// A directory below the root; with a slash at its end, each directory in it.
    directory: &'static str,
    may_use: &'static [&'static str],
}

/// What the map in `ARCHITECTURE.md` says. What is not here is nowhere to be depended on.
const ROOMS: &[Room] = &[
    Room { directory: "crates/model", may_use: &[] },
    Room { directory: "crates/hub", may_use: &["crates/model"] },
    Room { directory: "crates/store", may_use: &["crates/filter", "crates/model"] },
    Room { directory: "crates/access", may_use: &["crates/model"] },
    Room { directory: "crates/filter", may_use: &[] },
    Room {
        directory: "crates/node",
        may_use: &["crates/hub", "crates/store", "crates/access", "crates/model"],
    },
    Room {
        directory: "crates/net",
        may_use: &["crates/node", "crates/hub", "crates/access", "crates/model"],
    },
    // Socket.IO is spoken on Engine.IO.
    Room {
        directory: "crates/dialects/socketio",
        may_use: &[
            "crates/dialects/engineio",
            "crates/net",
            "crates/node",
            "crates/hub",
            "crates/store",
            "crates/access",
            "crates/model",
        ],
    },
    // The socket of the EXP network is spoken on both.
    Room {
        directory: "crates/dialects/exp",
        may_use: &[
            "crates/dialects/engineio",
            "crates/dialects/socketio",
            "crates/net",
            "crates/node",
            "crates/hub",
            "crates/store",
            "crates/access",
            "crates/model",
        ],
    },
    // Subscribers filter.
    Room {
        directory: "crates/dialects/pubnub",
        may_use: &[
            "crates/net",
            "crates/node",
            "crates/hub",
            "crates/store",
            "crates/access",
            "crates/filter",
            "crates/model",
        ],
    },
    Room {
        directory: "crates/dialects/",
        may_use: &[
            "crates/net",
            "crates/node",
            "crates/hub",
            "crates/store",
            "crates/access",
            "crates/model",
        ],
    },
    Room {
        directory: "crates/antiphon",
        may_use: &[
            "crates/dialects/",
            "crates/net",
            "crates/node",
            "crates/hub",
            "crates/store",
            "crates/access",
            "crates/model",
        ],
    },
    Room { directory: "crates/server", may_use: &["crates/", "bench"] },
    Room { directory: "bench", may_use: &["crates/", "bench/plot"] },
    Room { directory: "bench/guard", may_use: &["crates/"] },
    Room { directory: "bench/plot", may_use: &[] },
    Room { directory: "tests", may_use: &["crates/", "bench"] },
    Room { directory: "tests/clients/server", may_use: &["crates/"] },
    Room { directory: "tests/hostile", may_use: &[] },
    Room { directory: "tests/faults", may_use: &["tests"] },
    Room { directory: "tests/soak", may_use: &["tests", "bench/plot"] },
    Room { directory: "xtask", may_use: &[] },
];

/// Crates depend on each other only along the arrows of the map.
pub(super) fn check(workspace: &Workspace, metadata: &Metadata, findings: &mut Findings) {
    let members = metadata.packages.iter().filter(|package| package.source.is_none());
    for package in members {
        let Some(directory) = package.manifest_path.parent().and_then(|path| relative(workspace, path))
        else {
            findings.problem(format!("{} is outside of the repository", package.name));
            continue;
        };
        let Some(room) = ROOMS.iter().find(|room| covers(room.directory, directory)) else {
            findings.problem(format!("{directory} has no place on the map: give it one in {}", file!()));
            continue;
        };
        // Tests and examples may put together what the crate itself must not know.
        let own = package.dependencies.iter().filter(|one| one.kind.as_deref() != Some("dev"));
        for dependency in own {
            let Some(other) = dependency.path.as_deref().and_then(|path| relative(workspace, path)) else {
                continue;
            };
            if !room.may_use.iter().any(|allowed| covers(allowed, other)) {
                findings.problem(format!("{directory} must not depend on {other} ({})", dependency.name));
            }
        }
    }
}

fn relative<'a>(workspace: &Workspace, path: &'a Path) -> Option<&'a str> {
    path.strip_prefix(&workspace.root).ok()?.to_str()
}

fn covers(pattern: &str, directory: &str) -> bool {
    if pattern.ends_with('/') { directory.starts_with(pattern) } else { directory == pattern }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Dependency, Package};
    use std::path::PathBuf;

    fn problems(of: &str, on: &str) -> Vec<String> {
        let workspace = Workspace { root: PathBuf::from("/repository") };
        let package = Package {
            name: of.into(),
            source: None,
            manifest_path: workspace.root.join(of).join("Cargo.toml"),
            dependencies: vec![Dependency {
                name: on.into(),
                path: Some(workspace.root.join(on)),
                kind: None,
            }],
        };
        let mut findings = Findings::default();
        check(&workspace, &Metadata { packages: vec![package] }, &mut findings);
        findings.problems
    }

    #[test]
    fn arrows_point_down_only() {
        for (of, on) in [
            ("crates/hub", "crates/model"),
            ("crates/node", "crates/store"),
            ("crates/store", "crates/filter"),
            ("crates/dialects/http", "crates/net"),
            ("crates/dialects/socketio", "crates/dialects/engineio"),
            ("crates/antiphon", "crates/dialects/socketio"),
            ("crates/server", "crates/dialects/http"),
            ("crates/server", "bench"),
            ("tests", "crates/server"),
        ] {
            assert!(problems(of, on).is_empty(), "{of} on {on}");
        }
        for (of, on) in [
            ("crates/model", "crates/hub"),
            ("crates/hub", "crates/store"),
            ("crates/net", "crates/store"),
            ("crates/dialects/http", "crates/dialects/mqtt"),
            ("crates/dialects/engineio", "crates/dialects/socketio"),
            ("crates/dialects/socketio", "crates/antiphon"),
            ("crates/net", "crates/dialects/http"),
            ("crates/server", "tests"),
            ("crates/novel", "crates/model"),
        ] {
            assert_eq!(problems(of, on).len(), 1, "{of} on {on}");
        }
    }
}
