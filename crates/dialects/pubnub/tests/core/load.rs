use std::collections::BTreeMap;
use std::sync::Arc;

use antiphon_access::Caller;
use antiphon_hub::Rule;
use antiphon_model::{ChannelFlags, ChannelId, Draft, OrgId, Payload};
use serde_json::json;

use crate::{Polled, Running, Setup};

const CHANNELS: [&str; 3] = ["load.a", "load.b", "other"];
const EACH: u64 = 2000;

/// Publishes as fast as can be, the numbers of each channel in order.
fn publish_all(server: &Running) {
    let caller = Caller::server(OrgId::new("demo"), Arc::default());
    for number in 0..EACH {
        for name in CHANNELS {
            let channel = Arc::new(ChannelId::new(name, ChannelFlags::NONE).unwrap());
            let draft = Draft::new(channel, Payload::from_text(number.to_string().into()));
            server.node().publish(&caller, draft, || Box::new(|_| {})).unwrap();
        }
    }
}

/// What a subscriber has had of each channel.
#[derive(Default)]
struct Had(BTreeMap<String, u64>);

impl Had {
    fn add(&mut self, polled: &Polled) {
        for envelope in &polled.envelopes {
            let channel = envelope["c"].as_str().unwrap().to_owned();
            let next = self.0.entry(channel).or_default();
            assert_eq!(envelope["d"], json!(*next), "lost, doubled or out of order on {}", envelope["c"]);
            *next += 1;
        }
    }

    fn is_complete(&self) -> bool {
        CHANNELS.iter().all(|channel| self.0.get(*channel) == Some(&EACH))
    }
}

/// Polls from a timetoken until it has everything, in ways that change from one poll to the next.
fn subscribe(server: &Running, uuid: &str, names: &str, more: &str, mut since: String) {
    let (mut had, mut polls) = (Had::default(), 0);
    while !had.is_complete() {
        polls += 1;
        match polls % 5 {
            // A client that goes away, and does not know what it was about to get.
            0 => drop(server.begin_poll(names, uuid, &since, more)),
            // One that begins anew, and goes on where it was.
            1 => _ = server.handshake(names, uuid, more),
            // Polls that overlap: of one the answer is never looked at.
            2 => {
                let _overlapped = server.begin_poll(names, uuid, &since, more);
                let polled = server.poll(names, uuid, &since, more);
                had.add(&polled);
                since = polled.since;
            }
            _ => {
                let polled = server.poll(names, uuid, &since, more);
                had.add(&polled);
                since = polled.since;
            }
        }
    }
}

#[test]
fn nothing_is_lost_doubled_or_out_of_order() {
    // A small ring, so that it is the store that has most of what was missed.
    let rule = Rule { history_size: 100_000, ring_size: 50, ..Rule::default() };
    let server = Setup { rule, ..Setup::default() }.start();
    server.get("/v1/channel-registration/sub-key/demo/channel-group/all?add=load.a,load.b,other");
    let subscribers = [
        ("ann", "load.a,load.b,other", ""),
        ("bob", "load.a,other,load.b,load.a", ""),
        ("cem", ",", "&channel-group=all"),
    ];
    std::thread::scope(|scope| {
        for (uuid, names, more) in subscribers {
            let (server, since) = (&server, server.handshake(names, uuid, more));
            scope.spawn(move || subscribe(server, uuid, names, more, since));
        }
        publish_all(&server);
    });
    server.stop();
}
