//! Commands that need no server.

use std::process::Stdio;

use crate::process::{antiphon, run, run_with_input};

const ORG: &str = "[[org]]\nname = \"acme\"\n[[org.jwt]]\nalgorithm = \"HS256\"\nsecret = \"0123456789-0123456789-0123456789\"\n";

fn config(text: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("antiphon.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

#[test]
fn help_shows_commands_and_examples() {
    let help = run(&["--help"]).printed();
    for word in [
        "serve",
        "publish",
        "subscribe",
        "broadcast",
        "history",
        "credential",
        "token",
        "check-config",
        "completions",
        "bench",
    ] {
        assert!(help.contains(&format!("\n  {word} ")), "{word}: {help}");
    }
    assert!(help.contains("Examples:"));
    for command in ["serve", "publish", "subscribe", "broadcast", "history", "credential", "token"] {
        assert!(run(&[command, "--help"]).printed().contains("Examples:"), "{command}");
    }
    assert!(run(&["bench", "--help"]).printed().contains("Examples:"));
    assert!(run(&["bench", "fanout", "--help"]).printed().contains("--subscribers"));
}

#[test]
fn wrong_usage_ends_with_2() {
    for arguments in [
        &["fly"][..],
        &["publish"],
        &["publish", "room", "x", "--text", "--binary"],
        &["subscribe"],
        &["broadcast", "room", "x", "--timeout", "soon"],
        &["serve", "--listen", "localhost"],
        &["check-config", "--reference", "file"],
    ] {
        run(arguments).failed(2);
    }
}

#[test]
fn completions_are_made_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(run(&["completions", shell]).printed().contains("check-config"), "{shell}");
    }
}

#[test]
fn the_configuration_is_checked_and_printed_without_secrets() {
    let (_directory, path) = config(ORG);
    let printed = run(&["check-config", &path]).printed();
    assert!(printed.contains("name = \"acme\"") && printed.contains("secret = \"[redacted]\""), "{printed}");
    assert!(printed.contains("ping_interval = \"25s\"") && !printed.contains("0123456789"), "{printed}");
    let by_variable =
        antiphon(&["check-config"]).env("ANTIPHON_CONFIG", &path).env("ANTIPHON_WORKERS", "3").output();
    let printed = String::from_utf8(by_variable.unwrap().stdout).unwrap();
    assert!(printed.contains("name = \"acme\"") && printed.contains("workers = 3\n"), "{printed}");
}

#[test]
fn what_is_wrong_with_the_configuration_is_named() {
    for (text, expected) in [
        ("listne = []", ":1: there is no setting listne; did you mean listen?"),
        ("\n[limits]\nreplies_max = -1", ":3: invalid value: integer `-1`"),
        ("[[org]]\nname = \"a b\"", "org \"a b\": an org's name is"),
        ("[http]\nbatch_max = 0", "http: batch_max has to be at least 1"),
        ("[[org]]\nname = \"a\"\n[[org.jwt]]\nalgorithm = \"HS256\"\nsecret = \"short\"", "org \"a\": jwt 1"),
        ("listen = [\"0.0.0.0:8080\"]", "0.0.0.0:8080 is reached from outside"),
    ] {
        let (_directory, path) = config(text);
        let complaint = run(&["check-config", &path]).failed(1);
        assert!(complaint.contains(expected), "{text}: {complaint}");
        let complaint = run(&["serve", "--memory", "--config", &path]).failed(1);
        assert!(complaint.contains(expected), "{text}: {complaint}");
    }
    let variable = antiphon(&["check-config"]).env("ANTIPHON_LISTNE", "x").output().unwrap();
    assert_eq!(variable.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&variable.stderr).contains("did you mean ANTIPHON_LISTEN?"));
}

#[test]
fn the_reference_in_the_documentation_is_up_to_date() {
    let printed = run(&["check-config", "--reference"]).printed();
    let written =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md"));
    assert!(written.is_ok_and(|written| written == printed), "run `cargo xtask docs`");
}

#[test]
fn the_configurations_of_the_suites_are_valid() {
    for suite in ["autobahn", "openapi"] {
        let path = format!("{}/../../tests/{suite}/antiphon.toml", env!("CARGO_MANIFEST_DIR"));
        let checked = run(&["check-config", &path]);
        assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""), "{suite}");
    }
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let mut child = antiphon(&["check-config", "--reference"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn tokens_are_made_and_looked_into() {
    let (_directory, path) = config(ORG);
    let made = run(&[
        "token",
        "--config",
        &path,
        "--identity",
        "alice",
        "--allow",
        "publish",
        "--channels",
        "a,b.*",
    ]);
    let token = made.printed();
    let said = run(&["token", "--inspect", token.trim()]).printed();
    for expected in ["NOT VERIFIED", "\"org\": \"acme\"", "\"sub\": \"alice\"", "\"b.*\"", "\"exp\""] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert_eq!(run_with_input(&["token", "--inspect", "-"], token.as_bytes()).printed(), said);
    for (arguments, expected) in [
        (&["token"][..], "the configuration has no org"),
        (&["token", "--config", &path, "--org", "other"], "there is no org other, only acme"),
        (&["token", "--config", &path, "--expires", "forever"], "have to expire"),
        (&["token", "--config", &path, "--channels", "a"], "--allow"),
        (&["token", "--inspect", "nonsense"], "not a JWT"),
    ] {
        let complaint = run(arguments).failed(1);
        assert!(complaint.contains(expected), "{complaint}");
    }
}

#[test]
fn a_server_that_is_not_there_is_named() {
    // Nothing listens on port 1 of loopback, and nobody unprivileged can.
    for command in [
        &["publish", "room", "x"][..],
        &["subscribe", "room"],
        &["history", "room"],
        &["broadcast", "room", "x"],
    ] {
        let complaint = run(&[command, &["--url", "http://127.0.0.1:1"]].concat()).failed(1);
        assert_eq!(complaint.lines().count(), 1, "{complaint}");
        assert!(
            complaint.starts_with("antiphon: nothing listens on http://127.0.0.1:1: start a server"),
            "{complaint}"
        );
    }
    assert!(run(&["history", "room", "--url", "127.0.0.1"]).failed(1).contains("is not the URL of a server"));
}
