//! Coming and going while a lot is published: one order for the org, and nothing lost or doubled at the seams.

use antiphon_tests::{Api, EventReader, Heard, Position, Server, Target, Technique, V1, position, within};
use serde_json::{Value, json};

/// Rings so small that most of what a client missed has to come from the store.
const CONFIG: &str =
    "[[rule]]\nring_size = 10\nhistory_size = 100000\n\n[timeouts]\ndeliver_uncommitted_after = \"1h\"\n";

/// How many messages are under way at a time.
const WINDOW: usize = 32;

/// Publishes numbers on these channels, one after the other in turn, without waiting for each acknowledgement. Every
/// fifth is not stored if `mixed`.
async fn publish(api: Api, channels: &'static [&'static str], count: usize, mixed: bool) -> Vec<Position> {
    let mut client = V1::connect(&api, "").await;
    let mut positions = vec![0; count];
    let mut first_id = None;
    let (mut sent, mut answered) = (0, 0);
    while answered < count {
        while sent < count && sent - answered < WINDOW {
            let store = !mixed || sent % 5 != 0;
            let channel = channels[sent % channels.len()];
            let publish = json!({"type": "publish", "channel": channel, "payload": sent, "store": store});
            let id = client.send(publish).await.unwrap();
            first_id.get_or_insert(id);
            sent += 1;
        }
        let answer = client.next().await;
        assert_eq!(answer["type"], "ok", "{answer}");
        let number = answer["id"].as_u64().unwrap() - first_id.unwrap();
        positions[number as usize] = position(&answer["position"]);
        answered += 1;
    }
    positions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_come_and_go_in_the_middle_of_the_flow_miss_nothing() {
    const COUNT: usize = 4000;
    let server = Server::start(CONFIG).await;
    let target = server.target("river");
    let clients: Vec<_> = Technique::ALL
        .into_iter()
        // Its payloads alone do not say where to go on.
        .filter(|technique| *technique != Technique::Raw)
        .map(|technique| tokio::spawn(come_and_go(technique, target.clone(), COUNT)))
        .collect();
    let published = tokio::spawn(publish(server.api(), &["river"], COUNT, false));
    let positions = within("everything is published", published).await.unwrap();
    assert!(positions.is_sorted_by(|a, b| a < b));
    for client in clients {
        let (technique, heard, visits) = within("everything is heard", client).await.unwrap();
        let expected: Vec<_> = positions.iter().copied().zip(0..).collect();
        let first_wrong = heard.iter().zip(&expected).position(|(heard, expected)| heard != expected);
        assert_eq!(
            first_wrong.map(|at| (&heard[at], &expected[at])),
            None,
            "{technique:?} in {visits} visits"
        );
        assert_eq!(heard.len(), expected.len(), "{technique:?}");
        assert!(visits > 10, "{technique:?} came {visits} times");
    }
}

/// Hears some messages, leaves, and comes back, until it has so many.
async fn come_and_go(
    technique: Technique,
    target: Target,
    count: usize,
) -> (Technique, Vec<(Position, u64)>, usize) {
    let (mut heard, mut visits) = (Vec::new(), 0);
    while heard.len() < count {
        // A new client each time, which knows the position and nothing else.
        let mut listener = technique.listener(&target);
        let since = heard.last().map_or(0, |(position, _)| *position);
        listener.connect(since).await.unwrap();
        visits += 1;
        let enough = (heard.len() + 1 + visits * 37 % 300).min(count);
        while heard.len() < enough {
            for one in within("the next message", listener.hear()).await.unwrap() {
                match one {
                    Heard::Message { position: Some(position), payload } => {
                        heard.push((position, payload.as_u64().unwrap()));
                    }
                    other => panic!("{technique:?} heard {other:?}"),
                }
            }
        }
    }
    (technique, heard, visits)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_order_holds_over_all_channels_and_publishers() {
    const CHANNELS: [&str; 3] = ["a", "b", "c"];
    const EACH: usize = 500;
    let server = Server::start(CONFIG).await;
    let api = server.api();
    let path = "/v1/events?channel=a&channel=b&channel=c&since=0";
    let mut events = EventReader::new(api.get(path).header("accept", "text/event-stream").stream().await);
    let mut lines = api.get(path).header("accept", "application/x-ndjson").stream().await;
    assert_eq!(lines.json().await["type"], "open");
    let mut client = V1::connect(&api, "").await;
    client.ask(json!({"type": "subscribe", "channels": CHANNELS})).await;
    let publishers: Vec<_> =
        (0..3).map(|_| tokio::spawn(publish(api.clone(), const { &CHANNELS }, EACH, true))).collect();

    let mut heard: [Vec<Value>; 3] = Default::default();
    for _ in 0..3 * EACH {
        heard[0].push(events.next().await.json());
        heard[1].push(lines.json().await);
        let mut said = client.next().await;
        assert_eq!(said.as_object_mut().unwrap().remove("type"), Some(json!("message")));
        heard[2].push(said);
    }
    let mut positions = Vec::new();
    for publisher in publishers {
        positions.extend(within("everything is published", publisher).await.unwrap());
    }
    positions.sort_unstable();
    for one in &heard {
        let told: Vec<_> = one.iter().map(|message| position(&message["position"])).collect();
        assert!(told == positions, "positions do not rise over channels");
        assert!(*one == heard[0], "two clients heard different things");
    }
}
