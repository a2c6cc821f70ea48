//! Everybody hears everything, in order and exactly once, by whatever technique and through restarts and crashes.

use antiphon_tests::{Follower, Publisher, Server, Technique, Transcript, Way, number_of, numbered, within};
use serde_json::Value;
use tokio::sync::watch;

/// What a crash takes back must not have been seen, however slow the disk of the machine that tests is.
const CONFIG: &str = r#"
[timeouts]
deliver_uncommitted_after = "1h"

[[rule]]
history_size = 10000
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_techniques_and_one_publisher() {
    everybody_hears_everything(&[Way::Post], 540).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_techniques_and_publishers_of_every_kind() {
    everybody_hears_everything(&[Way::Post, Way::V1, Way::Raw, Way::Post], 150).await;
}

/// Publishes `each` messages in each of these ways, while the server is restarted once and killed once.
async fn everybody_hears_everything(ways: &[Way], each: usize) {
    let mut server = Server::start(CONFIG).await;
    let target = server.target("room/ü 1");
    let mut followers: Vec<Follower> =
        Technique::ALL.iter().map(|technique| Follower::start(*technique, &target, 0)).collect();
    for follower in &mut followers {
        follower.until("its connection", |heard| heard.connections > 0).await;
    }

    let (progress, mut published) = watch::channel(0);
    let mut publishers = Vec::new();
    for (at, way) in ways.iter().enumerate() {
        let mut publisher = Publisher::new(*way, &target, &format!("p{at}"));
        let progress = progress.clone();
        publishers.push(tokio::spawn(async move {
            for number in 0..each {
                publisher.publish(number).await;
                progress.send_modify(|count| *count += 1);
            }
            publisher.retries
        }));
    }
    let total = each * ways.len();
    within("a third is published", published.wait_for(|count| *count >= total / 3)).await.unwrap();
    assert!(server.terminate().await.success());
    server.start_again().await;
    within("two thirds are published", published.wait_for(|count| *count >= total * 2 / 3)).await.unwrap();
    server.kill9().await;
    server.start_again().await;
    for publisher in publishers {
        let retries = within("all is published", publisher).await.unwrap();
        assert!(retries >= 2, "a publisher lived through two ends of the server with {retries} retries");
    }

    // What comes after this is heard after everything else.
    Publisher::new(Way::Post, &target, "end").publish(0).await;
    let end = numbered("end", 0);
    let mut transcripts = Vec::new();
    for follower in &mut followers {
        let transcript = follower.until("the end", |heard| heard.has(&end)).await;
        check(follower.technique, &transcript, ways.len(), each);
        transcripts.push(transcript);
    }
    for transcript in &transcripts {
        assert!(transcript.payloads() == transcripts[0].payloads(), "two clients heard different orders");
    }
}

fn check(technique: Technique, transcript: &Transcript, publishers: usize, each: usize) {
    assert_eq!(transcript.gaps, 0, "{technique:?} was told of a gap");
    assert!(transcript.connections >= 3, "{technique:?} had {} connections", transcript.connections);
    let repeated =
        |at: &usize| transcript.messages[..*at].iter().any(|(_, one)| *one == transcript.messages[*at].1);
    let repeated: Vec<_> =
        (0..transcript.messages.len()).filter(repeated).map(|at| &transcript.messages[at]).collect();
    assert!(repeated.is_empty(), "{technique:?} heard more than once: {repeated:?}");
    assert_eq!(transcript.messages.len(), publishers * each + 1, "{technique:?}");
    let positions = transcript.positions();
    assert!(positions.is_sorted_by(|a, b| a < b), "{technique:?}: positions do not rise");
    for at in 0..publishers {
        let name = format!("p{at}");
        let numbers = |payload: &&Value| number_of(&name, payload);
        let heard: Vec<_> = transcript.payloads().iter().filter_map(numbers).collect();
        assert_eq!(heard, (0..each).collect::<Vec<_>>(), "{technique:?} of {name}");
    }
}
