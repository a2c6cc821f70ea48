use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use antiphon_socketio::{ArgumentsError, EventArguments, EventName};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, IgnoredAny, SeqAccess, Visitor};

use crate::{Ack, Call, ExtractError, FromEvent};

/// What the client sent with an event; or, given back by a handler, what it is acknowledged with.
///
/// The first `Data` of a handler is the first argument, and the second the second. A tuple in the first is several arguments:
/// `Data((room, text)): Data<(String, String)>`. Arguments that did not come are `None` where that is a value; more than were
/// asked for do no harm. Bytes are asked for as [`Binary`](crate::Binary), anywhere in the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Data<T>(pub T);

/// As [`Data`]; what is not as asked for is an error that the handler sees.
#[derive(Debug)]
pub struct TryData<T>(pub Result<T, ArgumentsError>);

impl<T> Deref for Data<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Data<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: DeserializeOwned> FromEvent for Data<T> {
    fn from_event(call: &mut Call<'_>) -> Result<Data<T>, ExtractError> {
        Ok(Data(next(call)?))
    }
}

impl<T: DeserializeOwned> FromEvent for TryData<T> {
    fn from_event(call: &mut Call<'_>) -> Result<TryData<T>, ExtractError> {
        Ok(TryData(next(call)))
    }
}

impl FromEvent for EventArguments {
    fn from_event(call: &mut Call<'_>) -> Result<EventArguments, ExtractError> {
        Ok(call.arguments().clone())
    }
}

impl FromEvent for EventName {
    fn from_event(call: &mut Call<'_>) -> Result<EventName, ExtractError> {
        Ok(call.name().clone())
    }
}

impl FromEvent for Ack {
    fn from_event(call: &mut Call<'_>) -> Result<Ack, ExtractError> {
        Ok(call.take_ack())
    }
}

fn next<T: DeserializeOwned>(call: &mut Call<'_>) -> Result<T, ArgumentsError> {
    let arguments = call.arguments();
    // As many as a handler can have.
    match call.take_argument() {
        0 => arguments.parse(),
        1 => nth::<T, 1>(arguments),
        2 => nth::<T, 2>(arguments),
        3 => nth::<T, 3>(arguments),
        4 => nth::<T, 4>(arguments),
        5 => nth::<T, 5>(arguments),
        6 => nth::<T, 6>(arguments),
        _ => nth::<T, 7>(arguments),
    }
}

fn nth<T: DeserializeOwned, const N: usize>(arguments: &EventArguments) -> Result<T, ArgumentsError> {
    arguments.parse().map(|Nth(value): Nth<T, N>| value)
}

/// The element at index `N` of a sequence that is long enough.
struct Nth<T, const N: usize>(T);

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for Nth<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Nth<T, N>, D::Error> {
        deserializer.deserialize_tuple(N + 1, Skip::<T, N>(PhantomData))
    }
}

struct Skip<T, const N: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for Skip<T, N> {
    type Value = Nth<T, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} arguments", N + 1)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Nth<T, N>, A::Error> {
        for _ in 0..N {
            // Those that did not come are skipped like others: the one asked for may be optional.
            elements.next_element::<Option<IgnoredAny>>()?;
        }
        let missing = || A::Error::custom(format_args!("argument {} is missing", N + 1));
        elements.next_element()?.map(Nth).ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde::Serialize;

    use super::*;
    use crate::Binary;

    fn arguments(values: impl Serialize) -> EventArguments {
        EventArguments::of(&values).unwrap()
    }

    #[test]
    fn any_argument_can_be_taken_alone() {
        let arguments = arguments((1, "two", [3], Binary(Bytes::from_static(b"4"))));
        assert_eq!(nth::<String, 1>(&arguments).unwrap(), "two");
        assert_eq!(nth::<Vec<u8>, 2>(&arguments).unwrap(), [3]);
        assert_eq!(nth::<Binary, 3>(&arguments).unwrap().0, "4");
        let error = nth::<(String,), 1>(&arguments).unwrap_err();
        assert!(error.to_string().contains("invalid type"), "{error}");
    }

    #[test]
    fn what_did_not_come_is_missing_or_none() {
        let arguments = arguments((1,));
        assert_eq!(nth::<Option<u8>, 3>(&arguments).unwrap(), None);
        assert!(nth::<u8, 3>(&arguments).unwrap_err().to_string().starts_with("argument 4 is missing"));
        assert!(
            nth::<u8, 1>(&self::arguments(())).unwrap_err().to_string().starts_with("argument 2 is missing")
        );
    }
}
