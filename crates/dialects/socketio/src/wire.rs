//! The bytes of Socket.IO, both ways.

pub(crate) mod attachments;
pub(crate) mod builder;
pub(crate) mod data;
pub(crate) mod encoded;
pub(crate) mod error;
mod kept;
pub(crate) mod limits;
pub mod msgpack;
pub(crate) mod namespace;
pub(crate) mod packet;

pub(crate) use kept::kept;
