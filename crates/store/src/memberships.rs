//! Memberships: which users belong to which channels, and how.

use antiphon_model::{OrgId, Timestamp};
use futures_util::future::BoxFuture;

use crate::change::{Operation, Step};
use crate::memory::State;
use crate::objects::{check_custom, etag, set_at};
use crate::question::Inquiry;
use crate::sqlite::{self, Failed, Reading, Writing};
use crate::{Done, ListQuery, Object, Store, StoreError};

/// That a user belongs to a channel. Neither has to be an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// The user's id.
    pub user: Box<str>,
    /// The channel's id.
    pub channel: Box<str>,
    /// Whatever status means to the application.
    pub status: Option<Box<str>>,
    /// Whatever type means to the application.
    pub kind: Option<Box<str>>,
    /// A JSON object of the application's.
    pub custom: Option<Box<str>>,
    /// When it was last set, in whole microseconds.
    pub updated: Timestamp,
    /// Stands for status, type and custom: two that differ have different ones.
    pub etag: Box<str>,
    /// The object on the other side: in the list of a user the channel, in the list of a channel the user. None if there is none, or the
    /// membership comes from no list.
    pub related: Option<Object>,
}

/// What to do with a membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MembershipChange {
    /// Sets fields; it is made if there is none.
    Set {
        /// The user's id.
        user: Box<str>,
        /// The channel's id.
        channel: Box<str>,
        /// Which fields.
        patch: MembershipPatch,
    },
    /// Removes it, if there is one.
    Remove {
        /// The user's id.
        user: Box<str>,
        /// The channel's id.
        channel: Box<str>,
    },
}

/// What to set of a membership: the outer `None` keeps a field, the inner one clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MembershipPatch {
    /// The status.
    pub status: Option<Option<Box<str>>>,
    /// The type.
    pub kind: Option<Option<Box<str>>>,
    /// A JSON object, which replaces the one before as a whole.
    pub custom: Option<Option<Box<str>>>,
}

/// What became of memberships that were to be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MembershipsChanged {
    /// Those that were set, as they are after that, in the order of the changes.
    pub set: Vec<Membership>,
    /// Those that there were and that were removed, as they were, in the order of the changes.
    pub removed: Vec<Membership>,
}

/// Whose memberships.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    /// The channels of a user.
    User(Box<str>),
    /// The members of a channel.
    Channel(Box<str>),
}

/// An answer to a list of memberships.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MembershipList {
    /// In the order asked for.
    pub memberships: Vec<Membership>,
    /// How many the filter lets through, whatever the page. None if not asked for.
    pub total: Option<u64>,
    /// Whether there are more behind the last.
    pub more: bool,
}

impl dyn Store {
    /// Changes memberships, in order, all or none.
    ///
    /// `done` is told [`StoreError::LimitReached`] if the org would have more than `memberships_max`, and [`StoreError::Unstorable`] if a
    /// `custom` is no JSON object, or there are more than 1 MiB of changes.
    pub fn set_memberships(
        &self,
        org: &OrgId,
        changes: Vec<MembershipChange>,
        now: Timestamp,
        done: Done<MembershipsChanged>,
    ) {
        for change in &changes {
            if let MembershipChange::Set { patch: MembershipPatch { custom: Some(Some(custom)), .. }, .. } =
                change
                && let Err(error) = check_custom(custom)
            {
                return done(Err(error));
            }
        }
        self.operate(SetMemberships { org: org.clone(), changes, now }, done);
    }

    /// Lists the memberships of a user or a channel, each with the object on the other side. The future may be dropped.
    ///
    /// # Errors
    /// [`StoreError::BadQuery`] if the filter or the order cannot be had, [`StoreError::TooExpensive`] after `list_millis_max`; too many
    /// reads wait, the store is closed, or the disk fails.
    pub fn memberships(
        &self,
        org: &OrgId,
        of: Of,
        query: ListQuery,
    ) -> BoxFuture<'static, Result<MembershipList, StoreError>> {
        self.inquire(Memberships { org: org.clone(), of, query })
    }
}

impl Membership {
    /// What a membership becomes by a patch.
    pub(crate) fn patched(
        old: Option<&Membership>,
        (user, channel): (&str, &str),
        patch: &MembershipPatch,
        now: Timestamp,
    ) -> Membership {
        let old = old.cloned().unwrap_or_default();
        let membership = Membership {
            user: user.into(),
            channel: channel.into(),
            status: patch.status.clone().unwrap_or(old.status),
            kind: patch.kind.clone().unwrap_or(old.kind),
            custom: patch.custom.clone().unwrap_or(old.custom),
            updated: set_at(now),
            etag: Box::default(),
            related: None,
        };
        let fields = [&membership.status, &membership.kind, &membership.custom];
        Membership { etag: etag(&fields), ..membership }
    }

    pub(crate) fn bytes(&self) -> usize {
        let fields = [&self.status, &self.kind, &self.custom].into_iter().flatten().map(|field| field.len());
        let related = self.related.as_ref().map_or(0, Object::bytes);
        size_of::<Membership>() + self.user.len() + self.channel.len() + fields.sum::<usize>() + related
    }
}

impl MembershipChange {
    /// The ids of the user and the channel.
    pub(crate) fn ids(&self) -> (&str, &str) {
        let (MembershipChange::Set { user, channel, .. } | MembershipChange::Remove { user, channel }) = self;
        (user, channel)
    }

    fn bytes(&self) -> usize {
        let (user, channel) = self.ids();
        let patch = match self {
            MembershipChange::Remove { .. } => 0,
            MembershipChange::Set { patch: MembershipPatch { status, kind, custom }, .. } => {
                [status, kind, custom].into_iter().flatten().flatten().map(|field| field.len()).sum()
            }
        };
        size_of::<MembershipChange>() + user.len() + channel.len() + patch
    }
}

struct SetMemberships {
    org: OrgId,
    changes: Vec<MembershipChange>,
    now: Timestamp,
}

impl Operation for SetMemberships {
    type Outcome = MembershipsChanged;

    fn bytes(&self) -> usize {
        self.changes.iter().map(MembershipChange::bytes).sum()
    }

    fn in_memory(&mut self, state: &mut State, _: Timestamp) -> Result<Step<Self::Outcome>, StoreError> {
        state.set_memberships(&self.org, &self.changes, self.now).map(Step::Done)
    }

    fn in_sqlite(&mut self, writing: &mut Writing<'_>) -> Result<Step<Self::Outcome>, Failed> {
        sqlite::set_memberships(writing, &self.org, &self.changes, self.now).map(Step::Done)
    }
}

struct Memberships {
    org: OrgId,
    of: Of,
    query: ListQuery,
}

impl Inquiry for Memberships {
    type Answer = MembershipList;

    fn in_memory(&self, state: &State, _: Timestamp) -> Result<MembershipList, StoreError> {
        state.memberships(&self.org, &self.of, &self.query)
    }

    fn in_sqlite(&self, reading: &Reading<'_>) -> Result<MembershipList, StoreError> {
        sqlite::memberships(reading, &self.org, &self.of, &self.query)
    }
}
