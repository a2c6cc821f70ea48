use std::time::Duration;

use antiphon_tests::{Api, DEADLINE, Lost, Position, encoded, position};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How soon a client whose poll failed tries again.
const RETRY: Duration = Duration::from_millis(20);

/// What a client heard, in the order in which it came.
pub(crate) type Heard = Vec<(Position, Value)>;

/// A PubNub client that listens for as long as it lives: whatever happens to a poll, the next is from the same timetoken.
pub(crate) struct Subscriber {
    heard: watch::Receiver<Heard>,
    task: JoinHandle<()>,
}

impl Subscriber {
    /// Listens to what comes from here on.
    pub(crate) async fn start(api: &Api, channel: &str) -> Subscriber {
        let (sender, heard) = watch::channel(Vec::new());
        let (api, channel) = (api.clone(), encoded(channel));
        let (_, begins) = poll(&api, &channel, 0).await.expect("the first poll is answered at once");
        let task = tokio::spawn(async move {
            let mut timetoken = begins;
            while !sender.is_closed() {
                match poll(&api, &channel, timetoken).await {
                    Err(_) => sleep(RETRY).await,
                    Ok((messages, next)) => {
                        timetoken = next;
                        sender.send_modify(|heard| heard.extend(messages));
                    }
                }
            }
        });
        Subscriber { heard, task }
    }

    /// Waits until it has heard this, and gives the positions of all that came before.
    ///
    /// # Panics
    /// It does not hear it, or hears something twice or out of order.
    pub(crate) async fn until(&mut self, last: &Value) -> Vec<Position> {
        let has_it = |heard: &Heard| heard.last().is_some_and(|(_, payload)| payload == last);
        let waited = timeout(DEADLINE, self.heard.wait_for(has_it)).await;
        let heard = waited.expect("the last message comes").expect("the client does not panic").clone();
        let positions: Vec<_> = heard.iter().map(|(position, _)| *position).collect();
        let wrong = positions.windows(2).find(|pair| pair[0] >= pair[1]);
        assert_eq!(wrong, None, "a PubNub listener heard one twice or out of order");
        positions[..positions.len() - 1].to_vec()
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn poll(api: &Api, channel: &str, timetoken: Position) -> Result<(Heard, Position), Lost> {
    let region = if timetoken == 0 { "" } else { "&tr=1" };
    let path = format!("/v2/subscribe/demo/{channel}/0?tt={timetoken}{region}&uuid=subscriber");
    let answer = api.get(&path).try_send().await?;
    if answer.status != 200 {
        return Err(Lost(answer.text()));
    }
    let answer = answer.json();
    let messages = answer["m"].as_array().ok_or_else(|| Lost(answer.to_string()))?;
    let message = |one: &Value| (position(&one["p"]["t"]), one["d"].clone());
    Ok((messages.iter().map(message).collect(), position(&answer["t"]["t"])))
}
