use std::sync::Arc;
use std::time::Duration;

use antiphon_hub::{Collect, ReplyError, ReplyEvent, Rule};
use antiphon_model::{Payload, Position};
use antiphon_node::{NodeSettings, ReplyFailed};
use parking_lot::Mutex;

use crate::Setup;
use crate::fake::FakeStore;

type Events = Arc<Mutex<Vec<ReplyEvent>>>;

fn broadcast(setup: &Setup) -> (Position, Events) {
    let events = Events::default();
    let log = Arc::clone(&events);
    let sink = Box::new(move |event| log.lock().push(event));
    let collect = Collect { timeout: Duration::from_secs(3600), until: None, sink };
    let draft = setup.draft("?", None);
    let (position, receipt) =
        setup.node.broadcast(&setup.caller, draft, collect, || panic!("nothing to wait for")).unwrap();
    assert!(receipt.is_some());
    (position, events)
}

fn setup() -> Setup {
    Setup::new(FakeStore::new(None), Rule { persist: false, ..Rule::default() }, NodeSettings::default())
}

fn nobody_collects(result: Result<(), ReplyFailed>) -> bool {
    matches!(result, Err(ReplyFailed::Reply(ReplyError::NobodyCollects)))
}

#[test]
fn a_reply_that_names_the_position_only_is_taken_of_who_listens_there() {
    let setup = setup();
    let (position, events) = broadcast(&setup);
    let payload = || Payload::Text("!".into());
    let asked = Mutex::new(Vec::new());
    let reply = |to, listens| {
        let listens = |channel: &antiphon_model::ChannelId| {
            asked.lock().push(channel.clone());
            listens
        };
        setup.node.reply_to(&setup.caller, to, listens, payload())
    };
    assert!(nobody_collects(reply(position, false)), "as if there were no broadcast");
    assert!(nobody_collects(reply(Position(position.0 + 1), true)));
    assert!(events.lock().is_empty());
    reply(position, true).unwrap();
    assert!(matches!(&events.lock()[..], [ReplyEvent::Reply(reply)] if reply.payload == payload()));
    assert_eq!(*asked.lock(), [(*setup.channel).clone(), (*setup.channel).clone()]);
    let long = Payload::Binary(vec![0; setup.caller.limits.payload_bytes_max + 1].into());
    let result = setup.node.reply_to(&setup.caller, position, |_| true, long);
    assert!(matches!(result, Err(ReplyFailed::TooLarge { .. })));
}

#[test]
fn a_collection_ends_when_as_many_are_there_as_are_said_to_be_wanted() {
    let setup = setup();
    let (position, events) = broadcast(&setup);
    let reply = || setup.node.reply_to(&setup.caller, position, |_| true, Payload::Text("!".into()));
    reply().unwrap();
    setup.node.expect_replies(&setup.caller, position, 2);
    assert_eq!(events.lock().len(), 1);
    reply().unwrap();
    assert_eq!(events.lock()[2..], [ReplyEvent::End { complete: true }]);
    assert!(nobody_collects(reply()));
}
