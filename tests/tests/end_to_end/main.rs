//! Real clients against the real binary: each test has a server and a directory of its own.
#![cfg(test)]

mod addresses;
mod attempts;
mod authenticate;
mod bodies;
mod bytes;
mod credentials;
mod disk;
mod drain;
mod durability;
mod flow;
mod hostile;
mod http2;
mod keep_alive;
mod limits;
mod many;
mod memory;
mod messages;
mod names;
mod orgs;
mod presence;
mod proxies;
mod pubnub;
mod rates;
mod recovery;
mod refusals;
mod replies;
mod revocations;
mod secrets;
mod slow_readers;
mod techniques;
