//! MQTT 3.1.1, at most once (QoS 0).

use super::{Cut, Malformed, Probe, Script, Step, Wire};
use crate::connection::Framing;
use crate::message::Shape;
use crate::target::{Part, Target};

// Types of packets (2.2.1), which are the opcodes of their frames.
const CONNECT: u8 = 1;
const CONNACK: u8 = 2;
const PUBLISH: u8 = 3;
const SUBSCRIBE: u8 = 8;
const SUBACK: u8 = 9;
const PINGREQ: u8 = 12;
const PINGRESP: u8 = 13;

/// What the one subscription of a client is called.
const PACKET_ID: [u8; 2] = [0, 1];

/// Connect as somebody new each time (3.1.2.3), and with a password.
const CLEAN: u8 = 0x02;
const WITH_NAME_AND_PASSWORD: u8 = 0xC0;

pub(super) struct Mqtt;

impl Wire for Mqtt {
    fn script(&self, target: &Target, part: Part, number: usize) -> Script {
        let topic = target.topic(part, number);
        let accepted = &[0, 0][..];
        let steps = match part {
            Part::Publisher | Part::Acknowledged => vec![Step::wait(CONNACK, accepted)],
            Part::Subscriber | Part::Echo | Part::Idle => {
                let [a, b] = PACKET_ID;
                vec![Step::then(CONNACK, accepted, subscribe(&topic)), Step::wait(SUBACK, vec![a, b, 0])]
            }
        };
        Script { framing: Framing::Mqtt, hello: connect(target, part, number), steps }
    }

    fn publish(&self, topic: &str, size: usize) -> Shape {
        let mut before = vec![PUBLISH << 4];
        push_length(2 + topic.len() + size, &mut before);
        push_string(topic, &mut before);
        Shape::bare(PUBLISH, &before, size, b"")
    }

    fn delivery(&self, topic: &str, size: usize) -> Shape {
        let mut before = Vec::new();
        push_string(topic, &mut before);
        Shape::bare(PUBLISH, &before, size, b"")
    }

    fn probe(&self) -> Option<Probe> {
        Some(Probe::new(vec![PINGREQ << 4, 0], PINGRESP, b""))
    }
}

fn connect(target: &Target, part: Part, number: usize) -> Vec<u8> {
    let mut body = Vec::new();
    push_string("MQTT", &mut body);
    let flags = CLEAN | if target.token().is_some() { WITH_NAME_AND_PASSWORD } else { 0 };
    // Level 4 is 3.1.1. The longest keep-alive outlasts any load; there are brokers that refuse to do without.
    body.extend_from_slice(&[4, flags, 0xFF, 0xFF]);
    let process = std::process::id();
    push_string(&format!("bench-{process}-{part:?}-{number}"), &mut body);
    if let Some(token) = target.token() {
        push_string("antiphon-bench", &mut body);
        push_string(token, &mut body);
    }
    packet(CONNECT << 4, &body)
}

fn subscribe(topic: &str) -> Vec<u8> {
    let mut body = PACKET_ID.to_vec();
    push_string(topic, &mut body);
    body.push(0);
    packet(SUBSCRIBE << 4 | 2, &body)
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    push_length(body.len(), &mut out);
    out.extend_from_slice(body);
    out
}

fn push_string(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// Appends a remaining length (2.2.3): seven bits in each byte.
fn push_length(mut length: usize, out: &mut Vec<u8>) {
    while length > 0x7F {
        out.push(0x80 | length as u8);
        length >>= 7;
    }
    out.push(length as u8);
}

/// The packet at the beginning of `bytes`; none while it is not all there.
///
/// # Errors
/// Its length is none, or over `payload_bytes_max`.
#[inline]
pub(crate) fn cut(bytes: &[u8], payload_bytes_max: usize) -> Result<Option<Cut<'_>>, Malformed> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let (mut length, mut at) = (0_usize, 1);
    loop {
        let Some(&byte) = bytes.get(at) else { return Ok(None) };
        length |= usize::from(byte & 0x7F) << (7 * (at - 1));
        at += 1;
        if byte & 0x80 == 0 {
            break;
        }
        if at > 4 {
            return Err(Malformed("a length of more than four bytes"));
        }
    }
    if length > payload_bytes_max {
        return Err(Malformed("a packet that is too long"));
    }
    Ok(bytes.get(at..at + length).map(|payload| Cut { opcode: first >> 4, payload, bytes: at + length }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::MaskKeys;
    use crate::wire::testing::{frame, target};

    #[test]
    fn packets_by_example() {
        let script = Mqtt.script(&target(), Part::Subscriber, 7);
        let id = format!("bench-{}-Subscriber-7", std::process::id());
        let mut expected = vec![0x10, 12 + id.len() as u8, 0, 4];
        expected.extend_from_slice(b"MQTT\x04\x02\xFF\xFF\0");
        expected.push(id.len() as u8);
        expected.extend_from_slice(id.as_bytes());
        assert_eq!(script.hello, expected);
        assert_eq!(script.steps[0].say, b"\x82\x0D\0\x01\0\x08b.fanout\0");
        assert!(script.steps[0].is(frame(CONNACK, b"\0\0")));
        assert!(!script.steps[0].is(frame(CONNACK, b"\0\x05")));
        assert!(script.steps[1].is(frame(SUBACK, b"\0\x01\0")));
        assert!(!script.steps[1].is(frame(SUBACK, b"\0\x01\x80")));
    }

    #[test]
    fn what_is_published_arrives() {
        for size in [16, 120, 200, 20_000] {
            let mut out = Vec::new();
            Mqtt.publish("a.b", size).push(77, MaskKeys::new().next_key(), &mut out);
            let packet = cut(&out, size + 5).unwrap().unwrap();
            assert_eq!(packet.bytes, out.len());
            let delivery = Mqtt.delivery("a.b", size);
            assert_eq!(delivery.number(frame(packet.opcode, packet.payload)), Some(77));
            assert_eq!(Mqtt.delivery("a.c", size).number(frame(packet.opcode, packet.payload)), None);
            for end in 0..out.len().min(40) {
                assert_eq!(cut(&out[..end], size + 5), Ok(None), "{end}");
            }
            assert!(cut(&out, size + 4).is_err());
        }
        assert!(cut(b"\x30\xFF\xFF\xFF\xFF\x01", usize::MAX).is_err());
    }
}
