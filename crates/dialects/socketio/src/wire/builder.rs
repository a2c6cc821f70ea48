use antiphon_model::{Payload, RawJson};
use bytes::Bytes;

use super::data::{Arguments, EventData, RESERVED_EVENTS};
use super::error::EncodeError;
use super::placeholders;

/// Builds the payload of an event or an acknowledgement out of arguments, taking attachments out as it goes. JSON is copied,
/// never parsed into a tree.
#[derive(Debug, Default)]
pub struct DataBuilder {
    name: String,
    out: Vec<u8>,
    attachments: Vec<Bytes>,
    /// Some JSON has what looks like a placeholder.
    suspicious: bool,
}

impl DataBuilder {
    /// Begins an event.
    ///
    /// # Errors
    /// The name is reserved.
    pub fn event(name: &str) -> Result<DataBuilder, EncodeError> {
        if RESERVED_EVENTS.contains(&name) {
            return Err(EncodeError::ReservedEvent);
        }
        let mut builder = DataBuilder { name: name.to_owned(), ..DataBuilder::default() };
        builder.string(name);
        Ok(builder)
    }

    /// Begins an acknowledgement.
    pub fn acknowledgement() -> DataBuilder {
        DataBuilder::default()
    }

    /// Adds a publication's payload as one argument: JSON as it is, text as a string, bytes as an attachment.
    #[must_use]
    pub fn payload(self, payload: &Payload) -> DataBuilder {
        match payload {
            Payload::Json(json) => self.json(json),
            Payload::Text(text) => self.text(&String::from_utf8_lossy(text)),
            Payload::Binary(bytes) => self.binary(bytes.clone()),
        }
    }

    /// Adds an argument that is JSON.
    #[must_use]
    pub fn json(mut self, json: &RawJson) -> DataBuilder {
        self.suspicious |= placeholders::find(json, 0).is_err();
        self.separate();
        self.out.extend_from_slice(json.as_str().trim_ascii().as_bytes());
        self
    }

    /// Adds an argument that is a string.
    #[must_use]
    pub fn text(mut self, text: &str) -> DataBuilder {
        self.string(text);
        self
    }

    /// Adds an argument that is bytes.
    #[must_use]
    pub fn binary(mut self, bytes: Bytes) -> DataBuilder {
        self.separate();
        placeholders::write(&mut self.out, self.attachments.len());
        self.attachments.push(bytes);
        self
    }

    /// The event's payload and its attachments, of which receivers take [`Limits::attachments_max`](crate::Limits) at most.
    ///
    /// # Errors
    /// There are attachments, and JSON that receivers would take for a placeholder.
    pub fn into_event(self) -> Result<(EventData, Vec<Bytes>), EncodeError> {
        let (name, json, attachments) = self.finish()?;
        Ok((EventData::from_serializer(name, json), attachments))
    }

    /// The acknowledgement's payload and its attachments.
    ///
    /// # Errors
    /// As [`DataBuilder::into_event`].
    pub fn into_arguments(self) -> Result<(Arguments, Vec<Bytes>), EncodeError> {
        let (_, json, attachments) = self.finish()?;
        Ok((Arguments::from_serializer(json), attachments))
    }

    fn finish(mut self) -> Result<(String, RawJson, Vec<Bytes>), EncodeError> {
        if self.suspicious && !self.attachments.is_empty() {
            return Err(EncodeError::PlaceholderInData);
        }
        if self.out.is_empty() {
            self.out.push(b'[');
        }
        self.out.push(b']');
        Ok((self.name, RawJson::from_serializer(self.out), self.attachments))
    }

    fn separate(&mut self) {
        self.out.push(if self.out.is_empty() { b'[' } else { b',' });
    }

    fn string(&mut self, text: &str) {
        self.separate();
        serde_json::to_writer(&mut self.out, text).expect("a string is JSON, and a vector takes it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_copied_and_attachments_taken_out() {
        let json = RawJson::new(Bytes::from_static(b" {\"a\": 1} ")).unwrap();
        let (data, attachments) = DataBuilder::event("é\"")
            .unwrap()
            .payload(&Payload::Json(json))
            .payload(&Payload::Binary(Bytes::from_static(b"\x00")))
            .payload(&Payload::Text(Bytes::from_static(b"x\ny")))
            .into_event()
            .unwrap();
        assert_eq!(data.json().as_str(), r#"["é\"",{"a": 1},{"_placeholder":true,"num":0},"x\ny"]"#);
        assert_eq!(data.name(), "é\"");
        assert_eq!(data.arguments().len(), 3);
        assert_eq!(attachments, [Bytes::from_static(b"\x00")]);
        let (none, _) = DataBuilder::acknowledgement().into_arguments().unwrap();
        assert_eq!(none.json().as_str(), "[]");
    }

    #[test]
    fn nobody_smuggles_a_placeholder_in() {
        let json = RawJson::new(Bytes::from_static(br#"{"_placeholder":true,"num":3}"#)).unwrap();
        let event = || DataBuilder::event("a").unwrap().json(&json);
        assert!(event().into_event().is_ok(), "without attachments it is data like any other");
        assert_eq!(event().binary(Bytes::new()).into_event(), Err(EncodeError::PlaceholderInData));
    }

    #[test]
    fn reserved_names_are_refused() {
        for name in RESERVED_EVENTS {
            assert_eq!(DataBuilder::event(name).err(), Some(EncodeError::ReservedEvent));
        }
    }
}
