//! The lock of an org, and who is woken once it is given back.

use std::ops::{Deref, DerefMut};

use parking_lot::MutexGuard;

use super::Org;
use super::state::State;
use crate::hub::Shared;
use crate::inbox::Woken;

/// An org's state, for whom has its lock.
///
/// To wake a worker that sleeps is a system call. With many of them, who publishes next would wait for all of these: so they are made
/// when the lock is given back.
pub(super) struct Locked<'a> {
    // Dropped in this order.
    state: MutexGuard<'a, State>,
    wakes: Wakes<'a>,
}

struct Wakes<'a> {
    shared: &'a Shared,
    owed: Woken,
}

impl Org {
    #[inline]
    pub(super) fn lock(&self) -> Locked<'_> {
        Locked { state: self.state.lock(), wakes: Wakes { shared: &self.shared, owed: Woken::new() } }
    }
}

impl Deref for Locked<'_> {
    type Target = State;

    #[inline]
    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Locked<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.state.woken.is_empty() {
            self.wakes.owed = std::mem::take(&mut self.state.woken);
        }
    }
}

impl Drop for Wakes<'_> {
    #[inline]
    fn drop(&mut self) {
        self.owed.iter().for_each(|worker| self.shared.inbox(*worker).signal());
    }
}
