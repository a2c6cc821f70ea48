use antiphon_access::{CredentialError, RateLimited, Refused};
use antiphon_hub::{PresenceError, ReplyError};
use antiphon_model::{IdentityKind, Position};
use antiphon_store::StoreError;

/// Why a publication was not taken, or not stored.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PublishError {
    /// The caller may not publish there.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The channel's rule keeps this kind of identity from it.
    #[error("the channel's rule does not let identities of kind {0:?} publish")]
    KindRefused(IdentityKind),
    /// A part of it is longer than the org allows.
    #[error("the {part} has {bytes} bytes, more than the {max} allowed")]
    TooLarge {
        /// `payload`, `meta`, `name` or `channel name`.
        part: &'static str,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        max: usize,
    },
    /// Too many publications in too short a time.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// The org has as many channels in use as it may.
    #[error("this org has as many channels in use as it may have, or there is no memory for more")]
    TooManyChannels,
    /// Too many broadcasts collect replies.
    #[error("too many broadcasts are collecting replies in this org, or there is no memory for more")]
    TooManyBroadcasts,
    /// It was delivered to whoever listens, but it is not in the store.
    #[error("delivered to those who listen now, but not stored: {cause}")]
    NotStored {
        /// Where it stands.
        position: Position,
        /// What the store says.
        cause: StoreError,
    },
    /// An earlier publish with this idempotency key is still under way.
    #[error("a publish with this idempotency key is under way: wait for its answer")]
    UnderWay,
    /// The node is about to stop.
    #[error("the server is stopping")]
    Closing,
}

/// Why history cannot be read or a channel listened to.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// The caller may not.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The channel's rule keeps this kind of identity from it.
    #[error("the channel's rule does not let identities of kind {0:?} subscribe")]
    KindRefused(IdentityKind),
    /// The store does not answer.
    #[error("the store cannot be read: {0}")]
    Unavailable(#[from] StoreError),
    /// The org has as many channels in use as it may.
    #[error("this org has as many channels in use as it may have, or there is no memory for more")]
    TooManyChannels,
}

/// Why a part of a channel's past is not deleted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeleteFailed {
    /// The caller may not.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The store did not do it, or not all of it.
    #[error("not all of it could be deleted: {0}")]
    Unavailable(#[from] StoreError),
    /// The node is about to stop.
    #[error("the server is stopping")]
    Closing,
}

/// Why a reply was not taken.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReplyFailed {
    /// The caller may not listen on the channel, so it may not reply either.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Nobody takes it.
    #[error(transparent)]
    Reply(#[from] ReplyError),
    /// It is too long.
    #[error("the payload has {bytes} bytes, more than the {max} allowed")]
    TooLarge {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        max: usize,
    },
}

/// Why presence was not changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PresenceFailed {
    /// The caller may not.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The channel does not take it.
    #[error(transparent)]
    Presence(#[from] PresenceError),
    /// The state is too long.
    #[error("the state has {bytes} bytes, more than the {max} allowed")]
    StateTooLarge {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        max: usize,
    },
}

/// Why credentials were not listed or changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CredentialsFailed {
    /// The caller is no operator of its org.
    #[error("credentials are for whoever has the permission admin on all channels")]
    NotAdmin,
    /// The org cannot have it, or has none.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The store does not make the change. Nothing has changed.
    #[error("the credentials cannot be changed: {0}")]
    NotKept(StoreError),
    /// The node is about to stop.
    #[error("the server is stopping")]
    Closing,
}
