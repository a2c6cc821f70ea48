//! Who is here, over several sessions and techniques.

use antiphon_tests::{Api, Server, Target, V1, WebSocket, eventually};
use serde_json::{Value, json};

const SHORT_GRACE: &str = "[timeouts]\npresence_grace = \"400ms\"\n";
const LONG_GRACE: &str = "[timeouts]\npresence_grace = \"1h\"\n";

/// Somebody who watches and is not counted.
struct Watcher(V1);

impl Watcher {
    async fn on(target: &Target) -> Watcher {
        let mut client = V1::connect(&target.api, "identity=watcher").await;
        client.subscribe(json!({"channel": target.channel, "presence": true})).await;
        Watcher(client)
    }

    /// The next event has to be this: name, identity, how many are here then.
    async fn expect(&mut self, name: &str, identity: &str, occupancy: usize) -> Value {
        let event = self.0.next().await;
        assert_eq!(event["kind"], "presence", "{event}");
        let payload = &event["payload"];
        let found = (event["name"].as_str(), payload["identity"].as_str(), payload["occupancy"].as_u64());
        assert_eq!(found, (Some(name), Some(identity), Some(occupancy as u64)), "{event}");
        event
    }
}

async fn joined(api: &Api, channel: &str, identity: &str) -> V1 {
    let mut client = V1::connect(api, &format!("identity={identity}")).await;
    client.subscribe(json!({"channel": channel, "join": true})).await;
    client
}

/// Identity and sessions of everybody who is here.
async fn members(target: &Target) -> Vec<(String, u64)> {
    let answer = target.api.get(&target.path_below("/presence", "")).send().await.expect(200).json();
    let members = answer["members"].as_array().unwrap();
    assert_eq!(answer["occupancy"].as_u64().unwrap(), members.len() as u64, "{answer}");
    let member =
        |one: &Value| (one["identity"].as_str().unwrap().to_owned(), one["sessions"].as_u64().unwrap());
    let mut members: Vec<_> = members.iter().map(member).collect();
    members.sort();
    members
}

fn pairs(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|(identity, sessions)| ((*identity).to_owned(), *sessions)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identity_counts_once_whatever_it_comes_by() {
    let server = Server::start(SHORT_GRACE).await;
    let (api, target) = (server.api(), server.target("lobby"));
    let mut watcher = Watcher::on(&target).await;

    let alice = joined(&api, "lobby", "alice").await;
    watcher.expect("join", "alice", 1).await;
    let path = target.path("join=true&identity=alice");
    let stream = api.get(&path).header("accept", "text/event-stream").stream().await;
    let bob =
        WebSocket::connect(api.address(), &target.path("join=true&identity=bob"), None, &[]).await.unwrap();
    watcher.expect("join", "bob", 2).await;
    let path = target.path("join=true&identity=carol&state=%7B%22mood%22%3A1%7D");
    let carol = api.get(&path).header("accept", "application/x-ndjson").stream().await;
    let event = watcher.expect("join", "carol", 3).await;
    assert_eq!(event["payload"]["state"], json!({"mood": 1}));
    assert_eq!(members(&target).await, pairs(&[("alice", 2), ("bob", 1), ("carol", 1)]));

    // A clean end is a leave, at once; the last session of an identity counts.
    bob.close().await;
    watcher.expect("leave", "bob", 2).await;
    alice.close().await;
    eventually("alice has one session", async || {
        (members(&target).await == pairs(&[("alice", 1), ("carol", 1)])).then_some(())
    })
    .await;
    // An HTTP stream can only break off.
    drop(stream);
    watcher.expect("timeout", "alice", 1).await;
    drop(carol);
    watcher.expect("timeout", "carol", 0).await;
    assert_eq!(members(&target).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_is_told_and_shown() {
    let server = Server::start("").await;
    let (api, target) = (server.api(), server.target("lobby"));
    let mut watcher = Watcher::on(&target).await;
    let mut alice = V1::connect(&api, "identity=alice").await;
    let refused = alice.try_ask(json!({"type": "state", "channel": "lobby", "state": {}})).await.unwrap();
    assert_eq!(refused["error"]["status"], 409, "{refused}");

    alice.subscribe(json!({"channel": "lobby", "join": true, "state": {"x": 1}})).await;
    let event = watcher.expect("join", "alice", 1).await;
    assert_eq!(event["payload"]["state"], json!({"x": 1}));
    alice.ask(json!({"type": "state", "channel": "lobby", "state": {"x": 2}})).await;
    let event = watcher.expect("state", "alice", 1).await;
    assert_eq!(event["payload"]["state"], json!({"x": 2}));
    let answer = alice.ask(json!({"type": "presence", "channel": "lobby"})).await;
    assert_eq!(answer["members"], json!([{"identity": "alice", "state": {"x": 2}, "sessions": 1}]));
    alice.ask(json!({"type": "unsubscribe", "channels": ["lobby"]})).await;
    watcher.expect("leave", "alice", 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_back_in_time_was_never_gone() {
    let server = Server::start(LONG_GRACE).await;
    let (api, target) = (server.api(), server.target("lobby"));
    let mut watcher = Watcher::on(&target).await;
    let alice = joined(&api, "lobby", "alice").await;
    watcher.expect("join", "alice", 1).await;
    alice.abort();
    eventually("the break is noticed", async || {
        (members(&target).await == pairs(&[("alice", 0)])).then_some(())
    })
    .await;
    let alice = joined(&api, "lobby", "alice").await;
    assert_eq!(members(&target).await, pairs(&[("alice", 1)]));
    // Had there been a timeout or a join of hers, it would come first.
    let bob = joined(&api, "lobby", "bob").await;
    watcher.expect("join", "bob", 2).await;
    bob.close().await;
    watcher.expect("leave", "bob", 1).await;
    alice.close().await;
    watcher.expect("leave", "alice", 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_connection_times_out() {
    let server = Server::start(SHORT_GRACE).await;
    let (api, target) = (server.api(), server.target("lobby"));
    let mut watcher = Watcher::on(&target).await;
    let path = target.path("join=true&identity=bob");
    let bob = WebSocket::connect(api.address(), &path, None, &[]).await.unwrap();
    watcher.expect("join", "bob", 1).await;
    bob.abort();
    watcher.expect("timeout", "bob", 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_without_a_connection_lasts_as_long_as_it_is_repeated() {
    let server = Server::start("").await;
    let (api, target) = (server.api(), server.target("lobby"));
    let mut watcher = Watcher::on(&target).await;
    let path = |query: &str| target.path_below("/presence", query);

    api.put(&path("identity=frank&ttl=500ms")).json(&json!({"x": 1})).send().await.expect(200);
    let event = watcher.expect("join", "frank", 1).await;
    assert_eq!(event["payload"]["state"], json!({"x": 1}));
    for _ in 0..3 {
        // Without a body the state stays.
        api.put(&path("identity=frank&ttl=500ms")).send().await.expect(200);
    }
    let answer = api.get(&path("")).send().await.expect(200).json();
    assert_eq!(answer["members"][0]["state"], json!({"x": 1}), "{answer}");
    watcher.expect("timeout", "frank", 0).await;

    api.put(&path("identity=grace")).send().await.expect(200);
    watcher.expect("join", "grace", 1).await;
    assert_eq!(api.delete(&path("identity=grace")).send().await.expect(200).json(), json!({}));
    watcher.expect("leave", "grace", 0).await;
}
