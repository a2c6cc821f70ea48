//! The PubNub-compatible API: every route, with an access manager and without.

use std::collections::BTreeSet;

use antiphon_access::pam::Bits;
use antiphon_pubnub::PubNub;

use crate::pubnub_rows::{Needs, On, ROWS, Row, scopes};
use crate::pubnub_world::{BLANK, Keysets, Names, PLAIN, ticket_of, with_auth};
use crate::told::{Told, assert_same};
use crate::world::{ACME, GLOBEX, Org};

#[test]
fn the_table_has_every_route() {
    let routes: BTreeSet<_> = PubNub::routes().collect();
    assert_eq!(routes, ROWS.iter().map(|row| (row.method, row.pattern)).collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_not_is_refused_and_learns_nothing() {
    let keysets = Keysets::start().await;
    let kept = keysets.furnish(ACME).await;
    let gone = keysets.gone(&kept);
    let before = keysets.contents(ACME, &kept).await;
    let refused = Refused::all(&keysets).await;
    for row in ROWS {
        for (what, auth, says) in &refused {
            let told = row.ask(&keysets, ACME, &kept, auth.as_deref()).await;
            let what = format!("{} with {what}", row.name());
            // Where a grant names a key, that is what is shown.
            let says = if row.query.contains("auth=") { "Forbidden" } else { *says };
            check(row, &kept, says, &told, &what);
            let nothing = row.ask(&keysets, ACME, &gone, auth.as_deref()).await;
            assert_same(&what, (told, &kept.all()), (nothing, &gone.all()));
        }
        let what = format!("{} signed by another keyset", row.name());
        let told = row.ask_signed(&keysets, ACME, &kept, &GLOBEX.secret_key()).await;
        check(row, &kept, "signature", &told, &what);
        let Needs::All(needs) = row.needs else { continue };
        for missing in needs {
            let but = |on: On, bits: Bits| if (on, bits) == *missing { without(bits) } else { Bits::ALL };
            let token = keysets.token_of(ACME, scopes(needs, but), 1, None);
            let told = row.ask(&keysets, ACME, &kept, Some(&token)).await;
            check(row, &kept, "Forbidden", &told, &format!("{} without {missing:?}", row.name()));
        }
    }
    assert_eq!(keysets.contents(ACME, &kept).await, before, "what was refused was done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_is_answered() {
    let keysets = Keysets::start().await;
    let kept = keysets.furnish(ACME).await;
    for row in ROWS {
        let what = row.name();
        let told = match row.needs {
            Needs::Ticket => continue,
            Needs::Nothing => row.ask(&keysets, ACME, &kept, None).await,
            Needs::Secret => row.ask_signed(&keysets, ACME, &kept, &ACME.secret_key()).await,
            Needs::LeftOut => {
                let token = keysets.token_for_all(ACME, 1, None);
                row.ask(&keysets, ACME, &kept, Some(&token)).await
            }
            Needs::All(needs) => {
                let token = keysets.token_of(ACME, scopes(needs, |_, bits| bits), 1, None);
                row.ask(&keysets, ACME, &kept, Some(&token)).await
            }
        };
        assert_eq!(told.status, row.answered, "{what}: {told:?}");
        if row.needs == Needs::LeftOut && !row.pattern.contains("/push/") {
            assert!(told.body.contains(kept.channel), "{what}: {told:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_keyset_finds_nothing_of_what_there_is_in_this_one() {
    for (own, other) in [(ACME, GLOBEX), (PLAIN, BLANK)] {
        let keysets = Keysets::start().await;
        let kept = keysets.furnish(own).await;
        let gone = keysets.gone(&kept);
        let before = keysets.contents(own, &kept).await;
        let all = keysets.token_for_all(other, 1, None);
        for row in ROWS {
            let ask = async |names: &Names| match row.needs {
                Needs::Secret => row.ask_signed(&keysets, other, names, &other.secret_key()).await,
                _ => row.ask(&keysets, other, names, Some(&all)).await,
            };
            let what = format!("{} of {}", row.name(), other.0);
            let (mut told, mut nothing) = (ask(&kept).await, ask(&gone).await);
            assert!(told.status < 500, "{what}: {told:?}");
            if row.pattern.ends_with("/generate-upload-url") || row.pattern.ends_with("/grant") {
                (told, nothing) = (told.shape(), nothing.shape());
            }
            // Lists have both, since both were asked for.
            let names = [kept.all(), gone.all()].concat();
            assert_same(&what, (told, &names), (nothing, &names));
        }
        assert_eq!(keysets.contents(own, &kept).await, before, "{} changed {}", other.0, own.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_access_manager_the_keys_are_the_credential() {
    let keysets = Keysets::start().await;
    let kept = keysets.furnish(PLAIN).await;
    // What is shown besides says nothing.
    let late = keysets.token_for_all(PLAIN, 3600, None);
    for row in ROWS {
        let what = row.name();
        if row.needs == Needs::Secret {
            for auth in [None, Some(&*late), Some("key")] {
                let told = row.ask(&keysets, PLAIN, &kept, auth).await;
                assert_eq!(told.status, 403, "{what}: {told:?}");
            }
            for key in [&*BLANK.secret_key(), "guessed"] {
                let told = row.ask_signed(&keysets, PLAIN, &kept, key).await;
                assert!(told.status == 403 && told.body.contains("signature"), "{what}: {told:?}");
            }
        }
        if row.needs != Needs::Nothing {
            let told = row.ask(&keysets, Org("nobody"), &kept, None).await;
            assert_eq!(told.status, 400, "{what}: {told:?}");
            assert!(row.method == "HEAD" || told.body.contains("Invalid Subscribe Key"), "{what}: {told:?}");
        }
        if row.pattern.contains("{pub}") {
            for key in ["pub-blank", "pub-guess"] {
                let target = row.target(PLAIN, &kept).replace("pub-plain", key);
                let told = Told::by(keysets.call(row.method, &target, &row.body(PLAIN, &kept))).await;
                assert!(told.status == 400 && told.body.contains("Invalid Key"), "{what}: {told:?}");
            }
        }
    }
    for row in ROWS.iter().filter(|row| !matches!(row.needs, Needs::Secret | Needs::Ticket)) {
        let told = row.ask(&keysets, PLAIN, &kept, Some(&late)).await;
        assert_eq!(told.status, row.answered, "{}: {told:?}", row.name());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_for_a_file_is_good_for_that_alone() {
    let keysets = Keysets::start().await;
    let api = keysets.server.api();
    let kept = keysets.furnish(ACME).await;
    let generate = kept.fill(ACME, "/v1/files/{sub}/channels/{channel}/generate-upload-url?uuid=kept-ann");
    let body = serde_json::json!({"name": "kept.txt"});
    let new = keysets.signed(ACME, "POST", &generate, &body).await;
    let upload = ticket_of(new["file_upload_request"]["url"].as_str().unwrap());
    let file = kept.fill(ACME, "/v1/files/{sub}/channels/{channel}/files/{file}/{*name}?uuid=kept-ann");
    let target = ACME.signed_with(&ACME.secret_key(), "GET", &file, b"");
    let download = ticket_of(api.get(&target).send().await.expect(307).header("location"));
    let changed = |path: &str| {
        let at = path.rfind('/').unwrap() + 20;
        format!("{}{}{}", &path[..at], if &path[at..=at] == "A" { "B" } else { "A" }, &path[at + 1..])
    };
    let refused = |told: &Told, what: &str| {
        assert_eq!(told.status, 403, "{what}: {told:?}");
        assert!(told.body.contains("The URL is not one of this server's"), "{what}: {told:?}");
        for name in kept.all() {
            assert!(!told.body.contains(name), "{what}: {told:?}");
        }
    };
    let as_other = |path: &str| path.replace(&*ACME.subscribe_key(), &GLOBEX.subscribe_key());
    for target in [changed(&download), as_other(&download), upload.replace("/upload/", "/download/")] {
        refused(&Told::by(api.get(&target)).await, &target);
    }
    for target in [changed(&upload), as_other(&upload), download.replace("/download/", "/upload/")] {
        refused(&keysets.upload(&target).await, &target);
    }
    // It is all that is asked for, also of who shows a token of another keyset.
    assert_eq!(keysets.upload(&upload).await.status, 204);
    assert_eq!(api.get(&download).send().await.expect(200).text(), "kept");
    // And the file is gone with its record, though the URL is still good.
    let target = ACME.signed_with(&ACME.secret_key(), "DELETE", &file, b"");
    api.delete(&target).send().await.expect(200);
    api.get(&download).send().await.expect(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_granted_to_a_key_is_granted_in_one_keyset_and_for_what_was_said() {
    let keysets = Keysets::start().await;
    let kept = keysets.furnish(ACME).await;
    let gone = keysets.gone(&kept);
    let null = serde_json::json!(null);
    let grant = kept.fill(ACME, "/v2/auth/grant/sub-key/{sub}?auth=granted&channel={channel}&r=1&ttl=5");
    keysets.signed(ACME, "GET", &grant, &null).await;
    let ask = async |org: Org, names: &Names, pattern: &str, auth: &str| {
        let target = names.fill(org, &format!("{pattern}?uuid=asker&auth={auth}"));
        Told::by(keysets.call("GET", &target, b"")).await
    };
    const HISTORY: &str = "/v3/history/sub-key/{sub}/channel/{channel}";
    const PUBLISH: &str = "/publish/{pub}/{sub}/0/{channel}/0/{*json}";
    assert_eq!(ask(ACME, &kept, HISTORY, "granted").await.status, 200);
    for (org, names, pattern, auth) in [
        (ACME, &kept, HISTORY, "guessed"),
        (ACME, &kept, PUBLISH, "granted"),
        (ACME, &gone, HISTORY, "granted"),
        (GLOBEX, &kept, HISTORY, "granted"),
    ] {
        let told = ask(org, names, pattern, auth).await;
        assert_eq!(told.status, 403, "{org:?} {pattern} with {auth}: {told:?}");
        assert!(told.body.contains("Forbidden"), "{told:?}");
    }
    let revoke = kept.fill(ACME, "/v2/auth/grant/sub-key/{sub}?auth=granted&channel={channel}&r=0&ttl=5");
    keysets.signed(ACME, "GET", &revoke, &null).await;
    assert_eq!(ask(ACME, &kept, HISTORY, "granted").await.status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_names_those_are_refused_that_may_not_be_read() {
    let keysets = Keysets::start().await;
    let kept = keysets.furnish(ACME).await;
    let needs = &[(On::Channel("kept-room"), Bits::READ), (On::Group("kept-grp"), Bits::READ)];
    let token = keysets.token_of(ACME, scopes(needs, |_, bits| bits), 1, None);
    for (names, groups, refused) in [
        ("kept-room,kept-two", "", serde_json::json!({"channels": ["kept-two"]})),
        ("kept-room-pnpres", "", serde_json::json!({"channels": ["kept-room-pnpres"]})),
        ("kept.*,kept-room", "", serde_json::json!({"channels": ["kept.*"]})),
        (
            "gone-room",
            "gone-grp,kept-grp",
            serde_json::json!({"channels": ["gone-room"], "channel-groups": ["gone-grp"]}),
        ),
        (",", "kept-grp-pnpres", serde_json::json!({"channel-groups": ["kept-grp-pnpres"]})),
    ] {
        for pattern in ["/v2/subscribe/{sub}/{names}/0", "/v2/presence/sub-key/{sub}/channel/{names}"] {
            let path = kept.fill(ACME, pattern).replace("{names}", names);
            let target = with_auth(&format!("{path}?uuid=asker&channel-group={groups}"), Some(&token));
            let told = Told::by(keysets.call("GET", &target, b"")).await;
            assert_eq!((told.status, &told.json()["payload"]), (403, &refused), "{target}: {told:?}");
        }
    }
}

/// Those who are refused, and a word of what they are told.
struct Refused;

impl Refused {
    async fn all(keysets: &Keysets) -> Vec<(&'static str, Option<String>, &'static str)> {
        let revoked = keysets.token_for_all(ACME, 2, None);
        let target = format!("/v3/pam/{}/grant/{revoked}", ACME.subscribe_key());
        keysets.signed(ACME, "DELETE", &target, &serde_json::json!(null)).await;
        let mut changed = keysets.token_for_all(ACME, 1, None);
        changed.replace_range(60..61, if &changed[60..61] == "A" { "B" } else { "A" });
        let elsewhere = keysets.token_of(ACME, scopes(&[], |_, bits| bits), 1, None);
        vec![
            ("nothing", None, "Forbidden"),
            ("an auth key", Some("key".to_owned()), "Forbidden"),
            ("a token for something else", Some(elsewhere), "Forbidden"),
            ("an expired token", Some(keysets.token_for_all(ACME, 3600, None)), "Token is expired."),
            ("a revoked token", Some(revoked), "Token is revoked."),
            (
                "another's token",
                Some(keysets.token_for_all(ACME, 1, Some("bob"))),
                "Token is for another uuid.",
            ),
            ("a changed token", Some(changed), "Token "),
            (
                "another keyset's token",
                Some(keysets.token_for_all(GLOBEX, 1, None)),
                "Token signature is invalid.",
            ),
        ]
    }
}

fn check(row: &Row, kept: &Names, says: &str, told: &Told, what: &str) {
    let what = &format!("{what}: {told:?}");
    match row.needs {
        Needs::Nothing => return assert_eq!(told.status, row.answered, "{what}"),
        Needs::LeftOut if says == "Forbidden" => assert_eq!(told.status, row.answered, "{what}"),
        _ => {
            assert_eq!(told.status, 403, "{what}");
            // Of a ticket it is the ticket that is not good.
            assert!(row.method == "HEAD" || row.needs == Needs::Ticket || told.body.contains(says), "{what}");
        }
    }
    // Nothing is named that the asker did not name.
    let asked = row.target(ACME, kept) + &String::from_utf8(row.body(ACME, kept)).unwrap();
    for name in kept.all() {
        assert!(asked.contains(name) || !told.body.contains(name), "{what} names {name}");
    }
}

/// All bits but these.
fn without(bits: Bits) -> Bits {
    Bits::from_bits(u64::from(Bits::ALL.bits() & !bits.bits())).unwrap()
}
