//! What the fuzz target `envelope` runs, and with it the test that replays its corpus.

use std::sync::Arc;
use std::time::Duration;

use antiphon_access::LimitSettings;
use antiphon_hub::{Reply, ReplyEvent};
use antiphon_model::{Draft, Payload, Position, SessionId, Timestamp};
use antiphon_node::Receipt;
use serde::de::IgnoredAny;

use super::envelope::{Bounds, Ordered};
use super::format::MESSAGE;
use super::session::{Command, Done, Session};

/// Messages of one client, with NUL between them (no JSON has one), and everything that they ask for granted.
///
/// # Panics
/// If an answer or a publication is not JSON, or a payload is not one that was sent.
pub fn envelope(data: &[u8]) {
    let bounds = Bounds {
        limits: Arc::new(LimitSettings::default()),
        history_limit_max: 1000,
        broadcast_timeout_max: Duration::from_secs(60),
    };
    let mut session = Session::new(bounds);
    let mut out = Vec::new();
    assert!(session.handle_open(SessionId(1), 1, "fuzz", Position(1), Vec::new(), &mut out).is_none());
    for text in data.split(|byte| *byte == 0) {
        check(&mut out);
        let mut next = session.handle_text(text, &mut out);
        while let Some(command) = next {
            check(&mut out);
            next = grant(command, text, &mut session, &mut out);
        }
    }
    check(&mut out);
}

fn grant(command: Command, text: &[u8], session: &mut Session, out: &mut Vec<u8>) -> Option<Command> {
    let receipt = Receipt { position: Position(2), stored: true, duplicate: false };
    match command {
        Command::Publish { draft, ticket } => {
            check_draft(draft, text);
            session.handle_published(ticket, Ok(receipt), out);
        }
        Command::Broadcast { draft, timeout, until, ticket } => {
            assert!(timeout <= Duration::from_secs(60) && until != Some(0));
            let reply = Reply { payload: draft.payload.clone(), publisher: None };
            check_draft(draft, text);
            session.handle_broadcast(ticket, Ok((Position(2), None)), out);
            check(out);
            session.handle_reply(ticket, &ReplyEvent::Reply(reply), out);
            check(out);
            session.handle_reply(ticket, &ReplyEvent::End { complete: false }, out);
            session.handle_published(ticket, Ok(receipt), out);
            assert_eq!(session.collecting().count(), 0);
        }
        Command::Reply { id, payload, .. } => {
            check_payload(&payload, text);
            session.handle_replied(id.as_ref(), Ok(()), out);
        }
        Command::Ordered(Ordered::Authenticate(token)) => {
            assert!(!token.expose().trim_ascii().is_empty());
            let done = Done::Authenticated { identity: token.expose(), expires: Some(Timestamp(u64::MAX)) };
            return session.handle_ordered(Ok(done), out);
        }
        Command::Ordered(_) => return session.handle_ordered(Ok(Done::Unsubscribed), out),
        Command::Close(_) => {}
    }
    None
}

/// Every message that is sent is one JSON object that says its type first.
fn check(out: &mut Vec<u8>) {
    let text = std::str::from_utf8(out).expect("text");
    if !text.is_empty() {
        assert!(text.starts_with("{\"type\":\""), "{text}");
        assert!(serde_json::from_str::<IgnoredAny>(text).is_ok(), "{text}");
    }
    out.clear();
}

fn check_draft(draft: Draft, text: &[u8]) {
    check_payload(&draft.payload, text);
    check(&mut MESSAGE.stream_bytes(&draft.at(Position(2))));
}

fn check_payload(payload: &Payload, text: &[u8]) {
    if let Payload::Json(json) = payload {
        let json = json.as_bytes();
        assert!(text.windows(json.len()).any(|window| window == json), "a payload is kept as it was sent");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn the_corpus_does_no_harm() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus/envelope");
        let mut files = 0;
        for entry in std::fs::read_dir(corpus).unwrap() {
            super::envelope(&std::fs::read(entry.unwrap().path()).unwrap());
            files += 1;
        }
        assert!(files >= 20);
    }
}
