//! The binary as people run it: its commands, its errors, and a server that is published to, listened to and stopped.

mod clients;
mod commands;
mod process;
mod serving;
