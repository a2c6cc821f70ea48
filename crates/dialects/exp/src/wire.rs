//! What the dialect's bytes mean: pure functions without IO, clock or runtime, that fuzz targets call directly.

pub(crate) mod broadcast;
pub(crate) mod channel;
pub(crate) mod error;
pub(crate) mod login;
pub(crate) mod path;
pub(crate) mod payload;
