//! Where publications are kept: the [`Store`] trait, a memory backend and a SQLite backend.
//!
//! A publication that is to be stored comes here with its position already given, and goes on to subscribers
//! when its [`Completion`] says that its group is committed. Whoever comes back for what he missed reads it
//! here, from where the channel's ring in the hub no longer reaches. Beside publications there are records: small things
//! with a key and an end, that a dialect needs again after a restart; and credentials and secrets, which stay until they
//! are removed. What a credential says is the business of those above. And there is what people add to their messages and say of themselves:
//! actions on messages, users and channels with their memberships, which are listed by filters, and items, a small ordered map.
//!
//! Both backends stand on one writer: a bounded queue and one thread that commits what is queued in groups,
//! calls the completions in order, and between groups removes what is kept no longer. What this crate does not
//! do: give positions, know rules (an [`Entry`] comes with its expiry and history size), or deliver anything.
#![forbid(unsafe_code)]

mod actions;
mod change;
mod complaint;
mod doubt;
mod error;
mod history;
mod items;
mod listing;
mod memberships;
mod memory;
mod objects;
mod question;
mod queue;
mod records;
mod settings;
mod sqlite;
mod stats;
mod store;
mod vault;
mod writer;

pub use actions::{Action, ActionPage, ActionQuery, ActionRange, Added, Removed};
pub use change::Change;
pub use doubt::Doubt;
pub use error::StoreError;
pub use items::{Item, ItemPage};
pub use listing::{Direction, ListQuery, Listed, SortField, iso_text};
pub use memberships::{
    Membership, MembershipChange, MembershipList, MembershipPatch, MembershipsChanged, Of,
};
pub use memory::MemoryStore;
pub use objects::{Object, ObjectKind, ObjectList, ObjectPatch, PreconditionFailed};
pub use question::Question;
pub use settings::{Durability, StoreSettings};
pub use sqlite::{DATABASE_FILE, LOCK_FILE, SqliteStore};
pub use stats::StoreStats;
pub use store::{
    Clock, Committed, Completion, Done, End, Entry, Page, Query, Range, Store, StoredCredential, system_clock,
};
