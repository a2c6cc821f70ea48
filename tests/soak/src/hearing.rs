use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::channels::Class;
use crate::client::is_broadcaster;
use crate::ledger::{Ledger, Moment, Number};

/// How long a message that was taken may be on its way to one who listens, on a busy machine.
pub(crate) const PATIENCE: Moment = 20_000_000_000;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It was heard before.
    Twice { publisher: String, number: Number, last: Number },
    /// What was said between these was not heard, and no gap was told.
    Missing { publisher: String, after: Option<Number>, heard: Number },
    /// It was taken long ago, and has not been heard.
    Late { publisher: String, number: Number, last: Option<Number> },
    /// A gap was told where all is kept.
    Gap { missed: usize, away_ms: u64 },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Twice { publisher, number, last } => {
                write!(f, "{number} of {publisher} comes after {last}")
            }
            Fault::Missing { publisher, after: Some(after), heard } => {
                write!(f, "{heard} of {publisher} comes right after {after}")
            }
            Fault::Missing { publisher, after: None, heard } => {
                write!(
                    f,
                    "{heard} of {publisher} is the first, and what came before it was sent later than the subscription"
                )
            }
            Fault::Late { publisher, number, last } => {
                write!(f, "{number} of {publisher} has not come, the last was {last:?}")
            }
            Fault::Gap { missed, away_ms } => {
                write!(f, "a gap was told after {away_ms} ms in which {missed} messages were sent")
            }
        }
    }
}

/// How a listener comes to a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    /// From here on.
    Anew,
    /// From where it was.
    Resumed,
    /// From where it was, by positions that broadcasts which want answers do not have: those it may miss, or hear again.
    Recovered,
}

/// What one listener has heard on one channel, and whether that is right: each publisher's messages in order, none twice,
/// none missing that was sent while it listened, unless a gap was told.
pub(crate) struct Hearing {
    channel: Arc<str>,
    /// All that was sent after this has to be heard.
    since: Moment,
    /// The same for broadcasts that want answers.
    broadcasts_since: Moment,
    connected: Option<Moment>,
    left: Moment,
    /// From when the position is with which it comes back: of the last message, or of its beginning.
    cursor: Moment,
    heard: HashMap<Arc<str>, Last>,
}

#[derive(Clone, Copy)]
struct Last {
    number: Number,
    /// Whether what follows may be any later one: there was a gap, or the listener was not there.
    may_jump: bool,
}

impl Hearing {
    pub(crate) fn new(channel: &str) -> Hearing {
        Hearing {
            channel: channel.into(),
            since: 0,
            broadcasts_since: 0,
            connected: None,
            left: 0,
            cursor: 0,
            heard: HashMap::new(),
        }
    }

    pub(crate) fn channel(&self) -> &Arc<str> {
        &self.channel
    }

    /// Whether something that was sent then came as it was said, and not as part of the past.
    pub(crate) fn is_live(&self, sent: Moment) -> bool {
        self.connected.is_some_and(|connected| sent > connected)
    }

    /// Whether it has been connected for long enough to have heard what it missed.
    pub(crate) fn is_settled(&self, now: Moment) -> bool {
        self.connected.is_some_and(|connected| connected + PATIENCE / 4 < now)
    }

    /// The server has confirmed that it listens.
    pub(crate) fn join(&mut self, joined: Joined, now: Moment) {
        self.connected = Some(now);
        match joined {
            Joined::Anew => self.begin_anew(now),
            Joined::Resumed => {}
            Joined::Recovered => {
                self.broadcasts_since = now;
                self.heard.retain(|publisher, _| !is_broadcaster(publisher));
            }
        }
    }

    /// It is connected no more.
    pub(crate) fn leave(&mut self, now: Moment) {
        if self.connected.take().is_some() {
            self.left = now;
        }
    }

    /// A message was heard.
    ///
    /// # Errors
    /// It should not have been, or another one should have been before it.
    pub(crate) fn message(&mut self, publisher: &str, number: Number, ledger: &Ledger) -> Result<(), Fault> {
        self.cursor = self.cursor.max(ledger.sent(&self.channel, publisher, number).unwrap_or(0));
        let Some(last) = self.heard.get_mut(publisher) else {
            self.heard.insert(publisher.into(), Last { number, may_jump: false });
            let before =
                number.checked_sub(1).and_then(|before| ledger.sent(&self.channel, publisher, before));
            return match before {
                Some(sent)
                    if sent > self.since_of(publisher) && !self.is_deleted(publisher, number - 1, ledger) =>
                {
                    Err(Fault::Missing { publisher: publisher.to_owned(), after: None, heard: number })
                }
                _ => Ok(()),
            };
        };
        let before = std::mem::replace(last, Last { number: last.number.max(number), may_jump: false });
        if number <= before.number {
            return Err(Fault::Twice { publisher: publisher.to_owned(), number, last: before.number });
        }
        if number > before.number + 1 && !before.may_jump && !self.is_deleted(publisher, number - 1, ledger) {
            let after = Some(before.number);
            return Err(Fault::Missing { publisher: publisher.to_owned(), after, heard: number });
        }
        Ok(())
    }

    /// A gap was told.
    ///
    /// # Errors
    /// There is no cause for it.
    pub(crate) fn gap(
        &mut self,
        ledger: &Ledger,
        restarted: Option<Moment>,
        now: Moment,
    ) -> Result<(), Fault> {
        // What was on its way when the listener left counts as missed.
        let left = self.left.saturating_sub(PATIENCE / 10);
        let missed = ledger.sent_since(&self.channel, left);
        let away_ms = now.saturating_sub(self.left) / 1_000_000;
        // On a quiet channel the position may be of long before.
        let known = left.min(self.cursor);
        let is_disturbed = |moment: Option<Moment>| moment.is_some_and(|moment| moment >= known);
        self.begin_anew(now);
        let class = Class::of(&self.channel);
        let may_be = match class.kept() {
            None => is_disturbed(ledger.deleted(&self.channel)),
            Some(kept) => {
                missed >= kept.messages
                    || away_ms >= kept.away_ms
                    || (!kept.survives_restart && is_disturbed(restarted))
            }
        };
        if may_be { Ok(()) } else { Err(Fault::Gap { missed, away_ms }) }
    }

    /// What is overdue.
    pub(crate) fn overdue(&mut self, ledger: &Ledger, now: Moment) -> Vec<Fault> {
        let before = now.saturating_sub(PATIENCE);
        if self.connected.is_none_or(|connected| connected > before) {
            return Vec::new();
        }
        self.behind(ledger, before)
    }

    /// What was taken before this and has not been heard. Each is told once.
    pub(crate) fn behind(&mut self, ledger: &Ledger, before: Moment) -> Vec<Fault> {
        let mut faults = Vec::new();
        let since = self.since.max(ledger.deleted(&self.channel).unwrap_or(0));
        for (publisher, number) in ledger.due(&self.channel, since, before) {
            let is_missed = |sent: Moment| sent <= self.since_of(&publisher);
            if ledger.sent(&self.channel, &publisher, number).is_some_and(is_missed) {
                continue;
            }
            let last = self.heard.get(&publisher).copied();
            if last.is_some_and(|last| last.number >= number) {
                continue;
            }
            let last = last.map(|last| last.number);
            faults.push(Fault::Late { publisher: publisher.to_string(), number, last });
            self.heard.insert(publisher, Last { number, may_jump: true });
        }
        faults
    }

    /// Forgets publishers who are forgotten in the ledger.
    pub(crate) fn forget(&mut self, ledger: &Ledger) {
        let channel = &self.channel;
        self.heard.retain(|publisher, last| ledger.sent(channel, publisher, last.number).is_some());
    }

    /// Whether a message may have been deleted before a listener who was away could hear it.
    fn is_deleted(&self, publisher: &str, number: Number, ledger: &Ledger) -> bool {
        let sent = ledger.sent(&self.channel, publisher, number);
        ledger.deleted(&self.channel).is_some_and(|deleted| sent.is_none_or(|sent| sent <= deleted))
    }

    /// All of this publisher that was sent after this has to be heard.
    fn since_of(&self, publisher: &str) -> Moment {
        if is_broadcaster(publisher) { self.since.max(self.broadcasts_since) } else { self.since }
    }

    fn begin_anew(&mut self, now: Moment) {
        self.since = now;
        self.cursor = now;
        self.heard.values_mut().for_each(|last| last.may_jump = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Moment = 1_000_000_000;

    /// A ledger in which `p` has said five things on a channel, one each second from the first on.
    fn said(channel: &str) -> Ledger {
        let ledger = Ledger::default();
        for number in 0..5 {
            ledger.send(channel, "p", u64::from(number + 1) * SECOND);
            ledger.acknowledge(channel, "p", number, u64::from(number + 1) * SECOND + 1);
        }
        ledger
    }

    fn listening(channel: &str, since: Moment) -> Hearing {
        let mut hearing = Hearing::new(channel);
        hearing.join(Joined::Anew, since);
        hearing
    }

    #[test]
    fn what_comes_in_order_is_right_from_where_the_listener_began() {
        let ledger = said("keep.1");
        let mut hearing = listening("keep.1", 2 * SECOND + 1);
        for number in 2..5 {
            assert_eq!(hearing.message("p", number, &ledger), Ok(()));
        }
        assert_eq!(hearing.overdue(&ledger, 60 * SECOND), []);
    }

    #[test]
    fn what_is_missing_at_the_beginning_in_the_middle_or_at_the_end_is_found() {
        let ledger = said("keep.1");
        let mut hearing = listening("keep.1", SECOND + 1);
        let publisher = "p".to_owned();
        let missing = Fault::Missing { publisher: publisher.clone(), after: None, heard: 2 };
        assert_eq!(hearing.message("p", 2, &ledger), Err(missing));
        let missing = Fault::Missing { publisher: publisher.clone(), after: Some(2), heard: 4 };
        assert_eq!(hearing.message("p", 4, &ledger), Err(missing));
        let mut hearing = listening("keep.1", 0);
        assert_eq!(hearing.message("p", 0, &ledger), Ok(()));
        assert_eq!(hearing.overdue(&ledger, 10 * SECOND), []);
        let late = [Fault::Late { publisher, number: 4, last: Some(0) }];
        assert_eq!(hearing.overdue(&ledger, 60 * SECOND), late);
        assert_eq!(hearing.overdue(&ledger, 60 * SECOND), []);
    }

    #[test]
    fn what_comes_again_or_too_late_is_found() {
        let ledger = said("keep.1");
        let mut hearing = listening("keep.1", 0);
        assert_eq!(hearing.message("p", 0, &ledger), Ok(()));
        let twice = Fault::Twice { publisher: "p".to_owned(), number: 0, last: 0 };
        assert_eq!(hearing.message("p", 0, &ledger), Err(twice.clone()));
        // Neither does a gap, nor to come back, excuse it.
        hearing.leave(2 * SECOND);
        hearing.join(Joined::Anew, 3 * SECOND);
        assert_eq!(hearing.message("p", 0, &ledger), Err(twice));
    }

    #[test]
    fn who_resumes_has_to_hear_all_and_who_comes_anew_only_what_follows() {
        let ledger = said("keep.1");
        for (joined, expected) in [(Joined::Anew, true), (Joined::Resumed, false)] {
            let mut hearing = listening("keep.1", 0);
            assert_eq!(hearing.message("p", 0, &ledger), Ok(()));
            hearing.leave(SECOND);
            hearing.join(joined, 10 * SECOND);
            assert_eq!(hearing.message("p", 3, &ledger).is_ok(), expected);
        }
    }

    #[test]
    fn a_gap_needs_a_cause() {
        let ledger = said("keep.1");
        let mut hearing = listening("keep.1", 0);
        hearing.leave(SECOND);
        hearing.join(Joined::Resumed, 2 * SECOND);
        assert!(hearing.gap(&ledger, None, 2 * SECOND).is_err());
        ledger.delete("keep.1", 2 * SECOND);
        assert_eq!(hearing.gap(&ledger, None, 3 * SECOND), Ok(()));
        // What is in memory alone does not survive a restart.
        let ledger = said("memory.1");
        let mut hearing = listening("memory.1", 0);
        hearing.leave(SECOND);
        hearing.join(Joined::Resumed, 2 * SECOND);
        assert!(hearing.gap(&ledger, None, 2 * SECOND).is_err());
        assert_eq!(hearing.gap(&ledger, Some(SECOND), 2 * SECOND + 1), Ok(()));
        assert_eq!(hearing.message("p", 2, &ledger), Ok(()));
    }

    #[test]
    fn what_was_deleted_is_not_missed_and_what_came_later_is() {
        let ledger = said("deleted.1");
        ledger.delete("deleted.1", 3 * SECOND);
        let mut hearing = listening("deleted.1", 0);
        assert_eq!(hearing.message("p", 0, &ledger), Ok(()));
        assert_eq!(hearing.message("p", 3, &ledger), Ok(()));
        let mut hearing = listening("deleted.1", 0);
        assert_eq!(hearing.message("p", 0, &ledger), Ok(()));
        assert!(hearing.message("p", 4, &ledger).is_err());
    }

    #[test]
    fn broadcasts_alone_may_be_missed_or_come_again_to_who_is_recovered() {
        let ledger = said("keep.1");
        for number in 0..5_u32 {
            ledger.send("keep.1", "exp-1", u64::from(number + 1) * SECOND);
        }
        let mut hearing = listening("keep.1", 0);
        for publisher in ["p", "exp-1"] {
            assert_eq!(hearing.message(publisher, 0, &ledger), Ok(()));
        }
        hearing.leave(SECOND);
        hearing.join(Joined::Recovered, 4 * SECOND);
        assert_eq!(hearing.message("exp-1", 0, &ledger), Ok(()));
        assert!(hearing.message("exp-1", 0, &ledger).is_err());
        assert!(hearing.message("p", 3, &ledger).is_err());
    }

    #[test]
    fn a_quiet_channel_in_memory_is_lost_with_the_server_before_the_last_visit_too() {
        let ledger = said("memory.1");
        let mut hearing = listening("memory.1", 0);
        assert!(hearing.message("p", 4, &ledger).is_err());
        hearing.leave(20 * SECOND);
        hearing.join(Joined::Resumed, 21 * SECOND);
        assert_eq!(hearing.gap(&ledger, Some(10 * SECOND), 21 * SECOND), Ok(()));
    }
}
