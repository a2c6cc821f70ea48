//! Whoever comes back with a position gets what it missed, or is told that it cannot.

use antiphon_tests::{Follower, Position, Server, Target, Technique, Transcript, V1, eventually, position};
use serde_json::{Value, json};

const CONFIG: &str = r#"
[store]
retention_interval_millis = 20

[[rule]]
channels = "small-ring"
ring_size = 5

[[rule]]
channels = "memory"
persist = false
history_size = 5
ring_size = 5

[[rule]]
channels = "short-history"
history_size = 8
ring_size = 3
"#;

async fn publish(target: &Target, numbers: std::ops::Range<u64>) -> Vec<Position> {
    let mut connection = target.api.connect().await.unwrap();
    let mut positions = Vec::new();
    for number in numbers {
        let call = target.api.post(&target.path("")).json(&json!(number));
        let answer = call.try_send_over(&mut connection).await.unwrap().expect(201).json();
        positions.push(position(&answer["position"]));
    }
    positions
}

/// Whether a client is to be told of a gap.
#[derive(Clone, Copy, PartialEq)]
enum Gap {
    Yes,
    No,
}

/// What a client of this technique hears that comes with this position, up to a message that is published when it is
/// there, and has been told of the gap.
async fn heard(technique: Technique, target: &Target, since: Position, gap: Gap) -> Transcript {
    // Payloads alone cannot tell.
    let gaps = usize::from(gap == Gap::Yes && technique != Technique::Raw);
    let mut follower = Follower::start(technique, target, since);
    follower.until("its connection", |heard| heard.connections > 0 && heard.gaps == gaps).await;
    let end = json!(format!("end {technique:?} {since}"));
    target.api.post(&target.path("store=false")).json(&end).send().await.expect(201);
    let mut transcript = follower.until("the end", |heard| heard.has(&end)).await;
    assert_eq!(transcript.gaps, gaps, "{technique:?} on {} since {since}", target.channel);
    transcript.messages.retain(|(_, payload)| payload.is_u64());
    transcript
}

fn numbers(numbers: std::ops::Range<u64>) -> Vec<Value> {
    numbers.map(Value::from).collect()
}

fn payloads(transcript: &Transcript) -> Vec<Value> {
    transcript.payloads().into_iter().cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_memory_does_not_hold_comes_from_the_store() {
    let server = Server::start(CONFIG).await;
    let target = server.target("small-ring");
    let positions = publish(&target, 0..150).await;
    for technique in Technique::ALL {
        let transcript = heard(technique, &target, positions[9], Gap::No).await;
        assert_eq!(payloads(&transcript), numbers(10..150), "{technique:?}");
        let told = transcript.positions();
        assert!(technique == Technique::Raw || told == positions[10..], "{technique:?}: {told:?}");
        let transcript = heard(technique, &target, 0, Gap::No).await;
        assert_eq!(payloads(&transcript), numbers(0..150), "{technique:?} since=0");
        let transcript = heard(technique, &target, positions[149], Gap::No).await;
        assert_eq!(payloads(&transcript), numbers(0..0), "{technique:?} since the last");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_is_told_by_every_technique_that_can() {
    let server = Server::start(CONFIG).await;
    // What is left of 20 messages: the ring, or the history.
    for (channel, kept) in [("memory", 5), ("short-history", 8)] {
        let target = server.target(channel);
        for technique in Technique::ALL {
            let positions = publish(&target, 0..20).await;
            trimmed(&target, kept).await;
            let transcript = heard(technique, &target, positions[1], Gap::Yes).await;
            let expected = numbers(20 - kept as u64..20);
            assert_eq!(payloads(&transcript), expected, "{technique:?} on {channel}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_is_kept_is_no_gap() {
    let server = Server::start(CONFIG).await;
    for (channel, kept) in [("memory", 5), ("short-history", 8)] {
        let target = server.target(channel);
        publish(&target, 0..20).await;
        trimmed(&target, kept).await;
        for technique in Technique::ALL {
            heard(technique, &target, 0, Gap::No).await;
        }
    }
}

/// Waits until retention has done its work.
async fn trimmed(target: &Target, kept: usize) {
    eventually("retention", async || {
        let page = target.api.get(&target.path("since=0")).send().await.expect(200).json();
        (page["messages"].as_array().unwrap().len() == kept).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_says_from_where_to_where() {
    let server = Server::start(CONFIG).await;
    let (api, target) = (server.api(), server.target("memory"));
    let positions = publish(&target, 0..20).await;
    let since = positions[1].to_string();
    let check = |gap: &Value| {
        assert_eq!(gap["since"], since, "{gap}");
        let resumed = position(&gap["resumed"]);
        assert!((positions[1]..=positions[15]).contains(&resumed), "{gap} of {positions:?}");
    };
    let path = target.path(&format!("since={since}"));
    let mut lines = api.get(&path).header("accept", "application/x-ndjson").stream().await;
    assert_eq!(lines.json().await["type"], "open");
    check(&lines.json().await);
    let stream = api.get(&path).header("accept", "text/event-stream").stream().await;
    let event = antiphon_tests::EventReader::new(stream).next().await;
    assert_eq!(event.name, "antiphon.gap");
    check(&event.json());
    let mut client = V1::connect(&api, "").await;
    let answer = client.subscribe(json!({"channel": "memory", "since": since})).await;
    assert_eq!(answer["channels"][0]["gap"], true, "{answer}");
    let gap = client.next().await;
    assert_eq!((&gap["type"], &gap["channel"]), (&json!("gap"), &json!("memory")));
    check(&gap);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_that_was_never_given_is_a_gap() {
    let server = Server::start(CONFIG).await;
    let target = server.target("small-ring");
    let positions = publish(&target, 0..3).await;
    // An hour ahead.
    let ahead = positions[2] + 36_000_000_000;
    for technique in Technique::ALL {
        let transcript = heard(technique, &target, ahead, Gap::Yes).await;
        assert_eq!(payloads(&transcript), numbers(0..0), "{technique:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_position_recovers_several_channels() {
    let server = Server::start("").await;
    let (a, b) = (server.target("a"), server.target("b"));
    let first = publish(&a, 0..1).await[0];
    publish(&b, 1..3).await;
    publish(&a, 3..4).await;
    let call = server.api().get(&format!("/v1/events?channel=a&channel=b&since={first}"));
    let page = call.send().await.expect(200).json();
    let payloads: Vec<_> = page["messages"].as_array().unwrap().iter().map(|one| &one["payload"]).collect();
    assert_eq!(payloads, [1, 2, 3]);
    let call = server.api().get("/v1/events?channel=a&channel=b").header("last-event-id", &first.to_string());
    let mut events =
        antiphon_tests::EventReader::new(call.header("accept", "text/event-stream").stream().await);
    for (channel, payload) in [("b", 1), ("b", 2), ("a", 3)] {
        let event = events.next().await;
        let message = event.json();
        assert_eq!((&message["channel"], &message["payload"]), (&json!(channel), &json!(payload)));
        assert_eq!(message["position"], event.id);
    }
}
