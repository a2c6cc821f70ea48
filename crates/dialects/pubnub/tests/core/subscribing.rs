use std::time::Duration;

use antiphon_hub::Rule;
use serde_json::{Value, json};

use crate::{Polled, Running, Setup, encoded};

#[test]
fn a_poll_waits_and_has_what_came_at_once() {
    let server = Running::start();
    let since = server.handshake("a,b", "bob", "");
    let mut waiting = server.begin_poll("a%2Cb,a", "bob", &since, "");
    server.until_waiting(1);
    let at = server.publish("b", "ann", &json!(1), "");
    let polled = Polled::of(&waiting.response("GET").json());
    assert_eq!((polled.payloads(), &polled.since), (vec![json!(1)], &at));
    server.stop();
}

#[test]
fn nothing_is_an_answer_when_the_time_is_up() {
    let server = Setup::new(|settings| settings.subscribe_wait_max = Duration::from_secs(1)).start();
    let since = server.handshake("a", "bob", "");
    let elsewhere = server.publish("b", "ann", &json!(1), "");
    let polled = server.poll("a", "bob", &since, "");
    assert!(polled.envelopes.is_empty());
    assert!(polled.since >= elsewhere, "it has seen all there was");
    server.stop();
}

#[test]
fn what_was_missed_comes_in_parts_and_in_order() {
    for persist in [true, false] {
        let rule = Rule { persist, ring_size: if persist { 5 } else { 100 }, ..Rule::default() };
        let mut setup = Setup { rule, ..Setup::default() };
        setup.settings.messages_per_answer_max = 7;
        let server = setup.start();
        let mut since = server.handshake("a,b", "bob", "");
        for number in 0..40 {
            let channel = if number % 3 == 0 { "a" } else { "b" };
            server.publish(channel, "ann", &json!(number), "");
        }
        let mut got = Vec::new();
        while got.len() < 40 {
            let polled = server.poll("a,b", "bob", &since, "");
            assert!(!polled.envelopes.is_empty() && polled.envelopes.len() <= 7);
            got.extend(polled.payloads());
            since = polled.since;
        }
        assert_eq!(got, (0..40).map(Value::from).collect::<Vec<_>>(), "persist = {persist}");
        server.stop();
    }
}

#[test]
fn an_old_timetoken_goes_on_after_channels_were_changed() {
    let server = Running::start();
    let since = server.handshake("a", "bob", "");
    server.publish("a", "ann", &json!("a1"), "");
    server.publish("b", "ann", &json!("b1"), "");
    // As the JavaScript SDK does: begins anew, and then goes on with the timetoken that it had.
    server.handshake("a,b", "bob", "");
    let polled = server.poll("a,b", "bob", &since, "");
    assert_eq!(polled.payloads(), [json!("a1"), json!("b1")]);
    server.stop();
}

#[test]
fn a_client_that_forgets_where_it_was_is_told() {
    let server = Running::start();
    let since = server.handshake("a", "bob", "");
    let given_up = server.begin_poll("a", "bob", &since, "&tr=1");
    server.until_waiting(1);
    server.publish("a", "ann", &json!("a1"), "");
    drop(given_up);
    // As the Python SDK does: begins anew, and goes on with what it is told.
    let since = server.handshake("a,b", "bob", "&tr=1");
    assert_eq!(server.poll("a,b", "bob", &since, "&tr=1").payloads(), [json!("a1")]);
    let elsewhere = server.handshake("a,b", "bob", "");
    assert!(elsewhere > since, "another client of that uuid begins where it is");
    server.stop();
}

#[test]
fn polls_that_overlap_each_have_everything() {
    let server = Running::start();
    let since = server.handshake("a", "bob", "");
    let mut waiting = [0; 2].map(|_| server.begin_poll("a", "bob", &since, ""));
    server.until_waiting(2);
    server.publish("a", "ann", &json!(1), "");
    for connection in &mut waiting {
        assert_eq!(Polled::of(&connection.response("GET").json()).payloads(), [json!(1)]);
    }
    server.stop();
}

#[test]
fn wildcards_match_what_lies_below_once() {
    let server = Running::start();
    let names = "a.*,a.b,a.b.*,a.*-pnpres";
    let since = server.handshake(names, "bob", "");
    let joined = server.poll(names, "bob", &since, "");
    assert_eq!(joined.events(), [(); 3].map(|()| ("join".to_owned(), "bob".to_owned())));
    let mut channels: Vec<_> = joined.envelopes.iter().map(|one| one["c"].clone()).collect();
    channels.sort_by_key(ToString::to_string);
    assert_eq!(channels, [json!("a.*-pnpres"), json!("a.b-pnpres"), json!("a.b.*-pnpres")]);
    for caught_up in [false, true] {
        let before = server.node().hub().org(&antiphon_model::OrgId::new("demo")).unwrap().delivered();
        let mut waiting =
            if caught_up { None } else { Some(server.begin_poll(names, "bob", &joined.since, "")) };
        if !caught_up {
            server.until_waiting(1);
        }
        server.publish("a.b", "ann", &json!("direct"), "");
        let mut got = Vec::new();
        let mut since = before.to_string();
        if let Some(waiting) = &mut waiting {
            let polled = Polled::of(&waiting.response("GET").json());
            since = polled.since.clone();
            got.extend(polled.envelopes);
        }
        server.publish("a.b.c", "ann", &json!("deep"), "");
        server.publish("a.x", "ann", &json!("wide"), "");
        server.publish("ab", "ann", &json!("not"), "");
        while got.len() < 3 {
            let polled = server.poll(names, "bob", &since, "");
            since = polled.since.clone();
            got.extend(polled.envelopes);
        }
        let matched: Vec<_> = got.iter().map(|one| (one["d"].clone(), one["b"].clone())).collect();
        assert_eq!(
            matched,
            [(json!("direct"), json!("a.b")), (json!("deep"), json!("a.b.*")), (json!("wide"), json!("a.*")),],
            "caught up: {caught_up}"
        );
    }
    server.stop();
}

#[test]
fn other_asterisks_are_names() {
    let server = Running::start();
    let since = server.handshake("a.b.c.*,*", "bob", "");
    server.publish("a.b.c.d", "ann", &json!("not"), "");
    server.publish("*", "ann", &json!("literal"), "");
    assert_eq!(server.poll("a.b.c.*,*", "bob", &since, "").payloads(), [json!("literal")]);
    server.stop();
}

#[test]
fn filters_let_through_what_they_say() {
    let server = Running::start();
    let filter = format!("&filter-expr={}", encoded("lang == 'en' && data.n > 1"));
    let since = server.handshake("a", "bob", &filter);
    let meta = |lang: &str| format!("&meta={}", encoded(&json!({ "lang": lang }).to_string()));
    for (n, lang) in [(1, "en"), (2, "de"), (3, "en")] {
        server.publish("a", "ann", &json!({ "n": n }), &meta(lang));
    }
    let polled = server.poll("a", "bob", &since, &filter);
    assert_eq!(polled.payloads(), [json!({"n": 3})]);
    let mut waiting = server.begin_poll("a", "bob", &polled.since, &filter);
    server.until_waiting(1);
    server.publish("a", "ann", &json!({ "n": 4 }), &meta("de"));
    server.publish("a", "ann", &json!({ "n": 5 }), &meta("en"));
    assert_eq!(Polled::of(&waiting.response("GET").json()).payloads(), [json!({"n": 5})]);
    let (status, body) = server.refused(&format!("/v2/subscribe/demo/a/0?filter-expr={}", encoded("a == ")));
    assert_eq!((status, &body["error"], &body["status"]), (481, &json!(true), &json!(481)));
    assert!(body["message"].as_str().unwrap().contains("at character 6"), "{body}");
    server.stop();
}

#[test]
fn a_poll_ends_when_its_client_goes_or_the_server_does() {
    let server = Running::start();
    let since = server.handshake("a", "bob", "");
    let gone = server.begin_poll("a", "bob", &since, "");
    server.until_waiting(1);
    drop(gone);
    server.until_waiting(0);
    let mut waiting = server.begin_poll("a", "bob", &since, "");
    server.until_waiting(1);
    server.stop();
    let answer = Polled::of(&waiting.response("GET").json());
    assert!(answer.envelopes.is_empty());
}

#[test]
fn what_is_not_to_be_stored_comes_all_the_same_and_what_is_fired_does_not() {
    let server = Running::start();
    let since = server.handshake("a", "bob", "");
    let fired = server.publish("a", "ann", &json!("fired"), "&store=0&norep=true");
    let sent = server.publish("a", "ann", &json!("sent"), "&store=0");
    server.publish("a", "ann", &json!("not replicated"), "&norep=true");
    assert!(fired.len() == 17 && fired < sent);
    assert_eq!(server.poll("a", "bob", &since, "").payloads(), [json!("sent"), json!("not replicated")]);
    let (status, _) = server.refused("/publish/demo/demo/0/a/0/%7B?store=0&norep=1");
    assert_eq!(status, 400);
    server.stop();
}

#[test]
fn what_makes_no_sense_is_refused() {
    let server = Running::start();
    for target in
        ["/v2/subscribe/demo/,/0?tt=0", "/v2/subscribe/demo/a/0?tt=x", "/v2/subscribe/demo/a/0?state=1"]
    {
        let (status, body) = server.refused(target);
        assert_eq!((status, &body["error"]), (400, &json!(true)), "{target}");
    }
    server.stop();
}
