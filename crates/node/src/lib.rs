//! One process of a cluster: hub, store and access put together as the commands that dialects call.
//!
//! A dialect decodes what its client wants and calls [`Node::publish`], [`Node::broadcast`], [`Node::history`] and
//! so on with the client's `Caller`; the node asks access, keeps limits and rules, has the hub order and deliver, and the
//! store keep. It knows no protocol and no socket; connections and threads are `net`'s.
#![forbid(unsafe_code)]

mod clock;
mod collect;
mod credentials;
mod error;
mod history;
mod idempotency;
mod keep;
pub mod metrics;
mod node;
mod org;
mod overload;
mod past;
mod presence;
mod publish;
mod publish_all;
mod revocations;
mod settings;

/// What the store says when it cannot, and from which end it reads; so that those above need not know the store.
pub use antiphon_store::{End, StoreError};
pub use clock::SystemClock;
pub use collect::Collected;
pub use credentials::{Existing, check_admin};
pub use error::{CredentialsFailed, DeleteFailed, PresenceFailed, PublishError, ReadError, ReplyFailed};
pub use history::{History, MissedInStore, Window};
pub use metrics::Metrics;
pub use node::{Node, NodeParts};
pub use org::{Begins, NodeOrg, TooManySessions};
pub use overload::{Edge, Overload, Overloaded};
pub use past::{Between, Past};
pub use publish::{Completion, Receipt};
pub use publish_all::CompletionOfAll;
pub use revocations::RevokeFailed;
pub use settings::{NodeSettings, OrgParts};
