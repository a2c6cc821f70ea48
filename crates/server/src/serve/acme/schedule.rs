//! When a certificate is asked for: pure, with the time as an input.

use std::time::Duration;

use antiphon_access::CertificateInfo;
use antiphon_model::Timestamp;
use serde::{Deserialize, Serialize};

const RETRY_AFTER_MAX: Duration = Duration::from_secs(12 * 60 * 60);
/// What an authority asks for is heard up to here.
const ASKED_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// When a certificate is asked for.
pub(super) struct Schedule {
    retry_after: Duration,
    renew_before: Option<Duration>,
    /// When the certificate that there is has to be renewed. None: there is none.
    renew_at: Option<Timestamp>,
    failures: Failures,
}

/// Attempts that failed in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failures {
    pub(super) count: u32,
    /// When it is tried again: 100 ns since the epoch.
    pub(super) next: u64,
    /// When the last one was, so that a clock that is set back does not lock us out.
    pub(super) last: u64,
}

impl Schedule {
    pub(super) fn new(retry_after: Duration, renew_before: Option<Duration>) -> Schedule {
        Schedule { retry_after, renew_before, renew_at: None, failures: Failures::default() }
    }

    /// How long to wait; none if it is time.
    pub(super) fn due(&self, now: Timestamp) -> Option<Duration> {
        let retry_at = match self.failures {
            Failures { count, next, last } if count > 0 && last <= now.0 => Timestamp(next),
            _ => Timestamp(0),
        };
        let at = self.renew_at.unwrap_or_default().max(retry_at);
        let left = at.0.saturating_sub(now.0);
        if left == 0 { None } else { Some(Duration::from_nanos(left.saturating_mul(100))) }
    }

    /// Whether a certificate that has just been got need not be renewed at once.
    pub(super) fn is_worth_it(&self, certificate: &CertificateInfo, now: Timestamp) -> bool {
        now < self.renewal_of(certificate)
    }

    pub(super) fn issued(&mut self, certificate: &CertificateInfo) {
        self.renew_at = Some(self.renewal_of(certificate));
        self.failures = Failures::default();
    }

    /// What is known of attempts before the process began.
    pub(super) fn failed_before(&mut self, failures: Failures) {
        self.failures = failures;
    }

    /// Says how long it waits. The authority may have `asked` for longer.
    pub(super) fn failed(&mut self, now: Timestamp, asked: Option<Duration>) -> Duration {
        let doubled = self.retry_after.saturating_mul(1 << self.failures.count.min(16)).min(RETRY_AFTER_MAX);
        let wait = doubled.max(asked.unwrap_or_default().min(ASKED_MAX));
        let count = self.failures.count.saturating_add(1);
        self.failures = Failures { count, next: now.later_by(wait).0, last: now.0 };
        wait
    }

    pub(super) fn failures(&self) -> Failures {
        self.failures
    }

    fn renewal_of(&self, certificate: &CertificateInfo) -> Timestamp {
        let life = certificate.not_after.0.saturating_sub(certificate.not_before.0);
        let before = match self.renew_before {
            Some(before) => Timestamp(0).later_by(before).0.min(life / 2),
            None => life / 3,
        };
        Timestamp(certificate.not_after.0 - before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    const BEGIN: Timestamp = Timestamp(1_700_000_000 * Timestamp::PER_SECOND);

    fn certificate(life: Duration) -> CertificateInfo {
        CertificateInfo {
            not_before: BEGIN,
            not_after: BEGIN.later_by(life),
            common_names: Vec::new(),
            dns_names: Vec::new(),
            addresses: Vec::new(),
            uris: Vec::new(),
            emails: Vec::new(),
        }
    }

    #[test]
    fn a_certificate_is_renewed_before_it_ends() {
        for (renew_before, days) in [(None, 60), (Some(10 * DAY), 80), (Some(80 * DAY), 45)] {
            let mut schedule = Schedule::new(5 * MINUTE, renew_before);
            assert_eq!(schedule.due(BEGIN), None, "there is none");
            schedule.issued(&certificate(90 * DAY));
            assert_eq!(schedule.due(BEGIN), Some(days * DAY));
            assert_eq!(schedule.due(BEGIN.later_by(days * DAY)), None);
            assert!(schedule.is_worth_it(&certificate(90 * DAY), BEGIN));
            assert!(!schedule.is_worth_it(&certificate(90 * DAY), BEGIN.later_by(days * DAY)));
        }
    }

    #[test]
    fn each_failure_doubles_the_wait() {
        let mut schedule = Schedule::new(5 * MINUTE, None);
        let mut now = BEGIN;
        let mut waited = Vec::new();
        for _ in 0..10 {
            let wait = schedule.failed(now, None);
            assert_eq!(schedule.due(now), Some(wait));
            waited.push(wait.as_secs() / 60);
            now = now.later_by(wait);
            assert_eq!(schedule.due(now), None);
        }
        assert_eq!(waited, [5, 10, 20, 40, 80, 160, 320, 640, 720, 720]);
        assert_eq!(schedule.failed(now, Some(DAY)), DAY, "as the authority asks");
        assert_eq!(schedule.failed(now, Some(30 * DAY)), 7 * DAY);
        schedule.issued(&certificate(90 * DAY));
        assert_eq!(schedule.failures(), Failures::default());
    }

    #[test]
    fn failures_outlive_a_restart_and_a_clock_that_is_set_back() {
        let mut before = Schedule::new(5 * MINUTE, None);
        before.failed(BEGIN, None);
        let mut after = Schedule::new(5 * MINUTE, None);
        after.failed_before(before.failures());
        assert_eq!(after.due(BEGIN.later_by(MINUTE)), Some(4 * MINUTE));
        assert_eq!(after.failed(BEGIN.later_by(5 * MINUTE), None), 10 * MINUTE);
        assert_eq!(after.due(BEGIN.earlier_by(DAY)), None);
    }
}
