//! The EXP network: devices, users and consumer apps that broadcast on channels, and collect what their listeners respond.
//!
//! A client logs in by [`ExpHttp`] and gets a session token, with which it broadcasts and responds there and opens a socket. What its
//! bytes mean is decided in `wire`, which is pure; `http` has a module for each resource. The socket is `engineio`'s, with packets of
//! `socketio`'s: `socket` says what is listened to there, `formats` how a publication is written, and `resume` remembers
//! subscriptions for those who come back. Credentials and tokens are access's, broadcasts and their responses the node's and the hub's;
//! this crate decides on no permission. How its words map onto ours is told in `mapping.md`.
#![forbid(unsafe_code)]

mod codes;
mod exp;
mod formats;
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod resume;
mod settings;
mod socket;
mod wire;

pub use exp::Exp;
pub use http::ExpHttp;
pub use settings::{ExpSettings, InvalidExpSettings, TOKEN_LIFETIME_MAX};
