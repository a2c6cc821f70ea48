use bytes::Bytes;

use super::{AckId, Kind, Packet, Parts, Version, split_query};
use crate::wire::error::DecodeError;
use crate::wire::limits::Limits;
use crate::wire::namespace::Namespace;

impl Packet {
    /// Reads the text of one packet, without Engine.IO's message type before it. Payloads are slices of `text`.
    ///
    /// Stricter than the reference: numbers have no leading zeros, an acknowledgement has an id, and a packet that has no
    /// use for an id or a payload has none. Placeholders are left to [`Decoder`](crate::Decoder).
    ///
    /// # Errors
    /// It is not a packet of `version`, or beyond `limits`.
    pub fn decode(text: &Bytes, version: Version, limits: &Limits) -> Result<Packet, DecodeError> {
        if text.len() > limits.packet_bytes_max {
            return Err(DecodeError::TooLarge);
        }
        let mut reader = Reader { text, at: 0 };
        let kind = reader.kind()?;
        let attachments = if kind.is_binary() { reader.attachments(limits)? } else { 0 };
        let (namespace, query) = reader.namespace(version, kind, limits)?;
        let ack = reader.ack(limits)?;
        let payload = Some(text.slice(reader.at..)).filter(|payload| !payload.is_empty());
        let body = Parts { version, kind, attachments, query, ack, payload }.assemble()?;
        Ok(Packet { namespace, body })
    }
}

/// Reads from the left; each part is optional but for the type.
struct Reader<'a> {
    text: &'a Bytes,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn kind(&mut self) -> Result<Kind, DecodeError> {
        let digit = self.rest().first().ok_or(DecodeError::Empty)?;
        self.at += 1;
        let number = digit.checked_sub(b'0').ok_or(DecodeError::UnknownType)?;
        Kind::from_number(number.into()).ok_or(DecodeError::UnknownType)
    }

    fn digits(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        &rest[..count]
    }

    fn attachments(&mut self, limits: &Limits) -> Result<usize, DecodeError> {
        let digits = self.digits();
        if self.rest().first() != Some(&b'-') || has_leading_zero(digits) {
            return Err(DecodeError::InvalidAttachmentCount);
        }
        self.at += 1;
        match digits {
            [] => Err(DecodeError::InvalidAttachmentCount),
            _ => decimal(digits)
                .and_then(|count| usize::try_from(count).ok())
                .filter(|count| *count <= limits.attachments_max)
                .ok_or(DecodeError::TooManyAttachments),
        }
    }

    fn namespace(
        &mut self,
        version: Version,
        kind: Kind,
        limits: &Limits,
    ) -> Result<(Namespace, Option<Box<str>>), DecodeError> {
        let rest = self.rest();
        if rest.first() != Some(&b'/') {
            return Ok((Namespace::root(), None));
        }
        // No further than it may reach: a long payload without a comma is not searched.
        let within = &rest[..rest.len().min(limits.namespace_bytes_max.saturating_add(1))];
        let length = match within.iter().position(|byte| *byte == b',') {
            Some(comma) => comma,
            None if rest.len() > limits.namespace_bytes_max => return Err(DecodeError::NamespaceTooLong),
            None => rest.len(),
        };
        let written = self.text.slice(self.at..self.at + length);
        self.at = (self.at + length + 1).min(self.text.len());
        split_query(written, version, kind)
    }

    fn ack(&mut self, limits: &Limits) -> Result<Option<AckId>, DecodeError> {
        let digits = self.digits();
        if digits.is_empty() {
            return Ok(None);
        }
        ack_id(digits, limits).map(Some)
    }
}

/// Reads the id of an acknowledgement.
pub(crate) fn ack_id(digits: &[u8], limits: &Limits) -> Result<AckId, DecodeError> {
    if digits.len() > limits.ack_id_digits_max || has_leading_zero(digits) {
        return Err(DecodeError::InvalidAckId);
    }
    decimal(digits).and_then(AckId::new).ok_or(DecodeError::InvalidAckId)
}

fn has_leading_zero(digits: &[u8]) -> bool {
    digits.len() > 1 && digits.first() == Some(&b'0')
}

/// `None` if it does not fit.
fn decimal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit.checked_sub(b'0')?))
    })
}
