//! The disk fails, the messages go on.

use std::path::PathBuf;

use antiphon_tests::{Follower, Server, Technique, V1};
use rusqlite::Connection;
use serde_json::{Value, json};

const CONFIG: &str = "[store]\nbusy_timeout_millis = 100\n\n[[rule]]\nring_size = 10\n";

/// Another process that has the server's database locked.
struct Lock(Connection);

impl Lock {
    fn take(server: &Server) -> Lock {
        let connection = Connection::open(database(server)).unwrap();
        connection.busy_timeout(antiphon_tests::DEADLINE).unwrap();
        connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
        Lock(connection)
    }

    fn release(self) {
        self.0.execute_batch("ROLLBACK").unwrap();
    }
}

fn database(server: &Server) -> PathBuf {
    let entries = std::fs::read_dir(server.data_dir()).unwrap().map(|entry| entry.unwrap().path());
    let is_sqlite =
        |path: &PathBuf| std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0"));
    let found: Vec<_> = entries.filter(is_sqlite).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_store_is_told_to_publishers_and_delays_no_listener() {
    let server = Server::start(CONFIG).await;
    let (api, target) = (server.api(), server.target("room"));
    let publish = |payload: Value, key: &str| {
        api.post("/v1/channels/room?identity=p").json(&payload).header("idempotency-key", key).send()
    };
    publish(json!("before"), "before").await.expect(201);
    let mut followers: Vec<_> = Technique::ALL.map(|one| Follower::start(one, &target, 0)).into();
    for follower in &mut followers {
        follower.until("what was before", |heard| heard.has(&json!("before"))).await;
    }
    let lock = Lock::take(&server);
    let waiting = tokio::spawn(publish(json!("while locked"), "retried"));
    for follower in &mut followers {
        follower.until("what is not stored", |heard| heard.has(&json!("while locked"))).await;
    }
    let problem = antiphon_tests::within("an answer", waiting).await.unwrap().problem(503);
    assert_eq!(problem["type"], "urn:antiphon:problem:unavailable", "{problem}");
    let position = problem["position"].clone();
    let mut client = V1::connect(&api, "identity=q").await;
    let answer =
        client.try_ask(json!({"type": "publish", "channel": "room", "payload": "by v1"})).await.unwrap();
    assert_eq!(answer["error"]["status"], 503, "{answer}");
    let answer = api.post("/v1/channels/room?store=false").json(&json!("not to be stored")).send().await;
    assert_eq!(answer.expect(201).json()["stored"], false);
    lock.release();

    // The same attempt once more: it is stored, where it stood, and nobody hears it twice.
    let receipt = publish(json!("while locked"), "retried").await.expect(201).json();
    assert_eq!(receipt, json!({"position": position, "stored": true}));
    assert_eq!(publish(json!("while locked"), "retried").await.expect(201).json(), receipt);
    publish(json!("after"), "after").await.expect(201);
    let expected = ["before", "while locked", "by v1", "not to be stored", "after"].map(Value::from);
    for follower in &mut followers {
        let heard = follower.until("what comes after", |heard| heard.has(&json!("after"))).await;
        assert_eq!(heard.payloads(), expected.iter().collect::<Vec<_>>(), "{:?}", follower.technique);
        assert_eq!(heard.connections, 1, "{:?}", follower.technique);
    }
    drop(followers);

    let mut server = server;
    server.kill9().await;
    server.start_again().await;
    let page = server.api().get("/v1/channels/room").send().await.expect(200).json();
    let payloads: Vec<_> = page["messages"].as_array().unwrap().iter().map(|one| &one["payload"]).collect();
    assert_eq!(payloads, ["before", "while locked", "after"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_another_problem() {
    let server = Server::start("[store]\ndatabase_bytes_max = 400000\n").await;
    let (api, target) = (server.api(), server.target("room"));
    let mut follower = Follower::start(Technique::Ndjson, &target, 0);
    follower.until("its connection", |heard| heard.connections == 1).await;
    let big = "x".repeat(50_000);
    let mut published = 0;
    let problem = loop {
        let answer = api.post("/v1/channels/room").json(&json!([published, big])).send().await;
        published += 1;
        if !answer.status.is_success() {
            break answer.problem(507);
        }
        assert!(published < 100, "the database has no limit");
    };
    assert_eq!(problem["type"], "urn:antiphon:problem:storage-full", "{problem}");
    let heard = follower.until("the last", |heard| heard.messages.len() == published).await;
    let numbers: Vec<_> = heard.payloads().iter().map(|payload| payload[0].clone()).collect();
    assert_eq!(numbers, (0..published).map(Value::from).collect::<Vec<_>>());
    api.get("/v1/channels/room?limit=3").send().await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_belongs_to_one_server_at_a_time() {
    let mut server = Server::start("").await;
    let said = server.start_second().await;
    assert!(said.contains("in use"), "{said}");
    assert!(server.is_running());
    server.api().post("/v1/channels/room").json(&json!(1)).send().await.expect(201);
}
