use std::time::Duration;

use antiphon_tests::{Api, V1};
use serde_json::json;
use tokio::time::Instant;

/// A pair of clients on a channel that is not stored: one publishes, the other listens, and the time between is taken.
pub(crate) struct Probe {
    publisher: V1,
    listener: V1,
    channel: String,
    sent: u64,
}

impl Probe {
    /// Connects both.
    pub(crate) async fn connect(api: &Api, channel: &str) -> Probe {
        let mut listener = V1::connect(api, "identity=probe-listener").await;
        listener.subscribe(json!(channel)).await;
        let publisher = V1::connect(api, "identity=probe").await;
        Probe { publisher, listener, channel: channel.to_owned(), sent: 0 }
    }

    /// Publishes once and waits for both the acknowledgement and the message; how long the slower of the two took.
    ///
    /// # Panics
    /// One of them does not come.
    pub(crate) async fn once(&mut self) -> Duration {
        self.sent += 1;
        let publish =
            json!({"type": "publish", "channel": self.channel, "payload": self.sent, "store": false});
        let started = Instant::now();
        let answer = self.publisher.ask(publish).await;
        assert_eq!(answer["stored"], false, "{answer}");
        let heard = self.listener.next().await;
        assert_eq!(heard["payload"], self.sent, "{heard}");
        started.elapsed()
    }

    /// As [`Probe::once`] so many times; how long the slowest took.
    pub(crate) async fn slowest_of(&mut self, times: usize) -> Duration {
        let mut slowest = Duration::ZERO;
        for _ in 0..times {
            slowest = slowest.max(self.once().await);
        }
        slowest
    }
}
