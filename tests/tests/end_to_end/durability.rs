//! What was acknowledged is in the store after `kill -9`, at the position that was told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use antiphon_tests::{Api, Connection, Lost, Position, Server, Target, V1, position, within};
use serde_json::{Value, json};
use tokio::sync::watch;

const CONFIG: &str = "[[rule]]\nhistory_size = 100000\n";

/// How many messages a pipelining publisher sends before it waits for the first acknowledgement.
const WINDOW: usize = 16;

/// What was acknowledged.
#[derive(Clone)]
struct Acknowledged {
    messages: Arc<Mutex<BTreeMap<Position, Value>>>,
    count: watch::Sender<usize>,
}

impl Acknowledged {
    fn note(&self, position: Position, payload: Value) {
        let earlier = self.messages.lock().unwrap().insert(position, payload);
        assert_eq!(earlier, None, "{position} was given twice");
        self.count.send_modify(|count| *count += 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_in_the_history_after_kill_9() {
    let mut server = Server::start(CONFIG).await;
    let target = server.target("room");
    let acknowledged = Acknowledged { messages: Arc::default(), count: watch::Sender::new(0) };
    let mut highest = 0;
    for round in 0..6 {
        let publishers: Vec<_> = (0..6)
            .map(|at| {
                let (target, acknowledged) = (target.clone(), acknowledged.clone());
                let name = format!("{round}-{at}");
                tokio::spawn(async move {
                    // Each goes on until the server is gone.
                    let _ = match at % 2 {
                        0 => post(&target, &name, &acknowledged).await,
                        _ => pipeline(&target, &name, &acknowledged).await,
                    };
                })
            })
            .collect();
        let more = 50 + usize::from(random()) * 4;
        let until = *acknowledged.count.borrow() + more;
        let mut count = acknowledged.count.subscribe();
        within("acknowledgements", count.wait_for(|count| *count >= until)).await.unwrap();
        server.kill9().await;
        for publisher in publishers {
            within("the publisher notices", publisher).await.unwrap();
        }
        server.start_again().await;

        let history = history(&target).await;
        let acknowledged = acknowledged.messages.lock().unwrap().clone();
        for (position, payload) in &acknowledged {
            assert_eq!(history.get(position), Some(payload), "round {round}: {position} of {more} more");
        }
        let before = acknowledged.keys().chain(history.keys()).max().copied().unwrap();
        assert!(before > highest);
        let first = server.api().post(&target.path("")).json(&json!("first")).send().await.expect(201).json();
        highest = position(&first["position"]);
        assert!(highest > before, "{highest} was given after {before}");
    }
}

async fn post(target: &Target, name: &str, acknowledged: &Acknowledged) -> Result<(), Lost> {
    let mut connection: Connection = target.api.connect().await?;
    for number in 0.. {
        let payload = json!(format!("{name}-{number}"));
        let call = target.api.post(&target.path("")).json(&payload);
        let answer = call.try_send_over(&mut connection).await?.expect(201).json();
        assert_eq!(answer["stored"], true);
        acknowledged.note(position(&answer["position"]), payload);
    }
    Ok(())
}

async fn pipeline(target: &Target, name: &str, acknowledged: &Acknowledged) -> Result<(), Lost> {
    let api: &Api = &target.api;
    let connected = V1::try_connect(api, "").await;
    let mut client = connected.map_err(|refused| Lost(format!("{refused:?}")))?;
    let mut sent = BTreeMap::new();
    for number in 0.. {
        let payload = json!(format!("{name}-{number}"));
        let publish = json!({"type": "publish", "channel": target.channel, "payload": payload});
        sent.insert(client.send(publish).await?, payload);
        if sent.len() < WINDOW {
            continue;
        }
        let answer = client.try_next().await.map_err(|closed| Lost(format!("{closed:?}")))?;
        assert_eq!((&answer["type"], &answer["stored"]), (&json!("ok"), &json!(true)), "{answer}");
        let payload = sent.remove(&answer["id"].as_u64().unwrap()).expect("an answer to what was asked");
        acknowledged.note(position(&answer["position"]), payload);
    }
    Ok(())
}

async fn history(target: &Target) -> BTreeMap<Position, Value> {
    let mut all = BTreeMap::new();
    let mut since = 0;
    loop {
        let path = target.path(&format!("since={since}&limit=1000"));
        let page = target.api.get(&path).send().await.expect(200).json();
        let messages = page["messages"].as_array().unwrap();
        if messages.is_empty() {
            return all;
        }
        for message in messages {
            let at = position(&message["position"]);
            assert!(at > since, "{at} came after {since}");
            since = at;
            all.insert(at, message["payload"].clone());
        }
    }
}

fn random() -> u8 {
    let mut byte = [0];
    getrandom::fill(&mut byte).unwrap();
    byte[0]
}
