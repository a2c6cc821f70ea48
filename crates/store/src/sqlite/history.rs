//! How many publications the channels have whose history is limited, and which have too many.

use std::collections::VecDeque;
use std::mem;

use super::cache::RecentMap;
use super::channels::Origin;

/// The sizes of limited histories, known without asking the database at each insert.
pub(super) struct Histories {
    by_channel: RecentMap<i64, History>,
    /// To be looked at as soon as there is time. A channel is here if its history is [`Listed::Due`].
    due: VecDeque<i64>,
    /// To be looked at in the next pass.
    waiting: Vec<i64>,
}

pub(super) struct History {
    keep: u64,
    size: Size,
    listed: Listed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Known(u64),
    /// Counted from the oldest on, so far up to and including a position.
    Counting {
        upto: i64,
        counted: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listed {
    No,
    Waiting,
    Due,
}

/// What is to be done with a channel's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Go on counting after this position.
    Count { channel: i64, after: i64 },
    /// Remove as many of its oldest.
    Trim { channel: i64, excess: u64 },
}

impl Histories {
    pub(super) fn new(capacity: usize) -> Histories {
        Histories { by_channel: RecentMap::new(capacity), due: VecDeque::new(), waiting: Vec::new() }
    }

    pub(super) fn clear(&mut self) {
        self.by_channel.clear();
        self.due.clear();
        self.waiting.clear();
    }

    /// Counts an insert.
    pub(super) fn inserted(&mut self, channel: i64, origin: Origin, position: i64, keep: Option<u64>) {
        let Some(keep) = keep else {
            if !self.by_channel.is_empty() {
                self.by_channel.remove(&channel);
            }
            return;
        };
        if self.by_channel.use_mut(&channel).is_none() {
            let size = match origin {
                Origin::Made => Size::Known(0),
                Origin::Found => Size::Counting { upto: -1, counted: 0 },
            };
            self.by_channel.insert(channel, History { keep, size, listed: Listed::No });
        }
        let history = self.by_channel.use_mut(&channel).expect("it is there or was just inserted");
        history.keep = keep;
        let wanted = match &mut history.size {
            Size::Known(size) => {
                *size += 1;
                match size.saturating_sub(keep) {
                    0 => Listed::No,
                    // To trim one by one would cost more than the inserts.
                    excess if excess < (keep / 8).clamp(16, 1000) => Listed::Waiting,
                    _ => Listed::Due,
                }
            }
            Size::Counting { upto, counted } => {
                *counted += u64::from(position <= *upto);
                Listed::Due
            }
        };
        match (history.listed, wanted) {
            (Listed::No, Listed::Waiting) => self.waiting.push(channel),
            (Listed::No | Listed::Waiting, Listed::Due) => self.due.push_back(channel),
            _ => return,
        }
        history.listed = wanted;
    }

    /// Makes all that waits due.
    pub(super) fn begin_pass(&mut self) {
        for channel in mem::take(&mut self.waiting) {
            if let Some(history) = self.by_channel.use_mut(&channel)
                && history.listed == Listed::Waiting
            {
                history.listed = Listed::Due;
                self.due.push_back(channel);
            }
        }
    }

    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// The next thing to do, until [`Histories::counted`] or [`Histories::removed`] says that it is done.
    pub(super) fn task(&mut self) -> Option<Task> {
        while let Some(&channel) = self.due.front() {
            // A channel that fell out of the map is counted again at its next insert.
            if let Some(history) = self.by_channel.use_mut(&channel) {
                match history.size {
                    Size::Counting { upto, .. } => return Some(Task::Count { channel, after: upto }),
                    Size::Known(size) if size > history.keep => {
                        return Some(Task::Trim { channel, excess: size - history.keep });
                    }
                    Size::Known(_) => history.listed = Listed::No,
                }
            }
            self.due.pop_front();
        }
        None
    }

    /// More were counted, up to `upto`; none if that was the end.
    pub(super) fn counted(&mut self, channel: i64, more: u64, upto: Option<i64>) {
        if let Some(history) = self.by_channel.use_mut(&channel)
            && let Size::Counting { counted, .. } = history.size
        {
            let counted = counted + more;
            history.size = match upto {
                Some(upto) => Size::Counting { upto, counted },
                None => Size::Known(counted),
            };
        }
    }

    /// As many were removed; some of them perhaps not counted yet.
    pub(super) fn removed(&mut self, channel: i64, count: u64) {
        if let Some(history) = self.by_channel.use_mut(&channel) {
            match &mut history.size {
                Size::Known(size) => *size = size.saturating_sub(count),
                size @ Size::Counting { .. } => *size = Size::Counting { upto: -1, counted: 0 },
            }
        }
    }

    /// What was thought to be in the database was not: counts again.
    pub(super) fn recount(&mut self, channel: i64) {
        if let Some(history) = self.by_channel.use_mut(&channel) {
            history.size = Size::Counting { upto: -1, counted: 0 };
        }
    }
}
