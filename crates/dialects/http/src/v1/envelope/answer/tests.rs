use super::*;
use crate::testing::publication;
use antiphon_model::{ChannelFlags, ChannelId, Identity, IdentityKind, Payload, RawJson};
use antiphon_net::problem::ProblemKind;

const ID: Id = Id::Number(3);

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

fn on(flags: ChannelFlags, gap: Option<Gap>) -> ListeningOn {
    let channel = Arc::new(ChannelId::new("r\"1", flags).unwrap());
    ListeningOn { channel, position: Position(17), gap }
}

#[test]
fn every_answer_by_example() {
    let bob = Arc::new(Identity::new(IdentityKind::User, "bob"));
    let receipt = Receipt { position: Position(17), stored: true, duplicate: true };
    let member = Member {
        identity: Arc::clone(&bob),
        state: Some(RawJson::from_serializer("{\"mood\":1}")),
        sessions: 2,
    };
    let gap = Gap { since: Position(1), resumed: Position(5) };
    let messages = [Arc::new(publication(4, "room", Payload::Binary(vec![0].into())))];
    for (written, expected) in [
        (
            written(|out| open(9, "al\"ice", Position(7), out)),
            r#"{"type":"open","session":"9","identity":"al\"ice","position":"7"}"#,
        ),
        (written(|out| ok(&Id::Text("a\"b".into()), out)), r#"{"type":"ok","id":"a\"b"}"#),
        (
            written(|out| published(&ID, receipt, out)),
            r#"{"type":"ok","id":3,"position":"17","stored":true}"#,
        ),
        (
            written(|out| published(&ID, Receipt { stored: false, ..receipt }, out)),
            r#"{"type":"ok","id":3,"position":"17","stored":false}"#,
        ),
        (written(|out| broadcast(&ID, Position(17), out)), r#"{"type":"ok","id":3,"position":"17"}"#),
        (
            written(|out| {
                let channels = [on(ChannelFlags::NONE, None), on(ChannelFlags::SYSTEM, Some(gap))];
                subscribed(&ID, &channels, out);
            }),
            concat!(
                r#"{"type":"ok","id":3,"channels":[{"channel":"r\"1","position":"17","gap":false},"#,
                r#"{"channel":"r\"1","system":true,"position":"17","gap":true}]}"#
            ),
        ),
        (written(|out| subscribed(&ID, &[], out)), r#"{"type":"ok","id":3,"channels":[]}"#),
        (
            written(|out| super::gap(&on(ChannelFlags::CONSUMER, Some(gap)), gap, out)),
            r#"{"type":"gap","since":"1","resumed":"5","channel":"r\"1","consumer":true}"#,
        ),
        (
            written(|out| presence(&ID, 5, &[member], out)),
            concat!(
                r#"{"type":"ok","id":3,"occupancy":5,"#,
                r#""members":[{"identity":"bob","state":{"mood":1},"sessions":2}]}"#
            ),
        ),
        (
            written(|out| history(&ID, &messages, Position(6), true, out)),
            concat!(
                r#"{"type":"ok","id":3,"messages":[{"position":"4","channel":"room","name":"message","#,
                r#""payload":"AA==","encoding":"base64"}],"position":"6","gap":true}"#
            ),
        ),
        (
            written(|out| authenticated(&ID, "al\"ice", Some(Timestamp(19_999_999)), out)),
            r#"{"type":"ok","id":3,"identity":"al\"ice","expires":1}"#,
        ),
        (written(|out| authenticated(&ID, "alice", None, out)), r#"{"type":"ok","id":3,"identity":"alice"}"#),
        (
            written(|out| {
                let payload = Payload::Json(RawJson::from_serializer("[1]"));
                reply(&ID, &Reply { payload, publisher: Some(bob) }, out);
            }),
            r#"{"type":"reply","id":3,"payload":[1],"publisher":"bob"}"#,
        ),
        (written(|out| replies_end(&ID, true, out)), r#"{"type":"replies_end","id":3,"complete":true}"#),
        (written(|out| pong(Some(&ID), out)), r#"{"type":"pong","id":3}"#),
        (written(|out| pong(None, out)), r#"{"type":"pong"}"#),
        (
            written(|out| error(Some(&ID), &Problem::new(ProblemKind::Closing, "later"), out)),
            concat!(
                r#"{"type":"error","id":3,"error":{"type":"urn:antiphon:problem:closing","#,
                r#""title":"Stopping","status":503,"detail":"later"}}"#
            ),
        ),
        (
            written(|out| close("too \"slow\"", true, out)),
            r#"{"type":"close","reason":"too \"slow\"","reconnect":true}"#,
        ),
    ] {
        assert_eq!(written, expected);
    }
}

#[test]
fn an_error_without_an_id_has_none() {
    let text = written(|out| error(None, &Problem::new(ProblemKind::Closing, "later"), out));
    assert!(text.starts_with(r#"{"type":"error","error":{"#), "{text}");
}
