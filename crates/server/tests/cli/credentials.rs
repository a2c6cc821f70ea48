//! Who may log in: said to a server that runs, and to the database of one that does not.

use std::path::Path;

use serde_json::Value;

use crate::process::{Ran, Server, run, run_with_input};

const CONFIG: &str = r#"
[[org]]
name = "acme"

[[org.key]]
key = "admin-key"
allow = ["admin"]

[[org.key]]
key = "member-key"
allow = ["subscribe"]

[[org.device]]
uuid = "built-in"
secret = "secret-of-the-device"
"#;

/// A directory with a configuration, and room for a database.
struct Place {
    directory: tempfile::TempDir,
    config: String,
    data: String,
}

impl Place {
    fn new(config: &str) -> Place {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let (file, data) = (path("antiphon.toml"), path("data"));
        std::fs::write(&file, config).unwrap();
        Place { config: file, data, directory }
    }

    fn serve(&self) -> Server {
        Server::start(Path::new(&self.data), &["--config", &self.config])
    }

    /// The arguments of `antiphon credential` for the database.
    fn arguments<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        [&["credential"], arguments, &["--config", &self.config, "--data-dir", &self.data]].concat()
    }

    fn offline(&self, arguments: &[&str]) -> Ran {
        run(&self.arguments(arguments))
    }
}

/// Runs `antiphon credential` with a server.
fn online(server: &Server, arguments: &[&str]) -> Ran {
    server.run(&[&["credential"], arguments, &["--token", "admin-key"]].concat())
}

fn names(json: &str) -> Vec<String> {
    let list: Vec<Value> = serde_json::from_str(json).unwrap();
    let name = |one: &Value| format!("{} {} {}", one["kind"], one["name"], one["source"]).replace('"', "");
    list.iter().map(name).collect()
}

#[track_caller]
fn assert_made_up(ran: Ran, added: &str) {
    assert_eq!(ran.stderr, format!("antiphon: added {added}; its secret is shown this once:\n"));
    let secret = ran.printed();
    let secret = secret.strip_suffix('\n').unwrap();
    assert!(secret.len() >= 32, "{} characters", secret.len());
    assert!(secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
}

#[test]
fn a_server_that_runs_is_told() {
    let place = Place::new(CONFIG);
    let server = place.serve();
    assert_made_up(online(&server, &["add", "device", "lamp/1 ü"]), "device lamp/1 ü");
    let app = [
        "add",
        "consumer_app",
        "shop",
        "--api-key",
        "-key-of-the-shop",
        "--allow",
        "subscribe",
        "--channels",
        "a.*,b",
    ];
    let added = online(&server, &app);
    assert_eq!((added.stderr.as_str(), added.stdout.as_str()), ("antiphon: added consumer app shop\n", ""));
    let password = place.directory.path().join("password");
    std::fs::write(&password, "correct horse\nbattery staple\n").unwrap();
    online(&server, &["add", "user", "ann@example.com", "--password-file", password.to_str().unwrap()])
        .printed();

    let table = online(&server, &["list"]).printed();
    let expected = "\
KIND          NAME             SOURCE         ALLOW                               CHANNELS
device        built-in         configuration  publish,subscribe,history,presence  *
device        lamp/1 ü         store          publish,subscribe,history,presence  *
consumer-app  shop             store          subscribe                           a.*,b
user          ann@example.com  store          publish,subscribe,history,presence  *
";
    assert_eq!(table, expected);
    let json = online(&server, &["list", "--json"]).printed();
    assert!(!json.contains("secret") && !json.contains("correct") && !json.contains("key-of"), "{json}");
    assert_eq!(names(&json).len(), 4);

    assert!(
        online(&server, &["add", "device", "lamp/1 ü"]).failed(1).contains("has a credential of this kind")
    );
    assert_made_up(online(&server, &["add", "device", "lamp/1 ü", "--replace"]), "device lamp/1 ü");
    let revoked = online(&server, &["revoke", "device", "lamp/1 ü"]);
    assert_eq!(revoked.stderr, "antiphon: revoked device lamp/1 ü\n");
    for (arguments, expected) in [
        (&["revoke", "device", "lamp/1 ü"][..], "antiphon: Not found: "),
        (&["revoke", "device", "built-in"], "antiphon: Not possible in this state: "),
        (&["add", "device", "built-in", "--replace"], "antiphon: Not possible in this state: "),
        (&["add", "device", "x", "--secret", "short"], "antiphon: Invalid "),
    ] {
        let complaint = online(&server, arguments).failed(1);
        assert!(
            complaint.starts_with(expected) && complaint.lines().count() == 1,
            "{arguments:?}: {complaint}"
        );
    }
    let refused = server.run(&["credential", "list", "--token", "member-key"]).failed(1);
    assert!(refused.starts_with("antiphon: Not permitted: "), "{refused}");
}

#[test]
fn a_database_is_written_to_while_no_server_runs() {
    let place = Place::new(CONFIG);
    assert_made_up(place.offline(&["add", "device", "lamp"]), "device lamp");
    let arguments = place.arguments(&["add", "user", "ann", "--password-file", "-"]);
    run_with_input(&arguments, b"correct horse\r\n").printed();
    let expected = ["device built-in configuration", "device lamp store", "user ann store"];
    assert_eq!(names(&place.offline(&["list", "--json"]).printed()), expected);

    let server = place.serve();
    let busy = place.offline(&["revoke", "device", "lamp"]).failed(1);
    assert!(busy.contains("is in use by a server that runs") && busy.contains("--url"), "{busy}");
    assert_eq!(names(&online(&server, &["list", "--json"]).printed()), expected);
    online(&server, &["add", "device", "door"]).printed();
    assert_eq!(server.stop().code(), Some(0));

    place.offline(&["revoke", "device", "lamp"]).printed();
    let already = place.offline(&["add", "device", "door"]).failed(1);
    assert!(already.contains("--replace"), "{already}");
    assert_made_up(place.offline(&["add", "device", "door", "--replace"]), "device door");
    let server = place.serve();
    let expected = ["device built-in configuration", "device door store", "user ann store"];
    assert_eq!(names(&online(&server, &["list", "--json"]).printed()), expected);
}

#[test]
fn what_cannot_be_done_is_said_in_a_line() {
    let place = Place::new(CONFIG);
    place.offline(&["add", "device", "lamp"]).printed();
    for (arguments, expected) in [
        (&["revoke", "device", "door"][..], "has no credential of this kind and name"),
        (&["revoke", "device", "built-in"], "is in the configuration"),
        (&["add", "device", "built-in", "--replace"], "is in the configuration"),
        (&["add", "device", "x", "--secret", "short"], "a secret is 8 to 512"),
        (&["add", "device", "_"], "stands for a uuid that is missing"),
        (
            &["add", "device", "x", "--password-file", "f"],
            "--password-file is not for a device: give --secret-file",
        ),
        (&["add", "user", "x", "--secret", "12345678"], "--secret is not for a user: give --password-file"),
        (&["add", "user", "x"], "a user needs a password: give --password-file"),
        (&["add", "device", "x", "--secret-file", "/nowhere/at-all"], "/nowhere/at-all: "),
        (&["list", "--org", "globex"], "there is no org globex, only acme"),
    ] {
        let complaint = place.offline(arguments).failed(1);
        assert!(complaint.contains(expected) && complaint.lines().count() == 1, "{arguments:?}: {complaint}");
        assert!(!complaint.contains("12345678"), "{complaint}");
    }
    let nowhere = place.directory.path().join("nowhere");
    for command in [&["list"][..], &["revoke", "device", "x"]] {
        let elsewhere = ["--data-dir", nowhere.to_str().unwrap()];
        let complaint = run(&[&["credential"], command, &elsewhere].concat()).failed(1);
        assert!(complaint.contains("is no data directory of a server"), "{complaint}");
    }
    assert!(!nowhere.exists());

    let several = Place::new(&format!("{CONFIG}[[org]]\nname = \"globex\"\n"));
    assert!(several.offline(&["add", "device", "x"]).failed(1).contains("give --org, one of acme, globex"));
    several.offline(&["add", "device", "x", "--org", "globex"]).printed();
    assert_eq!(names(&several.offline(&["list", "--json", "--org", "globex"]).printed()), ["device x store"]);
    let in_memory = Place::new("[store]\nkind = \"memory\"\n");
    assert!(in_memory.offline(&["add", "device", "x"]).failed(1).contains("store.kind is memory"));
}

#[test]
fn wrong_usage_of_credential_ends_with_2() {
    for arguments in [
        &["credential"][..],
        &["credential", "add", "device"],
        &["credential", "add", "robot", "x"],
        &["credential", "add", "device", "x", "--secret", "a", "--secret-file", "b"],
        &["credential", "add", "device", "x", "--allow", "fly"],
        &["credential", "list", "--org", "acme"],
        &["credential", "revoke", "x"],
    ] {
        run(arguments).failed(2);
    }
    for command in ["add", "list", "revoke"] {
        assert!(run(&["credential", command, "--help"]).printed().contains("Examples:"), "{command}");
    }
}
