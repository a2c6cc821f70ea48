//! Long polls as the SDKs of PubNub make them, while others publish: nothing is lost, doubled or out of order, whatever the subscriber does.
//!
//! What was published is known with its timetokens, so every single answer is held against it: it has exactly what was published on
//! the channels that were asked for, behind the timetoken that was asked with and up to the one that it gives.

mod publishers;
mod subscriber;

use std::sync::Arc;
use std::time::Duration;

use antiphon_tests::{Api, Position, Server, within};
use serde_json::Value;

use self::publishers::{Published, Publishers, publish};
use self::subscriber::{Asked, Subscriber};

const CONFIG: &str = r#"
[[org]]
name = "demo"
open = true
publish_key = "demo"
subscribe_key = "demo"

[[rule]]
history_size = 100000
ring_size = 2000

[[rule]]
channels = "memory.*"
history_size = 100000
ring_size = 20000
persist = false
"#;

/// Messages that are published each second.
const RATE: u32 = 2000;

/// For how long.
const MESSAGES: u32 = 4 * RATE;

/// The channels of a test. Publishers take them in turn.
fn channels(prefix: &str) -> Vec<String> {
    ["a", "b", "c", "d"].iter().map(|name| format!("{prefix}.{name}")).collect()
}

/// A channel of its own that is published to in the end, so that no poll waits.
fn with_end(channels: &[String]) -> Vec<String> {
    channels.iter().cloned().chain(["end".to_owned()]).collect()
}

/// What a subscriber does.
type Habit = fn(Subscriber, Vec<String>) -> futures_util::future::BoxFuture<'static, Subscriber>;

static HABITS: &[(&str, Habit)] = &[
    ("stays", |subscriber, channels| Box::pin(stays(subscriber, channels))),
    ("changes channels", |subscriber, channels| Box::pin(changes_channels(subscriber, channels))),
    ("drops and comes back", |subscriber, channels| Box::pin(drops(subscriber, channels))),
    ("overlaps polls", |subscriber, channels| Box::pin(overlaps(subscriber, channels))),
    ("has a group", |subscriber, channels| Box::pin(has_a_group(subscriber, channels))),
];

static WILDCARDS: &[(&str, Habit)] = &[
    ("has a wildcard", |subscriber, channels| Box::pin(has_a_wildcard(subscriber, channels))),
    ("comes and goes with a wildcard", |subscriber, channels| {
        Box::pin(drops_a_wildcard(subscriber, channels))
    }),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_has_all_that_was_stored_meanwhile() {
    let server = Server::start(CONFIG).await;
    let habits = HABITS.iter().chain(WILDCARDS);
    hold(&server.api(), &channels("stored"), habits).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_has_all_that_was_published_in_memory_meanwhile() {
    let server = Server::start(CONFIG).await;
    let habits = HABITS.iter().chain(WILDCARDS);
    hold(&server.api(), &channels("memory"), habits).await;
}

async fn hold(api: &Api, channels: &[String], habits: impl Iterator<Item = &'static (&'static str, Habit)>) {
    fill_group(api, channels).await;
    let mut subscribers = Vec::new();
    for (name, habit) in habits {
        let subscriber = Subscriber::start(api, name, &with_end(channels)).await;
        subscribers.push(tokio::spawn(habit(subscriber, channels.to_vec())));
    }
    let publishers = Publishers::start(api, channels, RATE, MESSAGES);
    let mut published = publishers.finish().await;
    published.add(end(api).await);
    let published = Arc::new(published);
    for subscriber in subscribers {
        let subscriber = within("a subscriber has the end", subscriber).await.unwrap();
        subscriber.check(&published);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_stored_is_lost_to_a_subscriber_of_a_server_that_was_killed() {
    // A commit that is late on a busy machine is not overtaken: what was told is never taken back.
    let config = format!("{CONFIG}\n[timeouts]\ndeliver_uncommitted_after = \"60s\"\n");
    let mut server = Server::start(&config).await;
    let (api, channels) = (server.api(), channels("stored"));
    fill_group(&api, &channels).await;
    let mut subscribers = Vec::new();
    for (name, habit) in HABITS {
        let subscriber = Subscriber::start(&api, name, &with_end(&channels)).await;
        subscribers.push(tokio::spawn(habit(subscriber, channels.clone())));
    }
    let mut acknowledged = Published::default();
    for _ in 0..2 {
        let publishers = Publishers::start(&api, &channels, RATE, u32::MAX);
        publishers.acknowledged(RATE).await;
        server.kill9().await;
        acknowledged.merge(publishers.interrupted().await);
        server.start_again().await;
    }
    acknowledged.merge(Publishers::start(&api, &channels, RATE, RATE).finish().await);
    acknowledged.add(end(&api).await);
    let mut stored = Published::default();
    for channel in with_end(&channels) {
        stored.merge(history(&api, &channel).await);
    }
    acknowledged.is_within(&stored);
    let stored = Arc::new(stored);
    for subscriber in subscribers {
        let subscriber = within("a subscriber has the end", subscriber).await.unwrap();
        subscriber.check(&stored);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_on_a_channel_that_a_group_has_just_got_is_told() {
    let server = Server::start(CONFIG).await;
    let (api, channels) = (server.api(), channels("memory"));
    let add = async |channel: &str| {
        let path = format!("/v1/channel-registration/sub-key/demo/channel-group/grows?add={channel}");
        api.get(&path).send().await.expect(200);
    };
    add("end").await;
    let mut subscriber = Subscriber::start(&api, "follows", &["end".to_owned()]).await;
    let following = tokio::spawn(async move {
        let asked = Asked::names(&[], &[]).and("channel-group=grows", &[]);
        while !subscriber.is_at_end() {
            subscriber.poll(&asked).await;
        }
        subscriber
    });
    // Others keep the server busy, so that the poll learns of the change later than the one who made it.
    let publishers = Publishers::start(&api, &channels, 2 * RATE, MESSAGES);
    let mut grown = Published::default();
    let mut connection = api.connect().await.unwrap();
    for number in 0..300 {
        let channel = format!("memory.grown.{number}");
        add(&channel).await;
        grown.add(publish(&api, &mut connection, &channel, &Value::from(number)).await.unwrap());
    }
    publishers.finish().await;
    grown.add(end(&api).await);
    let subscriber = within("the subscriber has the end", following).await.unwrap();
    assert_eq!(subscriber.told(), grown.all());
}

/// All that a channel has, oldest first.
async fn history(api: &Api, channel: &str) -> Published {
    let mut published = Published::default();
    // Pages go backwards from here.
    let mut start = u64::MAX / 2;
    loop {
        let path = format!("/v3/history/sub-key/demo/channel/{channel}?max=100&start={start}");
        let page = api.get(&path).send().await.expect(200).json();
        let messages = page["channels"][channel].as_array().cloned().unwrap_or_default();
        let Some(first) = messages.first() else { return published };
        start = antiphon_tests::position(&first["timetoken"]);
        for message in &messages {
            let position = antiphon_tests::position(&message["timetoken"]);
            published.add((position, channel.to_owned(), message["message"].clone()));
        }
    }
}

async fn fill_group(api: &Api, channels: &[String]) {
    let path = format!(
        "/v1/channel-registration/sub-key/demo/channel-group/group?add={},{},end",
        channels[1], channels[2]
    );
    api.get(&path).send().await.expect(200);
}

async fn end(api: &Api) -> (Position, String, Value) {
    let mut connection = api.connect().await.unwrap();
    publish(api, &mut connection, "end", &Value::from("end")).await.unwrap()
}

async fn stays(mut subscriber: Subscriber, channels: Vec<String>) -> Subscriber {
    let asked = Asked::channels(&with_end(&channels));
    while !subscriber.is_at_end() {
        subscriber.poll(&asked).await;
    }
    subscriber
}

/// As the SDK for JavaScript: takes a timetoken for what it listens to from here on, and goes on with the one that it had.
async fn changes_channels(mut subscriber: Subscriber, channels: Vec<String>) -> Subscriber {
    let sets: [&[String]; 4] = [&channels[..], &channels[..1], &channels[1..3], &channels[2..]];
    for set in sets.iter().cycle() {
        let asked = Asked::channels(&with_end(set));
        subscriber.shake_hands(&asked).await;
        for _ in 0..3 {
            subscriber.poll(&asked).await;
            if subscriber.is_at_end() {
                return subscriber;
            }
        }
    }
    subscriber
}

async fn drops(mut subscriber: Subscriber, channels: Vec<String>) -> Subscriber {
    let asked = Asked::channels(&with_end(&channels));
    for round in 0u64.. {
        // Sometimes it is gone before it is answered, and sometimes it has been away for longer than what is in memory.
        subscriber.poll_briefly(&asked, Duration::from_micros(300 * (round % 30))).await;
        if round % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        if subscriber.is_at_end() {
            return subscriber;
        }
    }
    subscriber
}

/// As the SDK for Python: the poll that was under way when the channels changed is answered as well.
async fn overlaps(mut subscriber: Subscriber, channels: Vec<String>) -> Subscriber {
    let sets: [&[String]; 3] = [&channels[..2], &channels[1..], &channels[..]];
    for (old, new) in sets.iter().zip(sets.iter().skip(1)).cycle() {
        subscriber.poll_both(&Asked::channels(&with_end(old)), &Asked::channels(&with_end(new))).await;
        if subscriber.is_at_end() {
            break;
        }
    }
    subscriber
}

async fn has_a_group(mut subscriber: Subscriber, channels: Vec<String>) -> Subscriber {
    // One channel comes by the group alone, one in both ways, one by itself.
    let of_group = [&channels[1], &channels[2]].map(String::clone);
    let asked = Asked::channels(&channels[..2]).and("channel-group=group", &with_end(&of_group));
    while !subscriber.is_at_end() {
        subscriber.poll(&asked).await;
    }
    subscriber
}

/// All channels by the wildcard, and one of them by itself as well.
fn by_wildcard(channels: &[String]) -> Asked {
    let (prefix, _) = channels[0].split_once('.').unwrap();
    let names = [channels[0].clone(), format!("{prefix}.*"), "end".to_owned()];
    Asked::names(&names, &with_end(channels))
}

async fn has_a_wildcard(mut subscriber: Subscriber, channels: Vec<String>) -> Subscriber {
    let asked = by_wildcard(&channels);
    subscriber.shake_hands(&asked).await;
    while !subscriber.is_at_end() {
        subscriber.poll(&asked).await;
    }
    subscriber
}

async fn drops_a_wildcard(mut subscriber: Subscriber, channels: Vec<String>) -> Subscriber {
    let asked = by_wildcard(&channels);
    subscriber.shake_hands(&asked).await;
    for round in 0u64.. {
        subscriber.poll_briefly(&asked, Duration::from_micros(300 * (round % 30))).await;
        if subscriber.is_at_end() {
            break;
        }
    }
    subscriber
}
