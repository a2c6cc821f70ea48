use std::env::consts::EXE_SUFFIX;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use crate::Outcome;
use crate::command::{cargo, command, run as run_command, succeeds};
use crate::instructions::{self, Counts};
use crate::steps::{OnFailure, Step, left_out, run_steps};
use crate::workspace::Workspace;
use crate::{docs, python, tidy, tools};

/// The options of `cargo xtask test`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Run the remaining steps when one has failed.
    #[arg(long)]
    keep_going: bool,
    /// Run this step alone; may be given several times.
    #[arg(long, value_name = "STEP", value_parser = step_name)]
    only: Vec<&'static str>,
    /// List the steps.
    #[arg(long)]
    list: bool,
}

/// In this order because the cheap ones come first, and because each finds built what it needs of the ones before it.
const STEPS: &[Step<Workspace>] = &[
    Step { name: "fmt", what: "the code is formatted", run: fmt },
    Step { name: "tidy", what: "the rules of the house hold", run: tidy::check },
    Step { name: "deny", what: "dependencies have allowed licences and sources", run: deny },
    Step { name: "clippy", what: "no lint warns", run: clippy },
    Step { name: "build", what: "everything builds in the dev profile", run: build },
    Step { name: "tests", what: "unit and integration tests", run: tests },
    Step { name: "doctests", what: "the examples in the documentation run", run: doctests },
    Step { name: "docs", what: "the documentation builds and is up to date", run: docs::check },
    Step { name: "autobahn", what: "WebSocket conformance (Autobahn, quick set)", run: autobahn },
    Step { name: "openapi", what: "the binary answers as its OpenAPI document says", run: openapi },
    Step { name: "browser", what: "the demo chat works in Chromium", run: browser },
    Step { name: "clients", what: "Socket.IO with the clients that people use", run: clients },
    Step {
        name: "standalone",
        what: "Socket.IO of the binary, beside other dialects, and the dashboard",
        run: standalone,
    },
    Step { name: "exp", what: "the EXP network with the SDKs that people use", run: exp },
    Step { name: "pubnub", what: "the PubNub API with the SDKs that people use", run: pubnub },
    Step { name: "tls", what: "TLS, client certificates and ACME with real clients", run: tls },
    Step { name: "hostile", what: "hostile peers harm nobody who behaves (short form)", run: hostile },
    Step { name: "faults", what: "acknowledged messages outlive what the machine does", run: faults },
    Step {
        name: "soak",
        what: "clients of every dialect come and go, and nothing is lost or left",
        run: soak,
    },
    Step { name: "sdks", what: "our own SDKs, TypeScript and Python", run: sdks },
    Step {
        name: "instructions",
        what: "hot paths take no more instructions than are on record",
        run: counts,
    },
];

/// Runs all steps, or those asked for, and gives a failure if one of them failed.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    if arguments.list {
        for step in STEPS {
            println!("{:<12}{}", step.name, step.what);
        }
        return ExitCode::SUCCESS;
    }
    let chosen = |step: &&Step<Workspace>| arguments.only.is_empty() || arguments.only.contains(&step.name);
    let steps: Vec<_> = STEPS.iter().filter(chosen).collect();
    let on_failure = if arguments.keep_going { OnFailure::KeepGoing } else { OnFailure::Stop };
    run_steps(&steps, &Workspace::here(), on_failure)
}

fn step_name(name: &str) -> Result<&'static str, String> {
    let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
    let found = names.iter().find(|known| **known == name);
    found.copied().ok_or_else(|| format!("there is no such step; there are {}", names.join(", ")))
}

fn fmt(workspace: &Workspace) -> Outcome {
    run_command(cargo(&workspace.root).args(["fmt", "--all", "--check"]))?;
    for other in ["fuzz", "bench/peers/rumqttd", "bench/peers/socketioxide", "bench/peers/tungstenite"] {
        let other = workspace.root.join(other);
        if other.join("Cargo.toml").exists() {
            run_command(cargo(&other).args(["fmt", "--all", "--check"]))?;
        }
    }
    Ok(())
}

fn deny(workspace: &Workspace) -> Outcome {
    let cargo_deny = tools::cargo_deny(workspace)?;
    run_command(command(cargo_deny, &workspace.root).args(["check", "bans", "licenses", "sources"]))
}

fn clippy(workspace: &Workspace) -> Outcome {
    run_command(cargo(&workspace.root).args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))
}

fn build(workspace: &Workspace) -> Outcome {
    workspace.binary().map(drop)
}

fn tests(workspace: &Workspace) -> Outcome {
    let binary = workspace.binary()?;
    let nextest = succeeds(cargo(&workspace.root).args(["nextest", "--version"]));
    let runner: &[&str] = if nextest { &["nextest", "run"] } else { &["test", "--bins", "--lib", "--tests"] };
    run_command(cargo(&workspace.root).args(runner).arg("--workspace").env("ANTIPHON_BIN", binary))
}

fn doctests(workspace: &Workspace) -> Outcome {
    run_command(cargo(&workspace.root).args(["test", "--doc", "--workspace"]))
}

fn autobahn(workspace: &Workspace) -> Outcome {
    python::run_suite(workspace, "autobahn", &["--cases", "quick"])
}

fn openapi(workspace: &Workspace) -> Outcome {
    python::run_suite(workspace, "openapi", &[])
}

fn browser(workspace: &Workspace) -> Outcome {
    let directory = workspace.root.join("tests/browser");
    install_packages(&directory)?;
    let chromium = tools::need("chromium", "chromium")?;
    run_command(
        command("npm", &directory)
            .arg("test")
            .env("ANTIPHON_BIN", workspace.binary()?)
            .env("CHROMIUM", chromium),
    )
}

fn clients(workspace: &Workspace) -> Outcome {
    let directory = workspace.root.join("tests/clients");
    install_packages(&directory)?;
    let chromium = tools::need("chromium", "chromium")?;
    let python = python::environment(workspace, "clients", &directory.join("python/requirements.txt"))?;
    let conformance = workspace.example("conformance")?;
    let server = workspace.binary()?.with_file_name(format!("antiphon-test-server{EXE_SUFFIX}"));
    let mut node = command("node", &directory);
    node.arg("run.mjs").arg("--server").arg(server).arg("--conformance").arg(conformance);
    run_command(node.arg("--python").arg(python).arg("--chromium").arg(chromium))
}

fn standalone(workspace: &Workspace) -> Outcome {
    let directory = workspace.root.join("tests/standalone");
    install_packages(&directory)?;
    // Whose harness it has a part of.
    install_packages(&workspace.root.join("tests/clients"))?;
    let chromium = tools::need("chromium", "chromium")?;
    let mut node = command("node", &directory);
    run_command(node.arg("run.mjs").env("ANTIPHON_BIN", workspace.binary()?).env("CHROMIUM", chromium))
}

fn exp(workspace: &Workspace) -> Outcome {
    let directory = workspace.root.join("tests/exp");
    // It has parts of the others' harnesses.
    for packages in ["tests/exp", "tests/clients", "tests/standalone"] {
        install_packages(&workspace.root.join(packages))?;
    }
    let chromium = tools::need("chromium", "chromium")?;
    let mut node = command("node", &directory);
    node.arg("run.mjs").env("ANTIPHON_BIN", workspace.binary()?).env("CHROMIUM", chromium);
    match python::find_python27() {
        Some(python) => {
            let packages =
                python::packages27(workspace, "exp", &directory.join("python/requirements.txt"), &python)?;
            node.env("EXP_PYTHON", python).env("EXP_PYTHONPATH", packages);
        }
        None => left_out("exp: EVERYTHING THAT NEEDS PYTHON 2.7, which is not here; name one with PYTHON27"),
    }
    run_command(&mut node)
}

fn pubnub(workspace: &Workspace) -> Outcome {
    // It has parts of the others' harnesses.
    for packages in ["tests/pubnub", "tests/exp", "tests/clients", "tests/standalone"] {
        install_packages(&workspace.root.join(packages))?;
    }
    let chromium = tools::need("chromium", "chromium")?;
    let (binary, directory) = (workspace.binary()?, workspace.root.join("tests/pubnub"));
    let mut node = command("node", &directory);
    run_command(node.arg("run.mjs").env("ANTIPHON_BIN", &binary).env("CHROMIUM", chromium))?;
    let directory = directory.join("python");
    let environment =
        |name, requirements| python::environment(workspace, name, &directory.join(requirements));
    let guide = environment("pubnub-guide", "requirements-guide.txt")?;
    let mut python = command(environment("pubnub", "requirements.txt")?, &directory);
    python.env("PYTHONDONTWRITEBYTECODE", "1").arg("run.py").arg("--bin").arg(binary);
    run_command(python.arg("--guide-python").arg(guide))
}

fn tls(workspace: &Workspace) -> Outcome {
    let directory = workspace.root.join("tests/tls");
    install_packages(&directory)?;
    for program in ["openssl", "curl", "python3"] {
        tools::need(program, program)?;
    }
    let pebble = tools::need("pebble", "pebble")?;
    let dns = tools::need("pebble-challtestsrv", "pebble")?;
    let mut node = command("node", &directory);
    node.arg("run.mjs").env("ANTIPHON_BIN", workspace.binary()?);
    run_command(node.env("PEBBLE", pebble).env("CHALLTESTSRV", dns))
}

fn hostile(workspace: &Workspace) -> Outcome {
    let binary = workspace.binary()?;
    let hostile = binary.with_file_name(format!("antiphon-hostile{EXE_SUFFIX}"));
    run_command(command(hostile, &workspace.root).arg("--short").arg("--bin").arg(binary))
}

fn faults(workspace: &Workspace) -> Outcome {
    tools::need("gcc", "gcc")?;
    let binary = workspace.binary()?;
    let faults = binary.with_file_name(format!("antiphon-faults{EXE_SUFFIX}"));
    run_command(command(faults, &workspace.root).env("ANTIPHON_BIN", binary))
}

fn soak(workspace: &Workspace) -> Outcome {
    let binary = workspace.binary()?;
    let soak = binary.with_file_name(format!("antiphon-soak{EXE_SUFFIX}"));
    run_command(command(soak, &workspace.root).arg("--short").env("ANTIPHON_BIN", binary))
}

fn sdks(workspace: &Workspace) -> Outcome {
    let binary = workspace.binary()?;
    let chromium = tools::need("chromium", "chromium")?;
    let typescript = workspace.root.join("sdk/typescript");
    install_packages(&typescript)?;
    run_command(
        command("npm", &typescript).arg("test").env("ANTIPHON_BIN", &binary).env("CHROMIUM", chromium),
    )?;
    let directory = workspace.root.join("sdk/python");
    let python = python::environment(workspace, "sdk-python", &directory.join("requirements.txt"))?;
    run_command(command(&python, &directory).args(["-m", "mypy", "--cache-dir=/dev/null"]))?;
    let mut pytest = command(python, &directory);
    pytest.args(["-m", "pytest", "--quiet"]).env("ANTIPHON_BIN", binary).env("PYTHONDONTWRITEBYTECODE", "1");
    run_command(&mut pytest)
}

fn counts(workspace: &Workspace) -> Outcome {
    instructions::run(workspace, Counts::Check, &[])
}

fn install_packages(directory: &Path) -> Outcome {
    tools::need("node", "nodejs")?;
    tools::need("npm", "npm")?;
    let install = if directory.join("package-lock.json").exists() { "ci" } else { "install" };
    run_command(command("npm", directory).args([install, "--no-audit", "--no-fund"]))
}
