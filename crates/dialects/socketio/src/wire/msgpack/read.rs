use antiphon_model::{JSON_DEPTH_MAX, Placeholder};
use bytes::Bytes;
use rmp::Marker;

use super::extension::{Extension, write_date};
use crate::wire::error::DecodeError;
use crate::wire::kept;
use crate::wire::limits::Limits;

/// The head of a value; the elements of an array and the members of a map follow it.
pub(super) enum Value {
    /// Null, and what JSON has not.
    Null,
    Bool(bool),
    Unsigned(u64),
    Negative(i64),
    Float(f64),
    /// UTF-8.
    String(Bytes),
    Binary(Bytes),
    Array(u32),
    Map(u32),
    /// Milliseconds since the epoch.
    Date(i64),
}

/// Reads MessagePack from the left, and gathers attachments.
pub(super) struct Reader<'a> {
    bytes: &'a Bytes,
    at: usize,
    limits: &'a Limits,
    attachments: Vec<Bytes>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a Bytes, limits: &'a Limits) -> Reader<'a> {
        Reader { bytes, at: 0, limits, attachments: Vec::new() }
    }

    /// Checks that nothing is left.
    pub(super) fn end(&self) -> Result<(), DecodeError> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(DecodeError::InvalidMsgpack) }
    }

    pub(super) fn into_attachments(self) -> Vec<Bytes> {
        self.attachments
    }

    pub(super) fn value(&mut self) -> Result<Value, DecodeError> {
        let marker = Marker::from_u8(self.array::<1>()?[0]);
        Ok(match marker {
            Marker::Null => Value::Null,
            Marker::False => Value::Bool(false),
            Marker::True => Value::Bool(true),
            Marker::FixPos(number) => Value::Unsigned(number.into()),
            Marker::FixNeg(number) => Value::Negative(number.into()),
            Marker::U8 | Marker::U16 | Marker::U32 | Marker::U64 => Value::Unsigned(self.unsigned(marker)?),
            Marker::I8 => signed(i8::from_be_bytes(self.array()?).into()),
            Marker::I16 => signed(i16::from_be_bytes(self.array()?).into()),
            Marker::I32 => signed(i32::from_be_bytes(self.array()?).into()),
            Marker::I64 => signed(i64::from_be_bytes(self.array()?)),
            Marker::F32 => Value::Float(f32::from_be_bytes(self.array()?).into()),
            Marker::F64 => Value::Float(f64::from_be_bytes(self.array()?)),
            Marker::FixStr(length) => self.string(length.into())?,
            Marker::Str8 => self.length(Marker::U8).and_then(|length| self.string(length))?,
            Marker::Str16 => self.length(Marker::U16).and_then(|length| self.string(length))?,
            Marker::Str32 => self.length(Marker::U32).and_then(|length| self.string(length))?,
            Marker::Bin8 => self.length(Marker::U8).and_then(|length| self.binary(length))?,
            Marker::Bin16 => self.length(Marker::U16).and_then(|length| self.binary(length))?,
            Marker::Bin32 => self.length(Marker::U32).and_then(|length| self.binary(length))?,
            Marker::FixArray(count) => Value::Array(count.into()),
            Marker::Array16 => Value::Array(u16::from_be_bytes(self.array()?).into()),
            Marker::Array32 => Value::Array(u32::from_be_bytes(self.array()?)),
            Marker::FixMap(count) => Value::Map(count.into()),
            Marker::Map16 => Value::Map(u16::from_be_bytes(self.array()?).into()),
            Marker::Map32 => Value::Map(u32::from_be_bytes(self.array()?)),
            Marker::FixExt1 => self.extension(1)?,
            Marker::FixExt2 => self.extension(2)?,
            Marker::FixExt4 => self.extension(4)?,
            Marker::FixExt8 => self.extension(8)?,
            Marker::FixExt16 => self.extension(16)?,
            Marker::Ext8 => self.length(Marker::U8).and_then(|length| self.extension(length))?,
            Marker::Ext16 => self.length(Marker::U16).and_then(|length| self.extension(length))?,
            Marker::Ext32 => self.length(Marker::U32).and_then(|length| self.extension(length))?,
            Marker::Reserved => return Err(DecodeError::InvalidMsgpack),
        })
    }

    /// Passes over a value.
    pub(super) fn skip(&mut self) -> Result<(), DecodeError> {
        let mut due = 1_u64;
        while due > 0 {
            // Each takes at least a byte, so this ends with the bytes, whatever a count says.
            due -= 1;
            match self.value()? {
                Value::Array(count) => due += u64::from(count),
                Value::Map(count) => due += 2 * u64::from(count),
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads a value as JSON, with placeholders for attachments; `None` if it is null or undefined.
    pub(super) fn data(&mut self) -> Result<Option<Vec<u8>>, DecodeError> {
        match self.value()? {
            Value::Null => Ok(None),
            value => {
                let mut out = Vec::new();
                self.json(value, &mut out, JSON_DEPTH_MAX)?;
                Ok(Some(out))
            }
        }
    }

    /// JSON takes up to six times the bytes, which has its own bound: what is kept and sent on is the JSON.
    fn json(&mut self, value: Value, out: &mut Vec<u8>, levels: usize) -> Result<(), DecodeError> {
        match value {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Bool(value) => write_json(out, &value),
            Value::Unsigned(number) => write_json(out, &number),
            Value::Negative(number) => write_json(out, &number),
            Value::Float(number) => write_json(out, &number),
            Value::String(text) => write_json(out, std::str::from_utf8(&text).unwrap_or_default()),
            Value::Date(milliseconds) => write_date(out, milliseconds),
            Value::Binary(bytes) => {
                if self.attachments.len() >= self.limits.attachments_max {
                    return Err(DecodeError::TooManyAttachments);
                }
                Placeholder::write(self.attachments.len(), out);
                self.attachments.push(kept(self.bytes, &bytes));
            }
            Value::Array(count) => {
                let levels = levels.checked_sub(1).ok_or(DecodeError::TooDeep)?;
                out.push(b'[');
                for index in 0..count {
                    separate(out, index);
                    let element = self.value()?;
                    self.json(element, out, levels)?;
                }
                out.push(b']');
            }
            Value::Map(count) => {
                let levels = levels.checked_sub(1).ok_or(DecodeError::TooDeep)?;
                out.push(b'{');
                for index in 0..count {
                    separate(out, index);
                    let key = self.value()?;
                    if !matches!(key, Value::String(_)) {
                        return Err(DecodeError::UnsupportedMsgpack);
                    }
                    self.json(key, out, levels)?;
                    out.push(b':');
                    let member = self.value()?;
                    self.json(member, out, levels)?;
                }
                out.push(b'}');
            }
        }
        if out.len() > self.limits.packet_bytes_max { Err(DecodeError::TooLarge) } else { Ok(()) }
    }

    fn take(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(DecodeError::InvalidMsgpack)?;
        let taken = self.bytes.slice(self.at..end);
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let array = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>());
        let array = *array.ok_or(DecodeError::InvalidMsgpack)?;
        self.at += N;
        Ok(array)
    }

    fn unsigned(&mut self, width: Marker) -> Result<u64, DecodeError> {
        Ok(match width {
            Marker::U8 => u8::from_be_bytes(self.array()?).into(),
            Marker::U16 => u16::from_be_bytes(self.array()?).into(),
            Marker::U32 => u32::from_be_bytes(self.array()?).into(),
            _ => u64::from_be_bytes(self.array()?),
        })
    }

    fn length(&mut self, width: Marker) -> Result<usize, DecodeError> {
        usize::try_from(self.unsigned(width)?).map_err(|_| DecodeError::InvalidMsgpack)
    }

    fn string(&mut self, length: usize) -> Result<Value, DecodeError> {
        let text = self.take(length)?;
        if std::str::from_utf8(&text).is_err() {
            return Err(DecodeError::NotUtf8);
        }
        Ok(Value::String(text))
    }

    fn binary(&mut self, length: usize) -> Result<Value, DecodeError> {
        self.take(length).map(Value::Binary)
    }

    fn extension(&mut self, length: usize) -> Result<Value, DecodeError> {
        let kind = i8::from_be_bytes(self.array()?);
        let data = self.take(length)?;
        Ok(match Extension::read(kind, &data)? {
            Extension::Undefined => Value::Null,
            Extension::Date(milliseconds) => Value::Date(milliseconds),
        })
    }
}

fn signed(number: i64) -> Value {
    match u64::try_from(number) {
        Ok(number) => Value::Unsigned(number),
        Err(_) => Value::Negative(number),
    }
}

fn separate(out: &mut Vec<u8>, index: u32) {
    if index > 0 {
        out.push(b',');
    }
}

/// Numbers that JSON has not become null.
fn write_json(out: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    serde_json::to_writer(out, value).expect("a string or a number is JSON, and a vector takes it");
}
