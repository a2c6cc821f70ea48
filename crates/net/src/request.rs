//! What dialects over HTTP read of a request before they know what it is for: its query, headers, body and credential, and whether
//! the page that sends it may.

mod body;
mod credentials;
pub mod duration;
mod headers;
mod name;
pub mod query;
mod screen;

pub use body::{RequestBody, Rest};
pub use credentials::{authenticate, caller};
pub use headers::{cache_control, host, list, origin, text, transport, vary};
pub use name::event_name;
pub use screen::{check_any_origin, check_host, check_origin, only_one_host};
