//! Tokens: made with the configuration's secrets, by the id of a key, and revoked on a server that runs.

use crate::process::{Server, run, run_with_input};

const CONFIG: &str = r#"
[[org]]
name = "acme"

[[org.key]]
key = "admin-key"
allow = ["admin"]

[[org.jwt]]
algorithm = "HS256"
kid = "2025"
secret = "the-first-secret-of-acme-for-tests"
allow = ["subscribe", "history"]

[[org.jwt]]
algorithm = "HS256"
kid = "2026"
secret = "the-second-secret-of-acme-for-tests"
allow = ["subscribe", "history"]
"#;

#[test]
fn tokens_are_made_by_the_id_of_a_key_and_revoked() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("antiphon.toml");
    std::fs::write(&config, CONFIG).unwrap();
    let config = config.to_str().unwrap();
    let make = |more: &[&str]| {
        let made = run(&[&["token", "--config", config, "--identity", "ann"], more].concat()).printed();
        made.trim_end().to_owned()
    };
    let (old, new) = (make(&[]), make(&["--kid", "2026"]));
    assert!(run(&["token", "--inspect", &new]).printed().contains("\"kid\": \"2026\""));
    assert!(run(&["token", "--config", config, "--kid", "2024"]).failed(1).contains("kid"));

    let server = Server::start(&directory.path().join("data"), &["--config", config]);
    let enter = |token: &str| server.run(&["history", "room", "--token", token]);
    enter(&old).printed();
    enter(&new).printed();
    let revoke =
        |more: &[&str]| server.run(&[&["token", "revoke"], more, &["--token", "admin-key"]].concat());
    let revoked = revoke(&[&old]);
    assert!(revoked.stderr.starts_with("antiphon: revoked token "), "{}", revoked.stderr);
    assert!(enter(&old).failed(1).contains("revoked"));
    enter(&new).printed();
    let url = ["token", "revoke", "-", "--token", "admin-key", "--url", &server.url];
    // Once more is as good as once.
    assert_eq!(run_with_input(&url, old.as_bytes()).stderr, revoked.stderr);
    assert_eq!(revoke(&["--all-of", "ann"]).stderr, "antiphon: revoked all tokens that ann had\n");
    assert!(enter(&new).failed(1).contains("revoked"));
    let list = server.run(&["token", "revoked", "--token", "admin-key"]).printed();
    assert_eq!(list.lines().count(), 2, "{list}");
    assert!(list.contains("a token, over by itself at ") && list.contains("all tokens of ann"), "{list}");
    assert!(revoke(&[]).failed(2).contains("TOKEN"));
    assert!(revoke(&["no-token"]).failed(1).contains("neither a JWT nor a session token"));
    assert!(server.stop().success());
}
