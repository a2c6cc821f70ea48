//! Real clients against the real binary: each test has a server and a directory of its own.
#![cfg(test)]

mod authenticate;
mod bodies;
mod bytes;
mod credentials;
mod disk;
mod drain;
mod durability;
mod flow;
mod hostile;
mod many;
mod messages;
mod orgs;
mod presence;
mod pubnub;
mod recovery;
mod refusals;
mod replies;
mod slow_readers;
mod techniques;
