//! What the dialect's bytes mean: pure functions without IO, clock or runtime, that fuzz targets call directly.

pub(crate) mod accept;
pub(crate) mod batch;
pub(crate) mod credential;
pub(crate) mod json;
pub(crate) mod listen;
pub(crate) mod media;
pub(crate) mod message;
pub(crate) mod ndjson;
pub(crate) mod path;
pub(crate) mod publish;
pub(crate) mod revocation;
pub(crate) mod sse;

pub(crate) use antiphon_net::request::{duration, query};
