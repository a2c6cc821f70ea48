use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// How long anything that is awaited may take: far more than it should on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(25);

/// Awaits, but not for ever.
///
/// # Panics
/// It takes longer than [`DEADLINE`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(DEADLINE, future).await {
        Ok(output) => output,
        Err(_) => panic!("after {} s: {what}", DEADLINE.as_secs()),
    }
}

/// Asks again until there is an answer: for what a server tells only to those who ask.
///
/// # Panics
/// There is none within [`DEADLINE`].
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let until = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < until, "after {} s: {what}", DEADLINE.as_secs());
        sleep(Duration::from_millis(20)).await;
    }
}
