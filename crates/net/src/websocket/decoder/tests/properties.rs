use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::super::super::fuzzing;
use super::*;

/// One thing to send, and how.
#[derive(Clone, Debug)]
struct Item {
    event: OwnedEvent,
    /// Where a message is cut into fragments.
    cuts: Vec<Index>,
    /// Compress with this window, if that makes it smaller.
    window_bits: Option<u8>,
    mask: [u8; 4],
    /// Pings go between its fragments.
    interleave: bool,
}

fn event() -> impl Strategy<Value = OwnedEvent> {
    let control = || prop::collection::vec(any::<u8>(), 0..=CONTROL_BYTES_MAX);
    let code = select(vec![1000, 1001, 1014, 3000, 4999]).prop_filter_map("valid", CloseCode::new);
    prop_oneof![
        4 => "\\PC{0,80}".prop_map(OwnedEvent::Text),
        2 => "(ab|c){0,300}".prop_map(OwnedEvent::Text),
        4 => prop::collection::vec(0_u8..8, 0..1_000).prop_map(OwnedEvent::Binary),
        1 => (65_400_usize..65_700).prop_map(|length| OwnedEvent::Binary(vec![3; length])),
        2 => control().prop_map(OwnedEvent::Ping),
        2 => control().prop_map(OwnedEvent::Pong),
        1 => prop::option::of((code, "[a-zé]{0,60}")).prop_map(OwnedEvent::Close),
    ]
}

fn item() -> impl Strategy<Value = Item> {
    let cuts = prop::collection::vec(any::<Index>(), 0..4);
    (event(), cuts, prop::option::of(9_u8..=15), any::<[u8; 4]>(), any::<bool>()).prop_map(
        |(event, cuts, window_bits, mask, interleave)| Item { event, cuts, window_bits, mask, interleave },
    )
}

/// What a peer writes to a decoder of `role`, and the events that it is.
struct Peer {
    role: Role,
    bytes: Vec<u8>,
    events: Vec<OwnedEvent>,
}

impl Peer {
    /// Sends `items`; the events end with the first close frame.
    fn sends(items: &[Item], role: Role) -> Self {
        let mut peer = Self { role, bytes: Vec::new(), events: Vec::new() };
        for item in items {
            peer.send(item);
        }
        let end = peer.events.iter().position(|event| matches!(event, OwnedEvent::Close(_)));
        peer.events.truncate(end.map_or(peer.events.len(), |at| at + 1));
        peer
    }

    fn send(&mut self, item: &Item) {
        let whole = FrameStart::whole;
        match &item.event {
            OwnedEvent::Text(text) => self.message(Opcode::Text, text.as_bytes(), item),
            OwnedEvent::Binary(bytes) => self.message(Opcode::Binary, bytes, item),
            OwnedEvent::Ping(payload) => self.frame(whole(Opcode::Ping), payload, item.mask),
            OwnedEvent::Pong(payload) => self.frame(whole(Opcode::Pong), payload, item.mask),
            OwnedEvent::Close(close) => {
                let mut frame = Vec::new();
                let reason = close.as_ref().map_or("", |(_, reason)| reason);
                close_frame(close.as_ref().map(|(code, _)| *code), reason, &mut frame);
                self.frame(whole(Opcode::Close), &frame[2..], item.mask);
            }
        }
        self.events.push(item.event.clone());
    }

    fn message(&mut self, opcode: Opcode, message: &[u8], item: &Item) {
        let mut deflater = Deflater::new(0);
        let window_bits = item.window_bits.and_then(WindowBits::new);
        let deflated = window_bits.and_then(|bits| deflater.deflate(message, bits));
        let payload = deflated.unwrap_or(message);
        let mut cuts: Vec<usize> = item.cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
        cuts.extend([0, payload.len()]);
        cuts.sort_unstable();
        for (index, cut) in cuts.windows(2).enumerate() {
            let first = index == 0;
            if item.interleave && !first {
                self.frame(FrameStart::whole(Opcode::Ping), b"between", item.mask);
                self.events.push(OwnedEvent::Ping(b"between".to_vec()));
            }
            let start = FrameStart {
                opcode: if first { opcode } else { Opcode::Continuation },
                fin: index + 2 == cuts.len(),
                compressed: first && deflated.is_some(),
            };
            self.frame(start, &payload[cut[0]..cut[1]], item.mask);
        }
    }

    fn frame(&mut self, start: FrameStart, payload: &[u8], mask: [u8; 4]) {
        match self.role {
            Role::Server => masked_frame(start, payload, mask, &mut self.bytes),
            Role::Client => {
                encode_header(start, payload.len(), &mut self.bytes);
                self.bytes.extend_from_slice(payload);
            }
        }
    }
}

fn role() -> impl Strategy<Value = Role> {
    select(vec![Role::Server, Role::Client])
}

fn chunks() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1_usize..20, 1_usize..5_000], 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_sent_is_what_is_decoded_however_it_is_cut(
        items in prop::collection::vec(item(), 0..6),
        role in role(),
        chunks in chunks(),
    ) {
        let peer = Peer::sends(&items, role);
        let expected = Outcome { events: peer.events, error: None };
        let settings = DecoderSettings { role, ..SERVER };
        prop_assert_eq!(&decode(settings, &peer.bytes, &[]), &expected);
        prop_assert_eq!(&decode(settings, &peer.bytes, &chunks), &expected);
    }

    #[test]
    fn violations_are_the_same_however_the_stream_is_cut(
        items in prop::collection::vec(item(), 1..5),
        role in role(),
        damage in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
        length in any::<Index>(),
        chunks in chunks(),
        message_bytes_max in select(vec![100_u32, 1 << 20]),
    ) {
        let mut bytes = Peer::sends(&items, role).bytes;
        for (at, change) in damage {
            let at = at.index(bytes.len());
            bytes[at] ^= change;
        }
        bytes.truncate(length.index(2 * bytes.len()));
        let settings = DecoderSettings { role, message_bytes_max, ..SERVER };
        let whole = decode(settings, &bytes, &[]);
        prop_assert_eq!(&decode(settings, &bytes, &[1]), &whole);
        prop_assert_eq!(&decode(settings, &bytes, &chunks), &whole);
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(data in prop::collection::vec(any::<u8>(), 0..600)) {
        fuzzing::websocket_decoder(&data);
    }

    #[test]
    fn frames_of_the_encoder_are_what_a_client_decodes(
        messages in prop::collection::vec("\\PC{0,200}", 0..5),
    ) {
        let mut bytes = Vec::new();
        for message in &messages {
            frame(MessageKind::Text, message.as_bytes(), &mut bytes);
        }
        let expected: Vec<_> = messages.into_iter().map(OwnedEvent::Text).collect();
        prop_assert_eq!(decode(CLIENT, &bytes, &[]).events, expected);
    }
}
