use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::{DEADLINE, Heard, Listener, Position, Target, Technique};

/// How soon a client that was refused tries again.
const RETRY: Duration = Duration::from_millis(20);

/// What a client heard over all its connections.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    /// Messages, in the order in which they came.
    pub messages: Vec<(Option<Position>, Value)>,
    /// How often it was told of a gap.
    pub gaps: usize,
    /// Why the server said that it ended a connection, each time.
    pub closings: Vec<String>,
    /// How often it connected.
    pub connections: usize,
}

impl Transcript {
    /// The payloads.
    pub fn payloads(&self) -> Vec<&Value> {
        self.messages.iter().map(|(_, payload)| payload).collect()
    }

    /// The positions.
    pub fn positions(&self) -> Vec<Position> {
        self.messages.iter().filter_map(|(position, _)| *position).collect()
    }

    /// Whether this payload came.
    pub fn has(&self, payload: &Value) -> bool {
        // The newest first, because that is what is mostly asked for.
        self.messages.iter().rev().any(|(_, heard)| heard == payload)
    }
}

/// A client that listens for as long as it lives: whenever its connection ends it comes back for what came after the last
/// message that it heard.
pub struct Follower {
    /// How it listens.
    pub technique: Technique,
    transcript: watch::Receiver<Transcript>,
    task: JoinHandle<()>,
}

impl Follower {
    /// Follows a channel from a position on.
    pub fn start(technique: Technique, target: &Target, since: Position) -> Follower {
        let (sender, transcript) = watch::channel(Transcript::default());
        let task = tokio::spawn(follow(technique.listener(target), since, sender));
        Follower { technique, transcript, task }
    }

    /// What it heard so far.
    pub fn transcript(&self) -> Transcript {
        self.transcript.borrow().clone()
    }

    /// Waits until the transcript is as `expected` says, and gives it.
    ///
    /// # Panics
    /// It does not become so, or the client panicked.
    pub async fn until(&mut self, what: &str, mut expected: impl FnMut(&Transcript) -> bool) -> Transcript {
        let waited = tokio::time::timeout(DEADLINE, self.transcript.wait_for(|heard| expected(heard)));
        match waited.await {
            Ok(Ok(transcript)) => return transcript.clone(),
            Ok(Err(_)) => panic!("{:?} panicked, waiting for: {what}", self.technique),
            Err(_) => {}
        }
        let Transcript { messages, gaps, closings, connections } = self.transcript();
        panic!(
            "{:?} waits for: {what}. It has {} messages, the last {:?}, {gaps} gaps, {connections} connections, closed: {closings:?}",
            self.technique,
            messages.len(),
            messages.last()
        );
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(mut listener: Box<dyn Listener>, mut since: Position, sender: watch::Sender<Transcript>) {
    while !sender.is_closed() {
        if listener.connect(since).await.is_err() {
            tokio::time::sleep(RETRY).await;
            continue;
        }
        sender.send_modify(|transcript| transcript.connections += 1);
        while let Ok(heard) = listener.hear().await {
            sender.send_modify(|transcript| {
                for one in heard {
                    match one {
                        Heard::Message { position, payload } => {
                            since = position.unwrap_or(since);
                            transcript.messages.push((position, payload));
                        }
                        Heard::Gap => transcript.gaps += 1,
                        Heard::Closing(reason) => transcript.closings.push(reason),
                    }
                }
            });
        }
    }
}
