use antiphon_model::{self as model, Payload, Placeholder, RawJson};
use bytes::Bytes;

use super::data::{Arguments, EventData, RESERVED_EVENTS};
use super::error::EncodeError;

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

    /// Adds a publication's payload: JSON as it is, text as a string, bytes as an attachment; arguments one by one.
    #[must_use]
    pub fn payload(self, payload: &Payload) -> DataBuilder {
        match payload {
            Payload::Json(json) => self.json(json),
            Payload::Text(text) => self.text(&String::from_utf8_lossy(text)),
            Payload::Binary(bytes) => self.binary(bytes.clone()),
            Payload::Arguments(arguments) => self.spread(arguments),
        }
    }

    /// Adds an argument that is JSON.
    #[must_use]
    pub fn json(mut self, json: &RawJson) -> DataBuilder {
        self.suspicious |= Placeholder::find(json, 0).is_err();
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
        Placeholder::write(self.attachments.len(), &mut self.out);
        self.attachments.push(bytes);
        self
    }

    /// Adds several arguments, with their attachments.
    #[must_use]
    pub fn spread(mut self, arguments: &model::Arguments) -> DataBuilder {
        let (text, attached) = (arguments.json().as_str(), self.attachments.len());
        if arguments.attachments().is_empty() {
            self.suspicious |= Placeholder::find(arguments.json(), 0).is_err();
        }
        let (Some(start), Some(end)) = (text.find('['), text.rfind(']')) else { return self };
        let mut at = start + 1;
        if text[at..end].trim_ascii().is_empty() {
            return self;
        }
        self.separate();
        for placeholder in arguments.placeholders() {
            self.out.extend_from_slice(&text.as_bytes()[at..placeholder.range.start]);
            Placeholder::write(attached + placeholder.number, &mut self.out);
            at = placeholder.range.end;
        }
        self.out.extend_from_slice(&text.as_bytes()[at..end]);
        self.attachments.extend_from_slice(arguments.attachments());
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
    fn arguments_are_spread_and_their_attachments_counted_on() {
        let json = r#" [ 1, {"num":0,"_placeholder":true} ,{"_placeholder":true,"num":1}] "#;
        let json = RawJson::new(Bytes::from_static(json.as_bytes())).unwrap();
        let two = model::Arguments::new(json, vec!["b".into(), "c".into()]).unwrap();
        let none = model::Arguments::new(RawJson::from_serializer("[ ]"), Vec::new()).unwrap();
        let data = DataBuilder::event("e").unwrap().binary("a".into()).spread(&two).spread(&none).text("z");
        let (data, attachments) = data.into_event().unwrap();
        assert_eq!(attachments, ["a", "b", "c"]);
        let numbers: Vec<_> =
            Placeholder::find(data.json(), 3).unwrap().iter().map(|one| one.number).collect();
        assert_eq!((numbers, data.arguments().len()), (vec![0, 1, 2], 5));
        let lookalike = RawJson::from_serializer(r#"[{"_placeholder":true,"num":0}]"#);
        let lookalike = model::Arguments::new(lookalike, Vec::new()).unwrap();
        let data = DataBuilder::event("e").unwrap().spread(&lookalike).binary("a".into());
        assert_eq!(data.into_event(), Err(EncodeError::PlaceholderInData));
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
