use std::sync::Arc;

use antiphon_access::pam::Bits;
use antiphon_store::{MemoryStore, StoreSettings};
use serde_json::{Value, json};

use crate::history::{token, without};
use crate::{Running, Setup, encoded};

const OBJECTS: &str = "/v2/objects/demo";

fn patch(server: &Running, path: &str, body: &Value) -> Value {
    let answer = server.request("PATCH", &format!("{OBJECTS}/{path}"), body.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{path} {body}: {answer:?}");
    answer.json()
}

fn get(server: &Running, path: &str) -> Value {
    server.get(&format!("{OBJECTS}/{path}"))
}

/// The status and body of a request that is refused, in the shape that objects have for that.
fn refused(server: &Running, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = server.request(method, &format!("{OBJECTS}/{path}"), body.as_bytes());
    let body = answer.json();
    assert_eq!((&body["status"], &body["error"]["source"]), (&json!(answer.status), &json!("objects")));
    assert!(body["error"]["message"].is_string());
    (answer.status, body["error"].clone())
}

fn ids(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect()
}

#[test]
fn a_user_is_set_read_and_removed() {
    let server = Running::start();
    let since = server.handshake("ann%2F1", "bob", "");
    let body =
        json!({"name": "Ann", "email": "ann@example.org", "custom": {"age": 3}, "status": "on", "type": "t"});
    let set = patch(&server, "uuids/ann%2F1?uuid=ann&include=custom,status,type", &body);
    let data = &set["data"];
    let (updated, etag) = (data["updated"].as_str().unwrap(), data["eTag"].as_str().unwrap());
    assert_eq!((updated.len(), &updated[10..11], &updated[26..]), (27, "T", "Z"));
    let expected = json!({
        "id": "ann/1", "name": "Ann", "externalId": null, "profileUrl": null, "email": "ann@example.org",
        "status": "on", "type": "t", "custom": {"age": 3}, "updated": updated, "eTag": etag,
    });
    assert_eq!(set, json!({"status": 200, "data": expected}));
    assert_eq!(get(&server, "uuids/ann%2F1?include=custom"), set);
    let bare = patch(&server, "uuids/ann%2F1", &json!({"email": null, "custom": {"x": 1}}));
    assert_eq!((&bare["data"]["email"], bare["data"].get("custom")), (&Value::Null, None));
    assert_ne!(bare["data"]["eTag"], etag);
    assert_eq!(get(&server, "uuids/ann%2F1?include=custom")["data"]["custom"], json!({"x": 1}));
    let removed = server.request("DELETE", &format!("{OBJECTS}/uuids/ann%2F1"), b"");
    assert_eq!((removed.status, removed.json()), (200, json!({"status": 200, "data": null})));
    let (status, error) = refused(&server, "GET", "uuids/ann%2F1", &Value::Null);
    let expected = json!({"message": "Requested object was not found.", "source": "objects"});
    assert_eq!((status, error), (404, expected));
    let again = server.request("DELETE", &format!("{OBJECTS}/uuids/ann%2F1"), b"");
    assert_eq!(again.status, 200);
    let events = server.poll("ann%2F1", "bob", &since, "").envelopes;
    let told: Vec<_> =
        events.iter().map(|one| (&one["e"], &one["c"], &one["d"]["event"], &one["d"]["type"])).collect();
    let set = json!([2, "ann/1", "set", "uuid"]);
    assert_eq!(json!(told), json!([set, set, json!([2, "ann/1", "delete", "uuid"])]));
    assert_eq!(events[0]["d"]["data"]["custom"], json!({"age": 3}));
    assert_eq!((events[0].get("i"), events[0].get("u")), (None, None));
    assert_eq!(events[2]["d"]["data"], json!({"id": "ann/1"}));
    server.stop();
}

#[test]
fn an_object_that_has_changed_is_not_overwritten() {
    let server = Running::start();
    let set = patch(&server, "channels/room", &json!({"name": "Room"}));
    let etag = set["data"]["eTag"].as_str().unwrap();
    let with = |method: &str, path: &str, etag: &str| {
        let target = format!("{OBJECTS}/channels/{path}");
        server.connect().request(method, &target, &[("If-Match", etag)], br#"{"name":"Hall"}"#)
    };
    for wrong in ["other", "\"other\""] {
        let answer = with("PATCH", "room", wrong);
        assert_eq!((answer.status, &answer.json()["status"]), (412, &json!(412)));
    }
    assert_eq!(with("PATCH", "none", "*").status, 412);
    assert_eq!(with("DELETE", "room", "other").status, 412);
    let answer = with("PATCH", "room", &format!("\"{etag}\""));
    assert_eq!((answer.status, &answer.json()["data"]["name"]), (200, &json!("Hall")));
    assert_eq!(with("PATCH", "room", etag).status, 412);
    assert_eq!(with("PATCH", "room", "*").status, 200);
    assert_eq!(with("DELETE", "room", "*").status, 200);
    server.stop();
}

#[test]
fn lists_are_filtered_sorted_and_paged() {
    let server = Running::start();
    for (id, name, level) in [("u1", "Ann", 3), ("u2", "bob", 1), ("u3", "Cem", 2), ("u4", "ann", 9)] {
        patch(&server, &format!("uuids/{id}"), &json!({"name": name, "custom": {"level": level}}));
    }
    patch(&server, "channels/room", &json!({"name": "Room"}));
    assert_eq!(ids(&get(&server, "uuids")), ["u1", "u2", "u3", "u4"]);
    assert_eq!(ids(&get(&server, "channels")), ["room"]);
    for (filter, expected) in [
        ("name LIKE 'ann'", &["u1", "u4"][..]),
        ("name == \"Ann\" || custom.level < 2", &["u1", "u2"]),
        ("!(custom.level >= 2)", &["u2"]),
        ("id LIKE 'u*' && custom.level != 9", &["u1", "u2", "u3"]),
        ("email == null", &["u1", "u2", "u3", "u4"]),
        ("updated > '2999'", &[]),
    ] {
        assert_eq!(ids(&get(&server, &format!("uuids?filter={}", encoded(filter)))), expected, "{filter}");
    }
    for sort in ["sort=name&sort=id%3Adesc", "sort=name:asc,id:desc"] {
        let list = get(&server, &format!("uuids?{sort}&limit=3&count=true"));
        assert_eq!(ids(&list), ["u1", "u3", "u4"], "{sort}");
        assert_eq!((&list["totalCount"], &list["next"], list.get("prev")), (&json!(4), &json!("Mw"), None));
        let next = get(&server, &format!("uuids?{sort}&limit=3&start=Mw"));
        assert_eq!((ids(&next), next.get("next"), &next["prev"]), (vec!["u2"], None, &json!("Mw")));
        assert_eq!(next.get("totalCount"), None);
        assert_eq!(ids(&get(&server, &format!("uuids?{sort}&limit=2&end=Mw"))), ["u3", "u4"]);
    }
    for (query, location) in [
        ("filter=name%20%3D", "filter"),
        ("filter=nme==1", "filter"),
        ("sort=nme", "sort"),
        ("limit=none", "limit"),
        ("start=%21", "start"),
    ] {
        let (status, error) = refused(&server, "GET", &format!("uuids?{query}"), &Value::Null);
        let detail = &error["details"][0];
        assert_eq!(
            (status, &detail["location"], &detail["locationType"]),
            (400, &json!(location), &json!("query"))
        );
        assert!(detail["message"].is_string());
    }
    server.stop();
}

#[test]
fn what_cannot_be_set_is_told_with_its_place() {
    let server = Running::start();
    for (path, body, location) in [
        ("uuids/a", json!({"name": 1}), "name"),
        ("channels/a", json!({"custom": []}), "custom"),
        ("uuids/a", json!([]), ""),
        ("uuids/a/channels", json!({"set": [{"channel": {}}]}), "set[0].channel.id"),
        ("channels/a/uuids", json!({"delete": [{"uuid": {"id": "a\n"}}]}), "delete[0].uuid.id"),
    ] {
        let (status, error) = refused(&server, "PATCH", path, &body);
        assert_eq!((status, &error["details"][0]["location"]), (400, &json!(location)), "{path} {body}");
        assert_eq!(error["details"][0]["locationType"], "body");
    }
    let (status, error) = refused(&server, "PATCH", "uuids/a%00", &json!({}));
    assert_eq!((status, &error["details"][0]["locationType"]), (400, &json!("path")));
    server.stop();
    let server = Setup::new(|settings| settings.memberships_per_request_max = 1).start();
    let two = json!({"set": [{"channel": {"id": "a"}}, {"channel": {"id": "b"}}]});
    assert_eq!(refused(&server, "PATCH", "uuids/a/channels", &two).0, 400);
    server.stop();
}

#[test]
fn events_come_in_the_order_of_the_changes() {
    let server = Running::start();
    let since = server.handshake("room", "watcher", "");
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let server = &server;
            scope.spawn(move || {
                for n in 0..10 {
                    patch(server, "channels/room", &json!({"name": format!("{writer}/{n}")}));
                }
            });
        }
    });
    let mut polled = server.poll("room", "watcher", &since, "");
    let mut events = std::mem::take(&mut polled.envelopes);
    while events.len() < 40 {
        polled = server.poll("room", "watcher", &polled.since, "");
        events.append(&mut polled.envelopes);
    }
    let last = &events[39]["d"]["data"];
    let is = &get(&server, "channels/room")["data"];
    assert_eq!((&last["name"], &last["eTag"], &last["updated"]), (&is["name"], &is["eTag"], &is["updated"]));
    server.stop();
}

#[test]
fn what_the_store_does_not_take_is_refused() {
    let store = |change: fn(&mut StoreSettings)| {
        let mut settings = StoreSettings::default();
        change(&mut settings);
        Setup { store: Arc::new(MemoryStore::new(&settings).unwrap()), ..Setup::default() }.start()
    };
    let server = store(|settings| settings.objects_max = 1);
    patch(&server, "uuids/a", &json!({}));
    assert_eq!(refused(&server, "PATCH", "channels/b", &json!({})).0, 429);
    patch(&server, "uuids/a", &json!({"name": "Ann"}));
    server.stop();
    let server = store(|settings| settings.memberships_max = 1);
    let one = |id: &str| json!({"set": [{"channel": {"id": id}}]});
    patch(&server, "uuids/a/channels", &one("b"));
    assert_eq!(refused(&server, "PATCH", "uuids/a/channels", &one("c")).0, 429);
    server.stop();
    let server = store(|settings| settings.actions_per_message_max = 1);
    let add = |value: u64| {
        let body = json!({"type": "t", "value": value.to_string()}).to_string();
        let answer =
            server.request("POST", "/v1/message-actions/demo/channel/a/message/7?uuid=a", body.as_bytes());
        (answer.status, answer.json()["status"].clone())
    };
    assert_eq!((add(1), add(2)), ((200, json!(200)), (429, json!(429))));
    server.stop();
}

#[test]
fn memberships_are_seen_from_both_sides() {
    let server = Running::start();
    patch(&server, "uuids/ann", &json!({"name": "Ann", "custom": {"a": 1}}));
    patch(&server, "channels/room", &json!({"name": "Room", "description": "d", "status": "open"}));
    let since = server.handshake("ann,room,bob", "watcher", "");
    let body = json!({"set": [
        {"channel": {"id": "room"}, "custom": {"k": "v"}, "status": "s"},
        {"channel": {"id": "hall"}},
    ]});
    let include = "include=custom,status,channel,channel.custom&count=true";
    let set = patch(
        &server,
        &format!("uuids/ann/channels?{include}&filter={}", encoded("channel.id == 'room'")),
        &body,
    );
    let data = set["data"].as_array().unwrap();
    assert_eq!((data.len(), &set["totalCount"]), (1, &json!(1)));
    assert_eq!((&data[0]["custom"], &data[0]["status"]), (&json!({"k": "v"}), &json!("s")));
    let channel = &data[0]["channel"];
    assert_eq!(
        (&channel["name"], &channel["description"], &channel["custom"]),
        (&json!("Room"), &json!("d"), &Value::Null)
    );
    let bare = get(&server, "uuids/ann/channels?sort=channel.id");
    assert_eq!(
        (&bare["data"][0]["channel"], &bare["data"][1]["channel"]),
        (&json!({"id": "hall"}), &json!({"id": "room"}))
    );
    assert_eq!(bare["data"][1].get("custom"), None);
    let members =
        patch(&server, "channels/room/uuids?include=uuid.custom", &json!({"set": [{"uuid": {"id": "bob"}}]}));
    let members = members["data"].as_array().unwrap();
    assert_eq!(members.len(), 2);
    assert_eq!(
        (&members[0]["uuid"]["name"], &members[0]["uuid"]["custom"]),
        (&json!("Ann"), &json!({"a": 1}))
    );
    assert_eq!((&members[1]["uuid"]["id"], &members[1]["uuid"]["name"]), (&json!("bob"), &Value::Null));
    let anns = encoded("uuid.name LIKE 'an*'");
    assert_eq!(
        get(&server, &format!("channels/room/uuids?filter={anns}"))["data"].as_array().unwrap().len(),
        1
    );
    let left = patch(
        &server,
        "uuids/ann/channels",
        &json!({"set": [], "delete": [{"channel": {"id": "room"}}, {"channel": {"id": "none"}}]}),
    );
    assert_eq!(left["data"][0]["channel"], json!({"id": "hall"}));
    let events = server.poll("ann,room,bob", "watcher", &since, "").envelopes;
    let told: Vec<_> = events
        .iter()
        .map(|one| {
            let data = &one["d"]["data"];
            (&one["c"], &one["d"]["event"], &data["channel"]["id"], &data["uuid"]["id"])
        })
        .collect();
    let expected = [
        ("ann", "set", "room", "ann"),
        ("room", "set", "room", "ann"),
        ("ann", "set", "hall", "ann"),
        ("bob", "set", "room", "bob"),
        ("room", "set", "room", "bob"),
        ("ann", "delete", "room", "ann"),
        ("room", "delete", "room", "ann"),
    ];
    assert_eq!(json!(told), json!(expected));
    assert_eq!((&events[0]["d"]["type"], &events[0]["e"]), (&json!("membership"), &json!(2)));
    assert_eq!(events[0]["d"]["data"]["custom"], json!({"k": "v"}));
    server.stop();
}

#[test]
fn each_route_asks_for_its_permission() {
    const NONE: Bits = Bits::NONE;
    let server = Running::start();
    let (set_channel, set_uuid) =
        (json!({"set": [{"channel": {"id": "c"}}]}), json!({"set": [{"uuid": {"id": "u"}}]}));
    let nothing = json!({});
    for (method, path, body, on_channel, on_uuid) in [
        ("PATCH", "uuids/u", &nothing, NONE, Bits::UPDATE),
        ("GET", "uuids/u", &nothing, NONE, Bits::GET),
        ("PATCH", "channels/c", &nothing, Bits::UPDATE, NONE),
        ("GET", "channels/c", &nothing, Bits::GET, NONE),
        ("GET", "uuids/u/channels", &nothing, NONE, Bits::GET),
        ("PATCH", "uuids/u/channels", &set_channel, Bits::JOIN, Bits::UPDATE),
        ("GET", "channels/c/uuids", &nothing, Bits::GET, NONE),
        ("PATCH", "channels/c/uuids", &set_uuid, Bits::MANAGE, NONE),
        ("DELETE", "uuids/u", &nothing, NONE, Bits::DELETE),
        ("DELETE", "channels/c", &nothing, Bits::DELETE, NONE),
    ] {
        let asked = |on_channel: Bits, on_uuid: Bits| {
            let token = token(&server, [("c", on_channel)], [("u", on_uuid), ("x", Bits::GET)], "");
            let target = format!("/v2/objects/sub-guarded/{path}?uuid=ann&auth={}", encoded(&token));
            let body = if method == "PATCH" { body.to_string() } else { String::new() };
            server.request(method, &target, body.as_bytes())
        };
        let granted = asked(on_channel, on_uuid);
        assert_eq!(granted.status, 200, "{method} {path}: {granted:?}");
        for (needed, refused) in [
            (on_channel, asked(without(Bits::ALL, on_channel), on_uuid)),
            (on_uuid, asked(on_channel, without(Bits::ALL, on_uuid))),
        ] {
            if needed != NONE {
                assert_eq!(
                    (refused.status, &refused.json()["status"]),
                    (403, &json!(403)),
                    "{method} {path}"
                );
            }
        }
    }
    server.stop();
}

#[test]
fn who_may_get_all_lists_all() {
    let server = Running::start();
    for (path, all, expected) in
        [("uuids", ".*", 200), ("uuids", "^u", 403), ("channels", ".*", 200), ("channels", "^c", 403)]
    {
        let token = token(&server, [], [], all);
        let target = format!("/v2/objects/sub-guarded/{path}?uuid=ann&auth={}", encoded(&token));
        assert_eq!(server.request("GET", &target, b"").status, expected, "{path} {all}");
    }
    assert_eq!(server.request("GET", "/v2/objects/sub-guarded/uuids?uuid=ann", b"").status, 403);
    server.stop();
}
