//! Channels and what happens on them: positions, rings, fan-out, replies, presence, recovery.
//!
//! A [`Hub`] has [`Org`]s, an org has channels. [`Org::publish`] gives a publication its position and hands it
//! to the [`Inbox`] of each worker that listens; a worker spreads it over its own subscribers with a
//! [`Fanout`], which no other thread ever sees. Everything here is synchronous and deterministic: it opens
//! no socket, reads no clock (`now` is an argument) and knows neither dialect nor store. What is to be stored is
//! *held* until its owner says [`Org::settle`].
#![forbid(unsafe_code)]

mod channel;
mod fanout;
mod hub;
mod inbox;
mod org;
mod own_line;
mod presence;
mod replies;
mod ring;
mod rule;
mod sequence;

pub use channel::ChannelUid;
pub use fanout::{Fanout, Filter, Group, Subscriber, Subscription};
pub use hub::{Hub, HubSettings, NewChannels};
pub use inbox::{Delivery, Inbox, Task, WorkerId};
pub use org::{Org, OrgStats, Recent, Since, SubscribeAllError, SubscribeError, Subscribed, TooManyChannels};
pub use own_line::OwnLine;
pub use presence::{Departure, Member, PresenceError};
pub use replies::{BroadcastError, Collect, Reply, ReplyError, ReplyEvent, ReplySink};
pub use rule::{Delivering, Kinds, Rule, Rules};
pub use sequence::{Hold, Outcome};
