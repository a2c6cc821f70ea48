use super::*;
use crate::v1::envelope::Join;
use antiphon_access::LimitSettings;
use antiphon_hub::Reply;
use antiphon_model::{ChannelFlags, RawJson};

/// A session, and what it has said since that was last looked at.
struct Client {
    session: Session,
    said: String,
}

impl Client {
    fn new() -> Client {
        let bounds = Bounds {
            limits: Arc::new(LimitSettings::default()),
            history_limit_max: 1000,
            broadcast_timeout_max: Duration::from_secs(60),
        };
        let mut client = Client { session: Session::new(bounds), said: String::new() };
        let opened = client
            .says(|session, out| session.handle_open(SessionId(9), 9, "alice", Position(7), Vec::new(), out));
        assert!(opened.is_none());
        assert_eq!(client.heard(), r#"{"type":"open","session":"9","identity":"alice","position":"7"}"#);
        client
    }

    fn says<T>(&mut self, step: impl FnOnce(&mut Session, &mut Vec<u8>) -> T) -> T {
        let mut out = Vec::new();
        let result = step(&mut self.session, &mut out);
        self.said.push_str(std::str::from_utf8(&out).unwrap());
        result
    }

    fn sends(&mut self, text: &str) -> Option<Command> {
        self.says(|session, out| session.handle_text(text.as_bytes(), out))
    }

    fn heard(&mut self) -> String {
        std::mem::take(&mut self.said)
    }

    fn publishes(&mut self, text: &str) -> (Draft, u64) {
        match self.sends(text) {
            Some(Command::Publish { draft, ticket }) => (draft, ticket),
            other => panic!("{other:?}"),
        }
    }

    fn broadcasts(&mut self, id: u64) -> u64 {
        let text = format!(r#"{{"type":"broadcast","id":{id},"channel":"room","payload":1,"until":2}}"#);
        match self.sends(&text) {
            Some(Command::Broadcast { ticket, until: Some(2), .. }) => ticket,
            other => panic!("{other:?}"),
        }
    }

    fn done(&mut self, result: Result<Done<'_>, Problem>) -> Option<Command> {
        self.says(|session, out| session.handle_ordered(result, out))
    }
}

fn receipt(position: u64) -> Receipt {
    Receipt { position: Position(position), stored: true, duplicate: false }
}

fn problem() -> Problem {
    Problem::new(ProblemKind::Closing, "later")
}

/// How an error's text begins; the rest is the problem's.
fn error(id: &str) -> String {
    format!(r#"{{"type":"error",{id}"error":{{"type":"urn:antiphon:problem:closing""#)
}

#[test]
fn publications_are_answered_as_they_are_stored() {
    let mut alice = Client::new();
    let (draft, first) = alice.publishes(r#"{"type":"publish","id":1,"channel":"room","payload":1}"#);
    assert_eq!((draft.channel.name(), draft.except), ("room", None));
    let (draft, second) =
        alice.publishes(r#"{"type":"publish","id":"b","channel":"room","payload":2,"echo":false}"#);
    assert_eq!(draft.except, Some(SessionId(9)));
    assert_eq!(alice.heard(), "");
    alice.says(|session, out| session.handle_published(second, Ok(receipt(12)), out));
    assert_eq!(alice.heard(), r#"{"type":"ok","id":"b","position":"12","stored":true}"#);
    alice.says(|session, out| session.handle_published(first, Err(problem()), out));
    assert!(alice.heard().starts_with(&error(r#""id":1,"#)));
    alice.says(|session, out| session.handle_published(first, Ok(receipt(13)), out));
    assert_eq!(alice.heard(), "");
}

#[test]
fn without_an_id_only_errors_are_told() {
    let mut alice = Client::new();
    let publish = r#"{"type":"publish","channel":"room","payload":1}"#;
    let (_, ticket) = alice.publishes(publish);
    alice.says(|session, out| session.handle_published(ticket, Ok(receipt(1)), out));
    assert_eq!(alice.heard(), "");
    let (_, ticket) = alice.publishes(publish);
    alice.says(|session, out| session.handle_published(ticket, Err(problem()), out));
    assert!(alice.heard().starts_with(&error("")));
    alice.says(|session, out| session.handle_replied(None, Ok(()), out));
    assert_eq!(alice.heard(), "");
}

#[test]
fn so_many_publications_wait_and_no_more() {
    let mut alice = Client::new();
    let publish = r#"{"type":"publish","id":1,"channel":"room","payload":1}"#;
    let tickets: Vec<u64> = (0..UNANSWERED_MAX).map(|_| alice.publishes(publish).1).collect();
    assert!(alice.sends(publish).is_none());
    assert!(alice.heard().contains(r#""id":1,"error":{"type":"urn:antiphon:problem:overloaded""#));
    for ticket in tickets {
        alice.says(|session, out| session.handle_published(ticket, Ok(receipt(1)), out));
    }
    alice.publishes(publish);
}

#[test]
fn a_broadcast_is_answered_then_its_replies_then_its_end() {
    let mut alice = Client::new();
    let ticket = alice.broadcasts(4);
    alice.says(|session, out| session.handle_broadcast(ticket, Ok((Position(17), None)), out));
    assert_eq!(alice.heard(), r#"{"type":"ok","id":4,"position":"17"}"#);
    assert_eq!(alice.session.collecting().collect::<Vec<_>>(), [Position(17)]);
    let reply = Reply { payload: Payload::Json(RawJson::from_serializer("[1]")), publisher: None };
    alice.says(|session, out| session.handle_reply(ticket, &ReplyEvent::Reply(reply), out));
    assert_eq!(alice.heard(), r#"{"type":"reply","id":4,"payload":[1]}"#);
    alice.says(|session, out| session.handle_reply(ticket, &ReplyEvent::End { complete: false }, out));
    assert_eq!(alice.heard(), r#"{"type":"replies_end","id":4,"complete":false}"#);
    assert_eq!(alice.session.collecting().count(), 0);
    // The store's word comes last here, and is only told if it is a bad one.
    alice.says(|session, out| session.handle_published(ticket, Err(problem()), out));
    assert!(alice.heard().starts_with(&error(r#""id":4,"#)));
    assert!(alice.session.broadcasts.is_empty());
}

#[test]
fn a_broadcast_that_fails_collects_nothing() {
    let mut alice = Client::new();
    let ticket = alice.broadcasts(4);
    alice.says(|session, out| session.handle_broadcast(ticket, Err(problem()), out));
    assert!(alice.heard().starts_with(&error(r#""id":4,"#)));
    assert_eq!(alice.session.collecting().count(), 0);
    for _ in 0..BROADCASTS_MAX {
        alice.broadcasts(5);
    }
    assert!(alice.sends(r#"{"type":"broadcast","id":6,"channel":"room","payload":1}"#).is_none());
    assert!(alice.heard().contains("urn:antiphon:problem:overloaded"));
}

#[test]
fn ordered_requests_wait_for_each_other_and_others_do_not() {
    let mut alice = Client::new();
    let subscribe = r#"{"type":"subscribe","id":1,"channels":[{"channel":"room","since":"5"}]}"#;
    let Some(Command::Ordered(Ordered::Subscribe(subscriptions))) = alice.sends(subscribe) else { panic!() };
    assert_eq!(subscriptions[0].since, Some(Position(5)));
    assert!(alice.sends(r#"{"type":"unsubscribe","id":2,"channels":["room"]}"#).is_none());
    assert!(alice.sends(r#"{"type":"history","id":3,"channel":"room"}"#).is_none());
    assert!(alice.sends(r#"{"type":"state","channel":"room","state":1}"#).is_none());
    assert_eq!(alice.heard(), "");
    alice.publishes(r#"{"type":"publish","id":4,"channel":"room","payload":1}"#);
    assert!(alice.sends(r#"{"type":"ping","id":5}"#).is_none());
    assert_eq!(alice.heard(), r#"{"type":"pong","id":5}"#);

    let channel = Arc::new(ChannelId::new("room", ChannelFlags::NONE).unwrap());
    let on = [ListeningOn { channel, position: Position(8), gap: None }];
    let next = alice.done(Ok(Done::Subscribed(&on)));
    assert_eq!(
        alice.heard(),
        r#"{"type":"ok","id":1,"channels":[{"channel":"room","position":"8","gap":false}]}"#
    );
    assert!(matches!(next, Some(Command::Ordered(Ordered::Unsubscribe(_)))));
    let next = alice.done(Ok(Done::Unsubscribed));
    assert_eq!(alice.heard(), r#"{"type":"ok","id":2}"#);
    assert!(matches!(next, Some(Command::Ordered(Ordered::History { .. }))));
    let next = alice.done(Ok(Done::History { messages: &[], position: Position(9), gap: false }));
    assert_eq!(alice.heard(), r#"{"type":"ok","id":3,"messages":[],"position":"9","gap":false}"#);
    assert!(matches!(next, Some(Command::Ordered(Ordered::State { .. }))));
    assert!(alice.done(Ok(Done::StateSet)).is_none());
    assert_eq!(alice.heard(), "");
    assert!(matches!(
        alice.sends(r#"{"type":"presence","id":6,"channel":"room"}"#),
        Some(Command::Ordered(Ordered::Presence(_)))
    ));
    assert!(alice.done(Ok(Done::Presence { occupancy: 0, members: &[] })).is_none());
    assert_eq!(alice.heard(), r#"{"type":"ok","id":6,"occupancy":0,"members":[]}"#);
    assert!(alice.done(Ok(Done::StateSet)).is_none());
}

#[test]
fn a_failure_does_not_hold_up_what_waits() {
    let mut alice = Client::new();
    alice.sends(r#"{"type":"subscribe","id":1,"channels":["a"]}"#);
    alice.sends(r#"{"type":"subscribe","id":2,"channels":["b"]}"#);
    let next = alice.done(Err(problem()));
    assert!(alice.heard().starts_with(&error(r#""id":1,"#)));
    assert!(matches!(next, Some(Command::Ordered(Ordered::Subscribe(_)))));
}

#[test]
fn another_credential_counts_after_what_was_asked_before() {
    let mut alice = Client::new();
    alice.sends(r#"{"type":"subscribe","id":1,"channels":["a"]}"#);
    assert!(alice.sends(r#"{"type":"authenticate","id":2,"token":"secret"}"#).is_none());
    assert!(!format!("{:?}", alice.session).contains("secret"));
    let next = alice.done(Ok(Done::Subscribed(&[])));
    assert_eq!(alice.heard(), r#"{"type":"ok","id":1,"channels":[]}"#);
    assert!(matches!(next, Some(Command::Ordered(Ordered::Authenticate(_)))));
    alice.sends(r#"{"type":"authenticate","id":3,"token":"secret"}"#);
    let expires = Some(Timestamp(20_000_000));
    let next = alice.done(Ok(Done::Authenticated { identity: "alice", expires }));
    assert_eq!(alice.heard(), r#"{"type":"ok","id":2,"identity":"alice","expires":2}"#);
    assert!(matches!(next, Some(Command::Ordered(Ordered::Authenticate(_)))));
    assert!(alice.done(Err(problem())).is_none());
    assert!(alice.heard().starts_with(&error(r#""id":3,"#)));
}

#[test]
fn so_many_requests_wait_and_so_many_bytes() {
    let mut alice = Client::new();
    alice.sends(r#"{"type":"subscribe","channels":["a"]}"#);
    for _ in 0..WAITING_MAX {
        assert!(alice.sends(r#"{"type":"subscribe","channels":["b"]}"#).is_none());
    }
    assert_eq!(alice.heard(), "");
    alice.sends(r#"{"type":"subscribe","id":1,"channels":["c"]}"#);
    assert!(
        alice
            .heard()
            .starts_with(r#"{"type":"error","id":1,"error":{"type":"urn:antiphon:problem:overloaded"#)
    );

    let mut bob = Client::new();
    bob.sends(r#"{"type":"subscribe","channels":["a"]}"#);
    let large =
        format!(r#"{{"type":"state","channel":"a","state":"{}"}}"#, "x".repeat(WAITING_BYTES_MAX / 2));
    bob.sends(&large);
    assert_eq!(bob.heard(), "");
    bob.sends(&large);
    assert!(bob.heard().contains("urn:antiphon:problem:overloaded"));
    // What is done gives its bytes back.
    bob.done(Ok(Done::StateSet));
    bob.sends(&large);
    assert_eq!(bob.heard(), "");
}

#[test]
fn channels_of_the_url_are_subscribed_to_first() {
    let mut alice = Client::new();
    let channel = Arc::new(ChannelId::new("room", ChannelFlags::NONE).unwrap());
    let subscription =
        Subscription { channel, since: None, events: Vec::new(), presence: false, join: Join::No };
    let command = alice.says(|session, out| {
        session.handle_open(SessionId(9), 9, "alice", Position(7), vec![subscription], out)
    });
    assert!(matches!(command, Some(Command::Ordered(Ordered::Subscribe(_)))));
    assert!(alice.sends(r#"{"type":"unsubscribe","id":1,"channels":["room"]}"#).is_none());
    alice.heard();
    let next = alice.done(Ok(Done::Subscribed(&[])));
    assert_eq!(alice.heard(), "");
    assert!(matches!(next, Some(Command::Ordered(Ordered::Unsubscribe(_)))));
}

#[test]
fn malformed_messages_in_a_row_end_it() {
    let mut alice = Client::new();
    for _ in 0..MALFORMED_MAX - 1 {
        assert!(alice.sends(r#"{"type":"fly","id":1}"#).is_none());
        assert!(
            alice
                .heard()
                .starts_with(r#"{"type":"error","id":1,"error":{"type":"urn:antiphon:problem:invalid-"#)
        );
    }
    alice.sends(r#"{"type":"ping"}"#);
    for _ in 0..MALFORMED_MAX - 1 {
        assert!(alice.sends("fly").is_none());
    }
    alice.heard();
    assert!(matches!(alice.sends("fly"), Some(Command::Close(Misbehaved::Malformed))));
    assert!(alice.heard().starts_with(r#"{"type":"error","error":"#));
    assert_eq!(Misbehaved::Malformed.code(), 1008);
    assert!(alice.sends(r#"{"type":"ping"}"#).is_none());
    assert_eq!(alice.heard(), "");
}

#[test]
fn binary_messages_end_it() {
    let mut alice = Client::new();
    assert!(matches!(alice.session.handle_binary(), Some(Command::Close(Misbehaved::Binary))));
    assert_eq!(Misbehaved::Binary.code(), 1003);
    assert!(alice.session.handle_binary().is_none());
    assert!(alice.sends(r#"{"type":"publish","channel":"room","payload":1}"#).is_none());
}
