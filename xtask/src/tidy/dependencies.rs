use std::fs;

use serde::Deserialize;

use super::{Findings, spdx};
use crate::Outcome;
use crate::workspace::{Metadata, Workspace};

/// The part of `deny.toml` that is checked here too, for where cargo-deny is not installed.
#[derive(Deserialize)]
struct Policy {
    licenses: Licenses,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

/// Every dependency is from crates.io and has a licence that `deny.toml` allows.
///
/// # Errors
/// `deny.toml` cannot be read.
pub(super) fn check(workspace: &Workspace, metadata: &Metadata, findings: &mut Findings) -> Outcome {
    let policy: Policy = toml::from_str(&fs::read_to_string(workspace.root.join("deny.toml"))?)?;
    let allowed = |licence: &str| policy.licenses.allow.iter().any(|known| known == licence);
    for package in &metadata.packages {
        let Some(source) = &package.source else {
            continue;
        };
        let name = format!("{} {}", package.name, package.version);
        if !source.ends_with("/crates.io-index") {
            findings.problem(format!("{name} is not from crates.io"));
        }
        match &package.license {
            None => findings.problem(format!("{name} names no licence")),
            Some(expression) => match spdx::is_satisfied(expression, &allowed) {
                Some(true) => {}
                Some(false) => {
                    findings.problem(format!("{name} has a licence that is not allowed: {expression}"))
                }
                None => findings.problem(format!("{name} has a licence that cannot be read: {expression}")),
            },
        }
    }
    Ok(())
}
