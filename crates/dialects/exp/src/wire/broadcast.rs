//! What is asked to be broadcast, and what is responded.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::channel::ChannelArgument;

/// The body of a broadcast.
#[derive(Debug, Deserialize)]
pub(crate) struct Broadcast<'a> {
    /// The event name. Listeners hear `message` if there is none.
    #[serde(borrow, default)]
    pub(crate) name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) channel: ChannelArgument<'a>,
    #[serde(borrow, default)]
    pub(crate) payload: Option<&'a RawValue>,
}

/// The body of a response.
#[derive(Debug, Deserialize)]
pub(crate) struct Response<'a> {
    /// Which broadcast it responds to: the id that the listener got with it.
    #[serde(borrow)]
    pub(crate) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) channel: ChannelArgument<'a>,
    #[serde(borrow, default)]
    pub(crate) payload: Option<&'a RawValue>,
}

/// The body is not what it has to be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidBody {
    /// It is not UTF-8.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// It is not JSON, or a member is missing or not what it has to be.
    #[error("the body is not a JSON object with what is needed: {0}")]
    Json(#[from] serde_json::Error),
}

/// Reads a body.
///
/// # Errors
/// It is not JSON, or a member that is needed is missing or is something else.
pub(crate) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, InvalidBody> {
    let text = std::str::from_utf8(body).map_err(|_| InvalidBody::NotUtf8)?;
    Ok(serde_json::from_str(text)?)
}

/// How long responses are collected: `timeout` in milliseconds, as clients write it.
///
/// `2000` and `100.0` are times, and what is longer than `max` is cut to it. What is no time (`undefined`, `NaN`, nothing at all, or less
/// than nothing) is `default`, because the SDKs send such things where their users name none.
pub(crate) fn timeout(text: Option<&str>, default: Duration, max: Duration) -> Duration {
    let millis = text.and_then(|text| text.trim().parse::<f64>().ok());
    match millis {
        Some(millis) if millis >= 0.0 => {
            let secs = (millis / 1000.0).min(max.as_secs_f64());
            Duration::try_from_secs_f64(secs).map_or(max, |time| time.min(max))
        }
        _ => default.min(max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_model::ChannelFlags;
    use proptest::prelude::*;

    const DEFAULT: Duration = Duration::from_secs(2);
    const MAX: Duration = Duration::from_secs(60);

    #[test]
    fn timeouts_are_tolerant() {
        for (text, millis) in [
            (Some("2000"), 2000),
            (Some("100.0"), 100),
            (Some("0.5e3"), 500),
            (Some(" 7 "), 7),
            (Some("0"), 0),
            (Some("60000"), 60_000),
            (Some("60001"), 60_000),
            (Some("1e300"), 60_000),
            (Some("Infinity"), 60_000),
            (Some("99999999999999999999999"), 60_000),
            (Some("undefined"), 2000),
            (Some("null"), 2000),
            (Some(""), 2000),
            (Some("-1"), 2000),
            (Some("NaN"), 2000),
            (Some("-Infinity"), 2000),
            (Some("2s"), 2000),
            (None, 2000),
        ] {
            assert_eq!(timeout(text, DEFAULT, MAX), Duration::from_millis(millis), "{text:?}");
        }
        assert_eq!(timeout(None, MAX, DEFAULT), DEFAULT, "the default is cut as well");
    }

    #[test]
    fn broadcasts_by_example() {
        let guide = r#"{"name":"myEventName","payload":{"anything":2,"anything2":["hi!"]},
            "channel":{"name":"myChannelName","consumer":true}}"#;
        let broadcast: Broadcast<'_> = parse(guide.as_bytes()).unwrap();
        assert_eq!(broadcast.name.as_deref(), Some("myEventName"));
        assert_eq!(broadcast.payload.unwrap().get(), r#"{"anything":2,"anything2":["hi!"]}"#);
        let named = ChannelArgument::Named { name: "myChannelName".into(), flags: ChannelFlags::CONSUMER };
        assert_eq!(broadcast.channel, named);
        let short: Broadcast<'_> = parse(br#"{"channel":"WyJh","name":"\u00fc"}"#).unwrap();
        assert_eq!((short.name.as_deref(), short.payload.is_none()), (Some("ü"), true));
        let null: Broadcast<'_> = parse(br#"{"channel":"WyJh","name":null,"payload":null,"x":{}}"#).unwrap();
        assert!(null.name.is_none());
        for bad in [
            "",
            "[]",
            "{}",
            "{\"channel\":1}",
            "{\"channel\":\"a\",\"name\":1}",
            "{\"channel\":\"a\"",
            "\"a\"",
        ] {
            assert!(parse::<Broadcast<'_>>(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(matches!(parse::<Broadcast<'_>>(b"\xff"), Err(InvalidBody::NotUtf8)));
    }

    #[test]
    fn responses_by_example() {
        let response: Response<'_> = parse(br#"{"id":"17","channel":"WyJh","payload":"hi there!"}"#).unwrap();
        assert_eq!((&*response.id, response.payload.unwrap().get()), ("17", "\"hi there!\""));
        let silent: Response<'_> = parse(br#"{"id":"17","channel":{"name":"a"}}"#).unwrap();
        assert!(silent.payload.is_none());
        for bad in [r#"{"id":17,"channel":"a"}"#, r#"{"channel":"a"}"#, r#"{"id":"17"}"#] {
            assert!(parse::<Response<'_>>(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_timeout_is_a_time(text in "[0-9.eE+-]{0,12}", any in any::<String>(), number in any::<f64>()) {
            for text in [text, any, number.to_string()] {
                prop_assert!(timeout(Some(&text), DEFAULT, MAX) <= MAX);
            }
        }

        #[test]
        fn any_body_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "[\\[{}\\]\":,a0\\\\nul]{0,40}") {
            for body in [bytes, text.into_bytes()] {
                let _ = parse::<Broadcast<'_>>(&body);
                let _ = parse::<Response<'_>>(&body);
            }
        }
    }
}
