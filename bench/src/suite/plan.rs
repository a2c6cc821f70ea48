//! What is measured when, and how long it still takes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::cases::{Case, Pace};
use super::section::Section;
use super::subject::Subject;

/// Load before each measurement that does not count.
pub(super) const WARM_UP: Duration = Duration::from_millis(500);

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) section: Section,
    pub(super) round: u16,
    /// Which case, counted in the order of the cases.
    pub(super) row: usize,
    pub(super) subject: Subject,
}

/// All measurements, section after section, and in each round after round. Within a round the servers take turns at each load,
/// and in each round another one begins, so that what slows the machine for a while slows all.
pub(super) fn steps(cases: &[Case], rounds: u16, may_run: impl Fn(Subject) -> bool) -> Vec<Step> {
    let mut steps = Vec::new();
    for section in Section::ALL {
        for round in 1..=rounds {
            for (row, case) in cases.iter().enumerate().filter(|(_, case)| case.section == section) {
                let due = |subject: &Subject| may_run(*subject) && case.is_measured(*subject, round);
                let mut subjects: Vec<Subject> = case.subjects.iter().copied().filter(due).collect();
                if let Some(first) = (usize::from(round) - 1).checked_rem(subjects.len()) {
                    subjects.rotate_left(first);
                }
                steps.extend(subjects.into_iter().map(|subject| Step { section, round, row, subject }));
            }
        }
    }
    steps
}

/// Knows how long each measurement took, and guesses what others will.
pub(super) struct Clock {
    duration: Duration,
    took: BTreeMap<(usize, Subject), Duration>,
}

impl Clock {
    pub(super) fn new(duration: Duration) -> Self {
        Self { duration, took: BTreeMap::new() }
    }

    pub(super) fn record(&mut self, step: Step, took: Duration) {
        self.took.insert((step.row, step.subject), took);
    }

    /// How long these measurements will take.
    pub(super) fn expect(&self, cases: &[Case], steps: &[Step]) -> Duration {
        let mut seen: BTreeSet<_> = self.took.keys().copied().collect();
        let one = |step: &Step| {
            let key = (step.row, step.subject);
            let is_first = seen.insert(key);
            self.took.get(&key).copied().unwrap_or_else(|| self.guess(&cases[step.row], is_first))
        };
        steps.iter().map(one).sum()
    }

    fn guess(&self, case: &Case, is_first: bool) -> Duration {
        /// Starting a server and ending it.
        const AROUND: Duration = Duration::from_millis(400);
        let span = self.duration + WARM_UP + AROUND;
        match case.pace {
            Pace::Span => span,
            Pace::UntilDone(seconds) => Duration::from_secs(seconds.into()) + AROUND,
            // It is measured once how fast the server is.
            Pace::HalfOf { .. } if is_first => span * 2,
            Pace::HalfOf { .. } => span,
        }
    }
}

/// A time in minutes and seconds.
pub(super) fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::super::cases;
    use super::*;

    #[test]
    fn a_whole_run_takes_no_longer_than_a_break() {
        let cases = cases::all();
        let steps = steps(&cases, 5, |_| true);
        let clock = Clock::new(Duration::from_secs(3));
        let expected = clock.expect(&cases, &steps);
        assert!(expected < Duration::from_secs(25 * 60), "{}", minutes(expected));
    }

    #[test]
    fn servers_take_turns_and_each_begins_once() {
        let cases = cases::all();
        let echo = cases.iter().position(|case| case.key() == "echo").unwrap();
        let steps = steps(&cases, 2, |subject| !subject.is_peer());
        let order: Vec<_> =
            steps.iter().filter(|step| step.row == echo).map(|step| (step.round, step.subject)).collect();
        let (reference, antiphon) = (Subject::Reference, Subject::Antiphon);
        assert_eq!(order, [(1, reference), (1, antiphon), (2, antiphon), (2, reference)]);
        assert!(steps.is_sorted_by_key(|step| step.section));
    }

    #[test]
    fn what_was_measured_is_expected_again() {
        let cases = cases::all();
        let steps = steps(&cases[..1], 2, |subject| subject == Subject::Antiphon);
        let mut clock = Clock::new(Duration::from_secs(3));
        clock.record(steps[0], Duration::from_secs(9));
        assert_eq!(clock.expect(&cases, &steps[1..]), Duration::from_secs(9));
        assert_eq!(minutes(Duration::from_secs(69)), "1:09");
    }
}
