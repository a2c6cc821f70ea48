use serde_json::json;

use crate::{Polled, Running, Setup};

const PRESENCE: &str = "/v2/presence/sub-key/demo";

#[test]
fn heartbeats_and_leaves_are_answered_as_clients_know_it() {
    let server = Running::start();
    assert_eq!(
        server.get(&format!("{PRESENCE}/channel/a,b/heartbeat?uuid=ann&heartbeat=300&state=%7B%7D")),
        json!({"status": 200, "message": "OK", "service": "Presence"})
    );
    assert_eq!(server.get(&format!("{PRESENCE}/channel/a"))["uuids"], json!(["ann"]));
    assert_eq!(
        server.get(&format!("{PRESENCE}/channel/a,a-pnpres/leave?uuid=ann")),
        json!({"status": 200, "message": "OK", "action": "leave", "service": "Presence"})
    );
    assert_eq!(server.get(&format!("{PRESENCE}/channel/a"))["occupancy"], 0);
    assert_eq!(server.get(&format!("{PRESENCE}/channel/b"))["occupancy"], 1);
    let (status, body) = server.refused(&format!("{PRESENCE}/channel/a/heartbeat?uuid=ann&state=%7B"));
    assert_eq!((status, &body["service"], &body["error"]), (400, &json!("Presence"), &json!(1)));
    server.stop();
}

#[test]
fn here_now_has_the_shape_that_was_asked_for() {
    let server = Running::start();
    server.handshake("a,b", "ann", "&state=%7B%22a%22%3A%7B%22mood%22%3A1%7D%7D");
    let flat = server.get(&format!("{PRESENCE}/channel/a"));
    let expected =
        json!({"status": 200, "message": "OK", "service": "Presence", "occupancy": 1, "uuids": ["ann"]});
    assert_eq!(flat, expected);
    let state = server.get(&format!("{PRESENCE}/channel/a?state=1"));
    assert_eq!(state["uuids"], json!([{"uuid": "ann", "state": {"mood": 1}}]));
    let without = server.get(&format!("{PRESENCE}/channel/b?state=1"));
    assert_eq!(without["uuids"], json!([{"uuid": "ann"}]));
    let anonymous = server.get(&format!("{PRESENCE}/channel/a?disable_uuids=1"));
    assert_eq!((&anonymous["occupancy"], anonymous.get("uuids")), (&json!(1), None));
    let several = server.get(&format!("{PRESENCE}/channel/a,c"));
    assert_eq!(
        several["payload"],
        json!({
            "channels": {"a": {"occupancy": 1, "uuids": ["ann"]}, "c": {"occupancy": 0, "uuids": []}},
            "total_channels": 2, "total_occupancy": 1,
        })
    );
    let twice = server.get(&format!("{PRESENCE}/channel/a,a"));
    assert_eq!(twice["payload"]["total_channels"], 1, "a client that names two wants the other shape");
    server.get("/v1/channel-registration/sub-key/demo/channel-group/news?add=b");
    let group = server.get(&format!("{PRESENCE}/channel/,?channel-group=news"));
    assert_eq!(group["payload"]["channels"], json!({"b": {"occupancy": 1, "uuids": ["ann"]}}));
    let everywhere = server.get(&format!("{PRESENCE}?disable_uuids=1"));
    assert_eq!(
        everywhere["payload"],
        json!({
            "channels": {"a": {"occupancy": 1}, "b": {"occupancy": 1}},
            "total_channels": 2, "total_occupancy": 2,
        })
    );
    server.stop();
}

#[test]
fn where_now_is_a_list() {
    let server = Running::start();
    server.handshake("b,a", "ann", "");
    let mut channels = server.get(&format!("{PRESENCE}/uuid/ann"));
    channels["payload"]["channels"].as_array_mut().unwrap().sort_by_key(ToString::to_string);
    assert_eq!(channels["payload"], json!({"channels": ["a", "b"]}));
    assert_eq!(server.get(&format!("{PRESENCE}/uuid/nobody"))["payload"], json!({"channels": []}));
    server.stop();
}

#[test]
fn states_are_set_told_and_read() {
    let server = Running::start();
    let since = server.handshake("a,a-pnpres,b", "ann", "");
    let set =
        server.get(&format!("{PRESENCE}/channel/a,b/uuid/ann/data?uuid=ann&state=%7B%22mood%22%3A1%7D"));
    assert_eq!(set, json!({"status": 200, "message": "OK", "payload": {"mood": 1}, "service": "Presence"}));
    let polled = server.poll("a,a-pnpres,b", "ann", &since, "");
    assert_eq!(polled.events(), [("join".into(), "ann".into()), ("state-change".into(), "ann".into())]);
    assert_eq!(polled.envelopes[1]["d"]["data"], json!({"mood": 1}));
    let one = server.get(&format!("{PRESENCE}/channel/a/uuid/ann"));
    assert_eq!(
        (&one["payload"], &one["uuid"], &one["channel"]),
        (&json!({"mood": 1}), &json!("ann"), &json!("a"))
    );
    let several = server.get(&format!("{PRESENCE}/channel/a,c/uuid/ann"));
    assert_eq!(several["payload"], json!({"channels": {"a": {"mood": 1}, "c": {}}}));
    let (status, body) = server.refused(&format!("{PRESENCE}/channel/a/uuid/ann/data?uuid=ann"));
    let expected =
        json!({"status": 400, "error": 1, "message": "No state specified.", "service": "Presence"});
    assert_eq!((status, body), (400, expected));
    server.stop();
}

#[test]
fn a_state_that_is_set_before_its_member_comes_waits_for_him() {
    let server = Running::start();
    let since = server.handshake("a-pnpres", "bob", "");
    server.get(&format!("{PRESENCE}/channel/a/uuid/ann/data?uuid=ann&state=%7B%22mood%22%3A1%7D"));
    assert_eq!(server.get(&format!("{PRESENCE}/channel/a"))["occupancy"], 0);
    let read = server.get(&format!("{PRESENCE}/channel/a/uuid/ann"));
    assert_eq!(read["payload"], json!({"mood": 1}));
    server.handshake("a", "ann", "");
    let polled = server.poll("a-pnpres", "bob", &since, "");
    assert_eq!(polled.events(), [("join".into(), "ann".into())]);
    assert_eq!(polled.envelopes[0]["d"]["data"], json!({"mood": 1}));
    let here = server.get(&format!("{PRESENCE}/channel/a?state=1"));
    assert_eq!(here["uuids"], json!([{"uuid": "ann", "state": {"mood": 1}}]));
    server.stop();
}

#[test]
fn who_joins_hears_of_himself_and_others_of_him() {
    let server = Running::start();
    let since = server.handshake("room,room-pnpres", "ann", "");
    let polled = server.poll("room,room-pnpres", "ann", &since, "");
    assert_eq!(polled.events(), [("join".into(), "ann".into())]);
    let envelope = &polled.envelopes[0];
    assert_eq!((&envelope["c"], &envelope["k"]), (&json!("room-pnpres"), &json!("demo")));
    assert_eq!((&envelope["d"]["occupancy"], &envelope["u"]["pn_ispresence"]), (&json!(1), &json!(1)));
    assert!(envelope["d"]["timestamp"].is_u64());
    let mut waiting = server.begin_poll("room,room-pnpres", "ann", &polled.since, "");
    server.until_waiting(1);
    server.handshake("room", "bob", "");
    let polled = Polled::of(&waiting.response("GET").json());
    assert_eq!(polled.events(), [("join".into(), "bob".into())]);
    server.get(&format!("{PRESENCE}/channel/room/leave?uuid=bob"));
    let polled = server.poll("room,room-pnpres", "ann", &polled.since, "");
    assert_eq!(polled.events(), [("leave".into(), "bob".into())]);
    server.stop();
}

#[test]
fn who_is_silent_for_too_long_is_timed_out() {
    let server = Setup::default().start();
    let since = server.handshake("room-pnpres", "bob", "");
    server.handshake("room", "ann", "&heartbeat=1");
    let polled = server.poll("room-pnpres", "bob", &since, "");
    assert_eq!(polled.events(), [("join".into(), "ann".into())]);
    let polled = server.poll("room-pnpres", "bob", &polled.since, "");
    assert_eq!(polled.events(), [("timeout".into(), "ann".into())]);
    assert_eq!(server.get(&format!("{PRESENCE}/channel/room"))["occupancy"], 0);
    server.stop();
}

#[test]
fn a_uuid_is_present_once_however_often_it_subscribes() {
    let server = Running::start();
    let since = server.handshake("room", "ann", "");
    let waiting = [0; 3].map(|_| server.begin_poll("room", "ann", &since, ""));
    server.until_waiting(3);
    assert_eq!(server.get(&format!("{PRESENCE}/channel/room"))["occupancy"], 1);
    drop(waiting);
    server.until_waiting(0);
    assert_eq!(server.get(&format!("{PRESENCE}/channel/room"))["occupancy"], 1);
    server.stop();
}
