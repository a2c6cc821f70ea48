use std::time::{Duration, Instant};

/// Time between two complaints of a kind, at least.
const EVERY: Duration = Duration::from_secs(1);

/// When the same trouble is logged again: a disk that is full fails hundreds of groups a second, and a log that says so each time
/// fills it further.
#[derive(Debug)]
pub(crate) struct Complaints {
    last: Option<Instant>,
    left_out: u64,
}

impl Complaints {
    /// Nothing has been logged.
    pub(crate) const fn new() -> Complaints {
        Complaints { last: None, left_out: 0 }
    }

    /// Whether to log one more: then how many were not, since the last one that was.
    pub(crate) fn due(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < EVERY) {
            self.left_out += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_second_is_logged_and_says_how_many_were_not() {
        let (mut complaints, start) = (Complaints::new(), Instant::now());
        let due: Vec<_> = [0, 1, 999, 1000, 2500, 2600]
            .map(|millis| complaints.due(start + Duration::from_millis(millis)))
            .into();
        assert_eq!(due, [Some(0), None, None, Some(2), Some(0), None]);
    }
}
