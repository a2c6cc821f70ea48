use antiphon_model::Position;
use bytes::Bytes;

use crate::PubNubSettings;
use crate::endpoint::Local;
use crate::formats::{Envelopes, REGION};
use crate::wire::json;

/// Where the bytes of a page come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// A stream: others who listened were given the very same.
    Stream,
    /// They were written for this page alone.
    Own,
}

/// What a subscribe is answered with.
pub(super) struct Page {
    /// Envelopes as the format writes them; each piece is one whole number of them.
    pieces: Vec<Bytes>,
    origin: Origin,
    /// How many envelopes of them are answered.
    count: usize,
    /// Whoever goes on from here misses nothing and gets nothing twice.
    pub(super) position: Position,
    /// Whether there is more behind it already.
    pub(super) more: bool,
}

impl Page {
    /// Nothing came up to a position.
    pub(super) fn empty(position: Position) -> Page {
        Page { pieces: Vec::new(), origin: Origin::Own, count: 0, position, more: false }
    }

    /// What came of a page that was read, complete up to a position.
    pub(super) fn read(envelopes: Vec<u8>, count: usize, position: Position, more: bool) -> Page {
        let pieces = if envelopes.is_empty() { Vec::new() } else { vec![envelopes.into()] };
        Page { pieces, origin: Origin::Own, count, position, more }
    }

    /// These pieces of a stream, in the order of positions, as far as an answer has room: one envelope always has. `position` is where
    /// the client goes on if there are none.
    pub(super) fn of(pieces: Vec<Bytes>, position: Position, settings: &PubNubSettings) -> Page {
        let mut page = Page { pieces, origin: Origin::Stream, count: 0, position, more: false };
        let mut bytes = 0;
        for (at, envelope) in page.pieces.iter().flat_map(|piece| Envelopes::of(piece)) {
            bytes += envelope.len();
            let full = page.count >= settings.messages_per_answer_max || bytes > settings.answer_bytes_max;
            if full && page.count > 0 {
                page.more = true;
                return page;
            }
            page.count += 1;
            // Not behind where listening began: until then nothing else has come.
            page.position = if page.count == 1 { at } else { page.position.max(at) };
        }
        page.position = page.position.max(position);
        page
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// `{"t":{"t":"…","r":1},"m":[…]}`. Those who are woken by the same bytes share the answer.
    pub(super) fn into_answer(self, local: &Local) -> Bytes {
        match &self.pieces[..] {
            [piece] if self.origin == Origin::Stream => {
                local.shared_answer(piece, self.position, || self.write())
            }
            _ => self.write(),
        }
    }

    fn write(&self) -> Bytes {
        let bytes = self.pieces.iter().map(Bytes::len).sum::<usize>();
        let mut out = Vec::with_capacity(bytes + 64);
        out.extend_from_slice(b"{\"t\":{\"t\":\"");
        json::number(self.position.0, &mut out);
        out.extend_from_slice(b"\",\"r\":");
        json::number(REGION.into(), &mut out);
        out.extend_from_slice(b"},\"m\":[");
        let envelopes = self.pieces.iter().flat_map(|piece| Envelopes::of(piece));
        for (index, (_, envelope)) in envelopes.take(self.count).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(envelope);
        }
        out.extend_from_slice(b"]}");
        out.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_model::{ChannelFlags, ChannelId, Draft, Payload};
    use std::sync::Arc;

    fn piece(positions: &[u64]) -> Bytes {
        let mut out = Vec::new();
        for position in positions {
            let channel = Arc::new(ChannelId::new("a", ChannelFlags::NONE).unwrap());
            let publication = Draft::new(channel, Payload::from_text("1".into())).at(Position(*position));
            crate::formats::write(&publication, "demo", &mut out);
        }
        out.into()
    }

    fn answered(page: Page) -> (String, Vec<String>) {
        let local = Local::default();
        let answer: serde_json::Value = serde_json::from_slice(&page.into_answer(&local)).unwrap();
        assert_eq!(answer["t"]["r"], 1);
        let envelopes = answer["m"].as_array().unwrap().iter();
        let positions = envelopes.map(|one| one["p"]["t"].as_str().unwrap().to_owned()).collect();
        (answer["t"]["t"].as_str().unwrap().to_owned(), positions)
    }

    #[test]
    fn nothing_goes_on_from_where_it_was_waited() {
        assert_eq!(answered(Page::empty(Position(7))), ("7".into(), vec![]));
        let settings = PubNubSettings::default();
        assert_eq!(answered(Page::of(Vec::new(), Position(7), &settings)), ("7".into(), vec![]));
    }

    #[test]
    fn all_pieces_are_answered_up_to_the_limits() {
        let settings = PubNubSettings { messages_per_answer_max: 3, ..PubNubSettings::default() };
        let page = Page::of(vec![piece(&[8, 9]), piece(&[10])], Position(7), &settings);
        assert_eq!(answered(page), ("10".into(), vec!["8".into(), "9".into(), "10".into()]));
        let page = Page::of(vec![piece(&[8, 9]), piece(&[10, 11])], Position(12), &settings);
        assert!(page.more);
        assert_eq!(answered(page).0, "10", "there is more behind it");
        let page = Page::of(vec![piece(&[8])], Position(12), &settings);
        assert_eq!(answered(page).0, "12");
        let small = PubNubSettings { answer_bytes_max: 1, ..settings };
        let page = Page::of(vec![piece(&[8, 9])], Position(7), &small);
        assert_eq!(answered(page), ("8".into(), vec!["8".into()]));
    }
}
