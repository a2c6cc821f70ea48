//! What sessions that come back have missed, as bytes: those that come back together share them.

use std::sync::Arc;

use antiphon_model::Publication;
use bytes::Bytes;

use crate::format::{Encoder, Wire};

/// More than so much is not kept for those who come next.
const KEPT_BYTES_MAX: usize = 256 << 10;

/// A part that is so many times smaller than what it is a part of is copied: whoever is slow to read it keeps that and not the whole.
const SHARED_PART_MIN: usize = 16;

/// What was written last for a session that came back.
///
/// When a server or a network comes back, so do all clients, and they have missed the same, or the end of it. It is kept until the
/// next sweep, so that it outlives the crowd by a moment only.
#[derive(Default)]
pub(crate) struct Recovered(Option<Written>);

struct Written {
    wire: Wire,
    publications: Vec<Arc<Publication>>,
    /// Where in the bytes each publication ends.
    ends: Vec<usize>,
    bytes: Bytes,
}

impl Recovered {
    /// The bytes of what was missed, all of it in one wire's.
    pub(crate) fn encode<'a>(
        &mut self,
        encoder: &mut Encoder,
        wire: &Wire,
        missed: impl ExactSizeIterator<Item = &'a Arc<Publication>> + Clone,
    ) -> Bytes {
        if let Some(bytes) = self.0.as_ref().and_then(|written| written.end(wire, missed.clone())) {
            return bytes;
        }
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(missed.len()));
        for publication in missed.clone() {
            encoder.encode(wire, publication, &mut bytes);
            ends.push(bytes.len());
        }
        let bytes = Bytes::from(bytes);
        if bytes.len() <= KEPT_BYTES_MAX {
            let publications = missed.cloned().collect();
            self.0 = Some(Written { wire: wire.clone(), publications, ends, bytes: bytes.clone() });
        }
        bytes
    }

    /// Lets go of it.
    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }
}

impl Written {
    /// The bytes of these publications, if they are the last of those that were written.
    fn end<'a>(
        &self,
        wire: &Wire,
        missed: impl ExactSizeIterator<Item = &'a Arc<Publication>>,
    ) -> Option<Bytes> {
        let from = self.publications.len().checked_sub(missed.len())?;
        let same = |(ours, missed): (&Arc<Publication>, _)| Arc::ptr_eq(ours, missed);
        if self.wire != *wire || !self.publications[from..].iter().zip(missed).all(same) {
            return None;
        }
        let start = from.checked_sub(1).map_or(0, |before| self.ends[before]);
        let part = start..self.bytes.len();
        if part.len() < self.bytes.len() / SHARED_PART_MIN {
            return Some(Bytes::copy_from_slice(&self.bytes[part]));
        }
        Some(self.bytes.slice(part))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use antiphon_model::{ChannelFlags, ChannelId, Draft, Payload, Position};

    use super::*;
    use crate::format::Framing;
    use crate::{Format, MessageKind, Messages};

    static PAYLOAD: Format = Format { name: "payload", encode: encode_payload };
    static OTHER: Format = Format { name: "other", encode: encode_payload };

    thread_local! {
        static ENCODED: Cell<usize> = const { Cell::new(0) };
    }

    fn encode_payload(publication: &Publication, messages: &mut Messages<'_>) {
        ENCODED.set(ENCODED.get() + 1);
        messages.bytes(MessageKind::Text, &publication.payload.to_bytes());
    }

    fn wire(format: &'static Format) -> Wire {
        Wire { format, framing: Framing::None, label: None }
    }

    fn publications(count: u64) -> Vec<Arc<Publication>> {
        let channel = Arc::new(ChannelId::new("a", ChannelFlags::NONE).unwrap());
        let text = |number: u64| Payload::Text(format!("<{number}>").into());
        let draft = |number| Draft::new(Arc::clone(&channel), text(number));
        (1..=count).map(|number| Arc::new(draft(number).at(Position(number)))).collect()
    }

    /// The bytes, and how many publications were encoded for them.
    fn encode(
        recovered: &mut Recovered,
        format: &'static Format,
        missed: &[Arc<Publication>],
    ) -> (Bytes, usize) {
        let before = ENCODED.get();
        let bytes = recovered.encode(&mut Encoder::new(0), &wire(format), missed.iter());
        (bytes, ENCODED.get() - before)
    }

    #[test]
    fn what_was_written_for_one_is_not_written_for_the_next() {
        let (mut recovered, all) = (Recovered::default(), publications(3));
        assert_eq!(encode(&mut recovered, &PAYLOAD, &all), ("<1><2><3>".into(), 3));
        assert_eq!(encode(&mut recovered, &PAYLOAD, &all), ("<1><2><3>".into(), 0));
        assert_eq!(encode(&mut recovered, &PAYLOAD, &all[1..]), ("<2><3>".into(), 0));
        assert_eq!(encode(&mut recovered, &PAYLOAD, &all[..2]), ("<1><2>".into(), 2));
    }

    #[test]
    fn what_is_another_publication_or_another_wire_is_written() {
        let (mut recovered, all) = (Recovered::default(), publications(3));
        encode(&mut recovered, &PAYLOAD, &all);
        assert_eq!(encode(&mut recovered, &OTHER, &all).1, 3);
        assert_eq!(encode(&mut recovered, &OTHER, &publications(3)).1, 3);
        recovered.clear();
        assert_eq!(encode(&mut recovered, &OTHER, &all).1, 3);
    }

    #[test]
    fn a_small_part_does_not_keep_the_whole() {
        let (mut recovered, all) = (Recovered::default(), publications(99));
        let (whole, _) = encode(&mut recovered, &PAYLOAD, &all);
        let (last, encoded) = encode(&mut recovered, &PAYLOAD, &all[98..]);
        assert_eq!((&*last, encoded), (&b"<99>"[..], 0));
        recovered.clear();
        assert!(whole.is_unique() && last.is_unique());
    }
}
