//! What bytes mean: pure, and each a module of its own.

pub(crate) mod actions;
pub(crate) mod error;
pub(crate) mod files;
pub(crate) mod grants;
pub(crate) mod history;
pub(crate) mod inflate;
pub(crate) mod json;
pub(crate) mod meta;
pub(crate) mod names;
pub(crate) mod objects;
pub(crate) mod presence;
pub(crate) mod push;
pub(crate) mod query;
