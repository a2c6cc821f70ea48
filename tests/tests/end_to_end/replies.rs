//! One calls, many answer.

use antiphon_tests::{Metrics, Server, Target, V1, eventually, position, within};
use serde_json::{Value, json};

/// The path to which replies to a broadcast go.
fn replies_to(target: &Target, broadcast: &Value, identity: &str) -> String {
    let at = position(&broadcast["position"]);
    target.path_below(&format!("/broadcasts/{at}/replies"), &format!("identity={identity}"))
}

async fn listening(target: &Target, identity: &str) -> V1 {
    let mut client = V1::connect(&target.api, &format!("identity={identity}")).await;
    client.subscribe(json!(target.channel)).await;
    client
}

fn by_publisher(replies: &Value) -> Vec<(String, Value)> {
    let pair = |reply: &Value| (reply["publisher"].as_str().unwrap().to_owned(), reply["payload"].clone());
    let mut pairs: Vec<_> = replies.as_array().unwrap().iter().map(pair).collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    pairs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broadcast_by_post_collects_replies_of_every_kind() {
    let server = Server::start("").await;
    let target = server.target("crew");
    let (mut ann, mut ben) = (listening(&target, "ann").await, listening(&target, "ben").await);
    let path = target.path("identity=cat");
    let mut cat = server.api().get(&path).header("accept", "application/x-ndjson").stream().await;
    assert_eq!(cat.json().await["type"], "open");

    let call = server
        .api()
        .post(&target.path_below("/broadcasts", "timeout=20s&until=3&identity=captain&name=roll"));
    let call = tokio::spawn(call.json(&json!("who is here?")).send());
    let heard = ann.next().await;
    assert_eq!(
        (&heard["payload"], &heard["expects_replies"]),
        (&json!("who is here?"), &json!(true)),
        "{heard}"
    );
    assert_eq!((&heard["name"], &heard["publisher"]), (&json!("roll"), &json!("captain")));
    ann.ask(json!({"type": "reply", "channel": "crew", "to": heard["position"], "payload": {"deck": 1}}))
        .await;
    let heard = ben.next().await;
    let answer = server.api().post(&replies_to(&target, &heard, "ben")).text("aye").send().await;
    assert_eq!(answer.expect(202).json(), json!({}));
    let heard = cat.json().await;
    let answer = server.api().post(&replies_to(&target, &heard, "cat"));
    answer.body("application/octet-stream", &b"\x00\xff"[..]).send().await.expect(202);

    let collected = within("the broadcast's answer", call).await.unwrap().expect(200).json();
    assert_eq!(collected["position"], heard["position"]);
    assert_eq!(collected["complete"], true);
    let expected = [("ann", json!({"deck": 1})), ("ben", json!("aye")), ("cat", json!("AP8="))];
    assert_eq!(by_publisher(&collected["replies"]), expected.map(|(who, payload)| (who.to_owned(), payload)));
    let binary = collected["replies"].as_array().unwrap().iter().find(|reply| reply["publisher"] == "cat");
    assert_eq!(binary.unwrap()["encoding"], "base64");

    // Nobody collects any more.
    let late = server.api().post(&replies_to(&target, &heard, "dan")).json(&json!("too late")).send().await;
    assert_eq!(late.problem(404)["type"], "urn:antiphon:problem:nobody-collects");
    let late = json!({"type": "reply", "channel": "crew", "to": heard["position"], "payload": 1});
    let late = ann.try_ask(late).await.unwrap();
    assert_eq!((&late["type"], &late["error"]["status"]), (&json!("error"), &json!(404)), "{late}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broadcast_ends_when_its_time_is_up() {
    let server = Server::start("").await;
    let target = server.target("crew");
    let mut ann = listening(&target, "ann").await;
    let call = server.api().post(&target.path_below("/broadcasts", "timeout=700&until=2"));
    let call = tokio::spawn(call.json(&json!("anybody?")).send());
    let heard = ann.next().await;
    ann.ask(json!({"type": "reply", "channel": "crew", "to": heard["position"], "payload": 1})).await;
    let collected = within("the broadcast's answer", call).await.unwrap().expect(200).json();
    assert_eq!((&collected["complete"], collected["replies"].as_array().unwrap().len()), (&json!(false), 1));
    let late = json!({"type": "reply", "channel": "crew", "to": heard["position"], "payload": 2});
    assert_eq!(ann.try_ask(late).await.unwrap()["error"]["status"], 404);

    let call = server.api().post(&target.path_below("/broadcasts", "timeout=50ms")).json(&json!("alone"));
    let collected = call.send().await.expect(200).json();
    assert_eq!(collected["replies"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_end_with_the_one_who_asked() {
    let server = Server::start("").await;
    let target = server.target("crew");
    let mut ann = listening(&target, "ann").await;

    let call = server.api().post(&target.path_below("/broadcasts", "timeout=50s&until=2"));
    let call = tokio::spawn(call.json(&json!("by POST")).send());
    let heard = ann.next().await;
    call.abort();
    nobody_collects(&server, &target, &heard).await;

    let mut captain = V1::connect(&server.api(), "identity=captain").await;
    let broadcast =
        json!({"type": "broadcast", "channel": "crew", "payload": "by v1", "timeout": 50_000, "until": 2});
    captain.ask(broadcast).await;
    let heard = ann.next().await;
    captain.abort();
    nobody_collects(&server, &target, &heard).await;
}

/// Replies are refused from some moment on, and nothing is left of the collection.
async fn nobody_collects(server: &Server, target: &Target, broadcast: &Value) {
    // Asking by replying would count as a reply.
    eventually("nobody collects", async || {
        let scrape = Metrics::scrape(&server.api()).await;
        (scrape.sum("antiphon_broadcasts_open") == 0.0).then_some(())
    })
    .await;
    let path = replies_to(target, broadcast, "ben");
    server.api().post(&path).json(&json!("too late")).send().await.problem(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broadcaster_over_v1_hears_each_reply_as_it_comes() {
    let server = Server::start("").await;
    let target = server.target("crew");
    let (mut ann, mut ben) = (listening(&target, "ann").await, listening(&target, "ben").await);
    let mut captain = V1::connect(&server.api(), "identity=captain").await;
    let broadcast =
        json!({"type": "broadcast", "channel": "crew", "payload": "?", "timeout": 20_000, "until": 2});
    let answer = captain.ask(broadcast).await;

    let heard = ann.next().await;
    assert_eq!(heard["position"], answer["position"]);
    ann.ask(json!({"type": "reply", "channel": "crew", "to": heard["position"], "payload": 1})).await;
    let reply = captain.next().await;
    assert_eq!((&reply["type"], &reply["id"]), (&json!("reply"), &answer["id"]), "{reply}");
    assert_eq!((&reply["payload"], &reply["publisher"]), (&json!(1), &json!("ann")));

    let heard = ben.next().await;
    ben.ask(json!({"type": "reply", "channel": "crew", "to": heard["position"], "payload": "AP8=", "encoding": "base64"}))
        .await;
    let reply = captain.next().await;
    assert_eq!((&reply["payload"], &reply["encoding"]), (&json!("AP8="), &json!("base64")), "{reply}");
    let end = captain.next().await;
    assert_eq!(end["type"], "replies_end", "{end}");
    assert_eq!((&end["id"], &end["complete"]), (&answer["id"], &json!(true)));

    let broadcast =
        json!({"type": "broadcast", "channel": "crew", "payload": "??", "timeout": 300, "until": 9});
    let answer = captain.ask(broadcast).await;
    let heard = ann.next().await;
    ann.ask(json!({"type": "reply", "channel": "crew", "to": heard["position"], "payload": 1})).await;
    assert_eq!(captain.next().await["type"], "reply");
    let end = captain.next().await;
    assert_eq!(
        (&end["type"], &end["id"], &end["complete"]),
        (&json!("replies_end"), &answer["id"], &json!(false))
    );
}
