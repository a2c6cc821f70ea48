use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};

use crate::cases::{Case, Context};

/// How a case ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Passed,
    /// It panicked, and said why.
    Failed,
}

/// Runs cases, some at once; they come back in the order in which they were given.
pub(crate) async fn run(
    cases: &[&'static Case],
    context: &Context,
    at_once: usize,
) -> Vec<(&'static Case, Duration, Ending)> {
    let each = cases.iter().map(|case| {
        let context = Context { case: case.name, ..context.clone() };
        async move {
            let started = Instant::now();
            // A task of its own, so that a panic ends it alone.
            let ending = match tokio::task::spawn_local((case.run)(context)).await {
                Ok(()) => Ending::Passed,
                Err(_) => Ending::Failed,
            };
            println!("<== {} {}", case.name, if ending == Ending::Passed { "passed" } else { "FAILED" });
            (*case, started.elapsed(), ending)
        }
    });
    stream::iter(each).buffered(at_once.max(1)).collect().await
}
