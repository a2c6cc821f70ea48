use std::cell::RefCell;
use std::sync::Arc;

use antiphon_model::{self as model, InvalidArguments, InvalidJson, Payload, Placeholder, RawJson};
use bytes::Bytes;
use serde::ser::{Serialize, SerializeTuple, Serializer};
use serde_json::value::RawValue;

use super::binary::{AttachBytes, attach, gather};
use super::{EventArguments, single};

/// A value cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum UnserializableArguments {
    /// It has no form in JSON.
    #[error("the value is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It nests deeper than [`model::JSON_DEPTH_MAX`].
    #[error(transparent)]
    TooDeep(InvalidJson),
    /// Beside bytes there is something that receivers would take for the place of an attachment.
    #[error("the value has bytes, and something that looks like the place of an attachment: {0}")]
    Placeholder(#[from] InvalidArguments),
}

thread_local! {
    /// Arguments that may be a whole value, on their way past the serializer.
    static WHOLE: RefCell<Option<EventArguments>> = const { RefCell::new(None) };
}

/// How a value that is [`EventArguments`] makes itself known.
const WHOLE_NAME: &str = "$antiphon::EventArguments";

type Json<'a> = serde_json::Serializer<&'a mut Vec<u8>, AttachBytes>;

pub(super) fn to_payload(value: &(impl Serialize + ?Sized)) -> Result<Payload, UnserializableArguments> {
    let (mut out, mut form) = (Vec::new(), Form::One);
    let (written, attachments) = gather(|| {
        let mut json = Json::with_formatter(&mut out, AttachBytes);
        value.serialize(Top { json: &mut json, form: &mut form })
    });
    written?;
    let (json, only) = match form {
        Form::Payload(payload) => return Ok(payload),
        Form::None => (Bytes::from_static(b"[]"), None),
        Form::Several(count) => {
            let inside = 1..out.len() - 1;
            (Bytes::from(out), (count == 1).then_some(inside))
        }
        Form::One => {
            let json = [b"[", &*out, b"]"].concat();
            let inside = 1..json.len() - 1;
            (Bytes::from(json), Some(inside))
        }
    };
    let json = RawJson::shallow(json).map_err(UnserializableArguments::TooDeep)?;
    if let Some(only) = only
        && let Some(payload) = single(json.as_bytes(), &json.as_str()[only], &attachments)
    {
        return Ok(payload);
    }
    Ok(Payload::Arguments(Arc::new(model::Arguments::new(json, attachments)?)))
}

/// What a value turned out to be.
enum Form {
    None,
    One,
    Several(usize),
    Payload(Payload),
}

/// Sees what the value is, and has it written as JSON if it is not clear by then what it is published as.
struct Top<'a, 'w> {
    json: &'a mut Json<'w>,
    form: &'a mut Form,
}

macro_rules! scalars {
    ($($method:ident($kind:ty);)*) => {$(
        fn $method(self, value: $kind) -> Result<(), Self::Error> {
            self.json.$method(value)
        }
    )*};
}

type Inner<'a, 'w> = &'a mut Json<'w>;

impl<'a, 'w> Serializer for Top<'a, 'w> {
    type Ok = ();
    type Error = serde_json::Error;
    type SerializeSeq = <Inner<'a, 'w> as Serializer>::SerializeSeq;
    type SerializeTuple = <Inner<'a, 'w> as Serializer>::SerializeTuple;
    type SerializeTupleStruct = <Inner<'a, 'w> as Serializer>::SerializeTupleStruct;
    type SerializeTupleVariant = <Inner<'a, 'w> as Serializer>::SerializeTupleVariant;
    type SerializeMap = <Inner<'a, 'w> as Serializer>::SerializeMap;
    type SerializeStruct = <Inner<'a, 'w> as Serializer>::SerializeStruct;
    type SerializeStructVariant = <Inner<'a, 'w> as Serializer>::SerializeStructVariant;

    scalars! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
    }

    fn serialize_str(self, text: &str) -> Result<(), Self::Error> {
        *self.form = Form::Payload(Payload::Text(Bytes::copy_from_slice(text.as_bytes())));
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Self::Error> {
        *self.form = Form::Payload(Payload::Binary(Bytes::copy_from_slice(bytes)));
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Self::Error> {
        self.json.serialize_none()
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), Self::Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Self::Error> {
        *self.form = Form::None;
        Ok(())
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), Self::Error> {
        self.json.serialize_unit_struct(name)
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<(), Self::Error> {
        self.json.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Self::Error> {
        if name == WHOLE_NAME
            && let Some(arguments) = WHOLE.take()
        {
            *self.form = Form::Payload(arguments.to_payload());
            return Ok(());
        }
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Self::Error> {
        self.json.serialize_newtype_variant(name, index, variant, value)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, Self::Error> {
        self.json.serialize_seq(len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, Self::Error> {
        *self.form = Form::Several(len);
        self.json.serialize_tuple(len)
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, Self::Error> {
        self.json.serialize_tuple_struct(name, len)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, Self::Error> {
        self.json.serialize_tuple_variant(name, index, variant, len)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, Self::Error> {
        self.json.serialize_map(len)
    }

    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeStruct, Self::Error> {
        self.json.serialize_struct(name, len)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, Self::Error> {
        self.json.serialize_struct_variant(name, index, variant, len)
    }
}

/// Values as a tuple: each is an argument.
pub(super) struct Several<'a, T>(pub(super) &'a [T]);

impl<T: Serialize> Serialize for Several<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        for value in self.0 {
            tuple.serialize_element(value)?;
        }
        tuple.end()
    }
}

impl Serialize for EventArguments {
    /// As a whole value they are the arguments that they are, within another value they are an array.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WHOLE.set(Some(self.clone()));
        let result = serializer.serialize_newtype_struct(WHOLE_NAME, &Array(self));
        WHOLE.take();
        result
    }
}

/// Arguments as one value.
struct Array<'a>(&'a EventArguments);

impl Serialize for Array<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let arguments = self.0.to_array();
        let mut json = Vec::with_capacity(arguments.json().as_bytes().len());
        let mut at = 0;
        for Placeholder { range, number } in arguments.placeholders() {
            let Some(number) = attach(|| arguments.attachments()[*number].clone()) else {
                // Nobody takes attachments here.
                json.clear();
                json.extend_from_slice(arguments.to_json().as_bytes());
                return raw(json, serializer);
            };
            json.extend_from_slice(&arguments.json().as_bytes()[at..range.start]);
            Placeholder::write(number, &mut json);
            at = range.end;
        }
        json.extend_from_slice(&arguments.json().as_bytes()[at..]);
        raw(json, serializer)
    }
}

fn raw<S: Serializer>(json: Vec<u8>, serializer: S) -> Result<S::Ok, S::Error> {
    let json = String::from_utf8(json).map_err(serde::ser::Error::custom)?;
    RawValue::from_string(json).map_err(serde::ser::Error::custom)?.serialize(serializer)
}
