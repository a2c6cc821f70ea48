use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use antiphon_model::Placeholder;
use bytes::Bytes;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeStruct, Serializer};

/// Bytes that travel as an attachment, wherever they stand in a value that is emitted or that came.
///
/// Serialized by anything else they are bytes as serde knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binary(pub Bytes);

thread_local! {
    /// The attachments of what is written at this moment.
    static WRITTEN: RefCell<Option<Vec<Bytes>>> = const { RefCell::new(None) };
    /// The attachments of what is read at this moment.
    static READ: RefCell<Option<Arc<[Bytes]>>> = const { RefCell::new(None) };
}

/// Gathers the attachments that `write` takes out of values.
pub(super) fn gather<R>(write: impl FnOnce() -> R) -> (R, Vec<Bytes>) {
    /// Puts back what was gathered outside: a value may be written within another's writing.
    struct Outer(Option<Vec<Bytes>>);
    impl Drop for Outer {
        fn drop(&mut self) {
            WRITTEN.set(self.0.take());
        }
    }
    let outer = Outer(WRITTEN.replace(Some(Vec::new())));
    let result = write();
    let gathered = WRITTEN.take().unwrap_or_default();
    drop(outer);
    (result, gathered)
}

/// Takes an attachment, if some are gathered: its number.
pub(super) fn attach(bytes: impl FnOnce() -> Bytes) -> Option<usize> {
    WRITTEN.with_borrow_mut(|written| {
        let written = written.as_mut()?;
        written.push(bytes());
        Some(written.len() - 1)
    })
}

/// Has placeholders stand for `attachments` in what `read` reads.
pub(super) fn with_attachments<R>(attachments: &Arc<[Bytes]>, read: impl FnOnce() -> R) -> R {
    struct Outer(Option<Arc<[Bytes]>>);
    impl Drop for Outer {
        fn drop(&mut self) {
            READ.set(self.0.take());
        }
    }
    let _outer = Outer(READ.replace(Some(Arc::clone(attachments))));
    read()
}

/// The attachment that a placeholder of what is read stands for.
fn attachment(number: usize) -> Option<Bytes> {
    READ.with_borrow(|read| read.as_ref()?.get(number).cloned())
}

impl Deref for Binary {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.0
    }
}

impl<T: Into<Bytes>> From<T> for Binary {
    fn from(bytes: T) -> Binary {
        Binary(bytes.into())
    }
}

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match attach(|| self.0.clone()) {
            None => serializer.serialize_bytes(&self.0),
            Some(number) => {
                let mut placeholder = serializer.serialize_struct("Placeholder", 2)?;
                placeholder.serialize_field("_placeholder", &true)?;
                placeholder.serialize_field("num", &number)?;
                placeholder.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Binary, D::Error> {
        deserializer.deserialize_any(BinaryVisitor)
    }
}

struct BinaryVisitor;

impl<'de> Visitor<'de> for BinaryVisitor {
    type Value = Binary;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Binary, E> {
        Ok(Binary(Bytes::copy_from_slice(bytes)))
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Binary, E> {
        Ok(Binary(bytes.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Binary, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = elements.next_element()? {
            bytes.push(byte);
        }
        Ok(Binary(bytes.into()))
    }

    /// A placeholder. Which members it has was checked when the packet came.
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Binary, A::Error> {
        let (mut marked, mut number) = (false, None);
        while let Some(name) = members.next_key::<std::borrow::Cow<'de, str>>()? {
            match &*name {
                "_placeholder" => marked = members.next_value()?,
                "num" => number = Some(members.next_value()?),
                _ => {
                    members.next_value::<de::IgnoredAny>()?;
                }
            }
        }
        let found = number.filter(|_| marked).and_then(attachment);
        found.map(Binary).ok_or_else(|| de::Error::invalid_type(de::Unexpected::Map, &self))
    }
}

/// Writes JSON in which bytes are attachments.
pub(super) struct AttachBytes;

impl serde_json::ser::Formatter for AttachBytes {
    fn write_byte_array<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        bytes: &[u8],
    ) -> std::io::Result<()> {
        let number = attach(|| Bytes::copy_from_slice(bytes));
        let mut placeholder = Vec::with_capacity(32);
        Placeholder::write(number.unwrap_or_default(), &mut placeholder);
        writer.write_all(&placeholder)
    }
}
