//! The subprotocol `antiphon.v1`: everything that a client can do, over one WebSocket (docs/protocol.md).
//!
//! A text message goes through [`envelope`], which says what is asked, to the [`session::Session`], which says what is to
//! be done and what is answered; [`V1`] does it. The first two know neither IO nor clock.

mod endpoint;
pub(crate) mod envelope;
mod format;
pub(crate) mod fuzzing;
mod session;

pub(crate) use endpoint::V1;

/// The name of the subprotocol in the handshake.
pub(crate) const PROTOCOL: &str = "antiphon.v1";
