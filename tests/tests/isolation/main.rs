//! Isolation: every endpoint and every command of every dialect, asked by those who may not.
//!
//! Each dialect has a table whose rows are its endpoints or commands, and what each needs. A table is held against what the
//! server itself says that there is (its OpenAPI document, its list of routes, its own words for what it knows), so a command
//! that is added without a row fails here. Each row is asked as another org's identity, by an expired credential, without the
//! permission, and without any credential: it is refused with the right error, and nothing has changed. Then it is asked by who
//! may, so that it is known that the row asks for something.
//!
//! What is refused tells nothing: the answer about what is there and not the asker's is byte for byte the one about what is not
//! there at all.
#![cfg(test)]

mod crossing;
mod ears;
mod exp;
mod mouths;
mod native;
mod native_rows;
mod numbers;
mod packets;
mod pubnub;
mod pubnub_rows;
mod pubnub_world;
mod revocations;
mod short_lived;
mod socketio;
mod strangers;
mod told;
mod v1;
mod world;
