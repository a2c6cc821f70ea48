use std::sync::OnceLock;
use std::time::{Duration, Instant};

static BEGINNING: OnceLock<Instant> = OnceLock::new();

/// Microseconds since the harness began: the one clock of publisher and listeners.
pub(crate) fn micros() -> u64 {
    micros_of(Instant::now())
}

/// The same for a moment of the past or the future.
pub(crate) fn micros_of(moment: Instant) -> u64 {
    let beginning = *BEGINNING.get_or_init(Instant::now);
    moment.saturating_duration_since(beginning).as_micros() as u64
}

/// For how long a test waits between two looks at something that it can only ask for.
pub(crate) const LOOK: Duration = Duration::from_millis(20);
