//! The binary as people run it: its commands, its errors, and a server that is published to, listened to and stopped.

#![allow(clippy::unwrap_used, reason = "the helpers of tests may panic as tests may")]

mod bench;
mod clients;
mod commands;
mod credentials;
mod process;
mod serving;
mod tokens;
