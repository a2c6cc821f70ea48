use std::path::PathBuf;

use super::*;

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("antiphon.toml");
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

fn load(text: &str, environment: &[(&str, &str)]) -> Result<Settings, String> {
    let (_directory, path) = file(text);
    let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Sources { file: Some(&path), environment }
        .settings()
        .map_err(|error| error.to_string().replace(&path.display().to_string(), "FILE"))
}

#[test]
fn the_environment_goes_before_the_file_and_the_file_before_the_defaults() {
    let replies_max = |text, environment: &[_]| load(text, environment).unwrap().limits.replies_max;
    let (text, environment) =
        ("[limits]\nreplies_max = 7\nreply_bytes_max = 8", [("ANTIPHON_LIMITS__REPLIES_MAX", "9")]);
    assert_eq!(replies_max("", &[]), 10_000);
    assert_eq!(replies_max(text, &[]), 7);
    assert_eq!(replies_max("", &environment), 9);
    assert_eq!(replies_max(text, &environment), 9);
    assert_eq!(load(text, &environment).unwrap().limits.reply_bytes_max, 8);
}

#[test]
fn faults_name_their_place() {
    for (text, environment, expected) in [
        (
            "\nlistne = []\n[limit]",
            &[][..],
            "FILE:2: there is no setting listne; did you mean listen?\nFILE:3: there is no setting limit; did you mean limits?",
        ),
        ("a = \n", &[], "FILE:1: "),
        ("[limits]\n\nreplies_max = \"many\"", &[], "FILE:3: invalid type: string \"many\", expected usize"),
        ("[timeouts]\ndrain = \"soon\"", &[], "FILE:2: a duration is a whole number with ms, s, m, h or d"),
        ("[timeouts]\ndrain = 5", &[], "FILE:2: invalid type: integer `5`, expected a string"),
        (
            "listen = [\"localhost\"]",
            &[],
            "FILE:1: \"localhost\" is not an address to listen on: give IP:port",
        ),
        (
            "[store]\nkind = \"postgres\"",
            &[],
            "FILE:2: unknown variant `postgres`, expected `sqlite` or `memory`",
        ),
        ("[[org]]\nopen = true", &[], "FILE:1: missing field `name`"),
        (
            "[socketio.admin]\nmode = \"dev\"",
            &[],
            "FILE:2: unknown variant `dev`, expected `development` or `production`",
        ),
        (
            "[socketio.engine]\nping_interval = 5",
            &[],
            "FILE:2: there is no setting socketio.engine.ping_interval; did you mean ping_interval_ms?",
        ),
        (
            "",
            &[("ANTIPHON_SOCKETIO__RECOVERY__ENABLED", "maybe")],
            "ANTIPHON_SOCKETIO__RECOVERY__ENABLED: invalid type: string \"maybe\", expected a boolean",
        ),
        ("workers = 0", &[], "FILE:1: invalid value: integer `0`, expected a nonzero usize"),
        (
            "",
            &[("ANTIPHON_WORKERS", "many")],
            "ANTIPHON_WORKERS: invalid type: string \"many\", expected a nonzero usize",
        ),
        (
            "",
            &[("ANTIPHON_WORKRES", "1")],
            "ANTIPHON_WORKRES: there is no such setting; did you mean ANTIPHON_WORKERS?",
        ),
        (
            "",
            &[("ANTIPHON_DATA_DIR", "x"), ("ANTIPHON_TIMEOUTS__DRAIN", "5")],
            "ANTIPHON_TIMEOUTS__DRAIN: a duration is",
        ),
    ] {
        let error = load(text, environment).unwrap_err();
        assert!(error.starts_with(expected), "{text:?} {environment:?}: {error}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error =
        Sources { file: Some(Path::new("nowhere.toml")), environment: Vec::new() }.settings().unwrap_err();
    assert!(error.to_string().starts_with("nowhere.toml: "), "{error}");
}

#[test]
fn settings_that_let_nothing_through_are_refused() {
    for (text, expected) in [
        ("", None),
        ("listen = []", Some("listen: give at least one address")),
        ("[limits]\noutbox_bytes_max = 0", Some("limits.outbox_bytes_max has to be at least 1")),
        ("[timeouts]\nping_interval = \"0s\"", Some("timeouts.ping_interval has to be longer than 0s")),
    ] {
        let checked = load(text, &[]).unwrap().check().map_err(|error| error.to_string());
        assert_eq!(checked.err().as_deref(), expected, "{text}");
    }
}

#[test]
fn what_is_printed_can_be_read_again_and_has_no_secrets() {
    let text = "workers = 3\n[[rule]]\nchannels = \"a.*\"\nhistory_age = \"forever\"\n[[org]]\nname = \"acme\"\n\
        [[org.key]]\nkey = \"very-secret-key\"\nallow = [\"publish\"]\n[[org.jwt]]\nalgorithm = \"HS256\"\n\
        secret = \"very-secret-0123456789-0123456789\"\n[org.limits]\npublish_rate_per_org = { per_second = 0.5 }\n\
        [[org.rule]]\npersist = false\n[socketio.admin.auth]\npassword_hash = \"very-secret\"";
    let settings = load(text, &[]).unwrap();
    let printed = settings.to_toml();
    assert!(!printed.contains("very-secret") && printed.contains("[redacted]"), "{printed}");
    let again = load(&printed, &[]).unwrap();
    assert_eq!(again.to_toml(), printed);
    assert_eq!(again.rules, settings.rules);
    assert_eq!(Settings::default().to_toml(), load(&Settings::default().to_toml(), &[]).unwrap().to_toml());
}
