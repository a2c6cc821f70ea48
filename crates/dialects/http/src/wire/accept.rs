//! What a client takes: `Accept` and `Accept-Encoding` (RFC 9110, 12.5).

use std::cmp::Reverse;

/// How a listener wants its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listening {
    /// JSON: a poll or a long poll.
    Poll,
    /// Server-sent events.
    Sse,
    /// A JSON object a line.
    Ndjson,
}

/// A compression of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// zstd (RFC 8878).
    Zstd,
    /// br (RFC 7932).
    Brotli,
    /// gzip (RFC 1952).
    Gzip,
}

impl Encoding {
    /// The word for it in headers.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Encoding::Zstd => "zstd",
            Encoding::Brotli => "br",
            Encoding::Gzip => "gzip",
        }
    }
}

/// Elements of a header looked at; what comes after is as if it were not there.
const ELEMENTS_MAX: usize = 64;

/// A weight in thousandths.
type Weight = u16;

/// What `Accept` asks for; JSON if it says nothing. None: nothing that there is.
pub(crate) fn listening(accept: Option<&str>) -> Option<Listening> {
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else {
        return Some(Listening::Poll);
    };
    let offers = [
        (Listening::Poll, "application", "json"),
        (Listening::Sse, "text", "event-stream"),
        (Listening::Ndjson, "application", "x-ndjson"),
    ];
    let weigh = |(offer, kind, subtype)| (media_weight(accept, kind, subtype), offer);
    best(offers.map(weigh))
}

/// The compression that `Accept-Encoding` asks for, if any.
pub(crate) fn encoding(accept_encoding: Option<&str>) -> Option<Encoding> {
    let accepted = accept_encoding?;
    let weight = |name: &str| {
        let of = |wanted: &str| {
            elements(accepted)
                .find(|(element, _)| element.eq_ignore_ascii_case(wanted))
                .map(|(_, weight)| weight)
        };
        of(name).or_else(|| if name == "gzip" { of("x-gzip") } else { None }).or_else(|| of("*")).unwrap_or(0)
    };
    let offers = [Encoding::Zstd, Encoding::Brotli, Encoding::Gzip];
    best(offers.map(|offer| ((weight(offer.as_str()), 0), offer)))
}

/// The offer of the highest weight; of equals the more specific, then the first.
fn best<T, const N: usize>(weighed: [((Weight, u8), T); N]) -> Option<T> {
    let wanted = weighed.into_iter().filter(|((weight, _), _)| *weight > 0);
    wanted.min_by_key(|((weight, specific), _)| Reverse((*weight, *specific))).map(|(_, offer)| offer)
}

/// The weight of a media type by the most specific range that covers it, and how specific that is.
fn media_weight(accept: &str, kind: &str, subtype: &str) -> (Weight, u8) {
    let mut best = (0, 0);
    for (range, weight) in elements(accept) {
        let Some((range_kind, range_subtype)) = range.split_once('/') else { continue };
        let is = |part: &str, whole: &str| part.eq_ignore_ascii_case(whole);
        let specific = match (range_kind, range_subtype) {
            ("*", "*") => 1,
            (range_kind, "*") if is(range_kind, kind) => 2,
            _ if is(range_kind, kind) && is(range_subtype, subtype) => 3,
            _ => continue,
        };
        if specific > best.1 {
            best = (weight, specific);
        }
    }
    best
}

/// The elements of a list header with their weights, without other parameters.
fn elements(header: &str) -> impl Iterator<Item = (&str, Weight)> {
    header.split(',').take(ELEMENTS_MAX).map(|element| {
        let mut parts = element.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts
            .filter_map(|part| part.split_once('='))
            .find(|(key, _)| key.trim_end().eq_ignore_ascii_case("q"))
            .map_or(1000, |(_, value)| weight(value.trim_start()));
        (name, weight)
    })
}

/// A q-value in thousandths; what is not one counts as zero, so that it is not taken for a wish.
fn weight(value: &str) -> Weight {
    match value.parse::<f32>() {
        Ok(value) if (0.0..=1.0).contains(&value) => (value * 1000.0).round() as Weight,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn accept_by_table() {
        use Listening::{Ndjson, Poll, Sse};
        for (accept, expected) in [
            (None, Some(Poll)),
            (Some(""), Some(Poll)),
            (Some("*/*"), Some(Poll)),
            (Some("application/json"), Some(Poll)),
            (Some("application/*"), Some(Poll)),
            (Some("text/event-stream"), Some(Sse)),
            (Some("Text/Event-Stream; charset=utf-8"), Some(Sse)),
            (Some("text/*"), Some(Sse)),
            (Some("application/x-ndjson"), Some(Ndjson)),
            (Some("text/html, application/x-ndjson;q=0.9, */*;q=0.8"), Some(Ndjson)),
            (Some("text/html,application/xml;q=0.9,*/*;q=0.8"), Some(Poll)),
            (Some("text/event-stream;q=0.5, application/json;q=0.4"), Some(Sse)),
            (Some("text/event-stream, */*"), Some(Sse)),
            (Some("application/json;q=0, */*"), Some(Sse)),
            (Some("text/html"), None),
            (Some("application/json;q=0"), None),
            (Some("*/*;q=0"), None),
            (Some("application/json;q=junk"), None),
            (Some("json"), None),
        ] {
            assert_eq!(listening(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn accept_encoding_by_table() {
        use Encoding::{Brotli, Gzip, Zstd};
        for (accept, expected) in [
            (None, None),
            (Some(""), None),
            (Some("identity"), None),
            (Some("gzip"), Some(Gzip)),
            (Some("x-gzip"), Some(Gzip)),
            (Some("gzip, deflate, br, zstd"), Some(Zstd)),
            (Some("gzip, deflate, br"), Some(Brotli)),
            (Some("GZIP;q=1.0, br;q=0.5"), Some(Gzip)),
            (Some("gzip;q=0"), None),
            (Some("*"), Some(Zstd)),
            (Some("*;q=0.5, zstd;q=0, gzip;q=0.6"), Some(Gzip)),
            (Some("deflate"), None),
            (Some("br;q=2"), None),
        ] {
            assert_eq!(encoding(accept), expected, "{accept:?}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_survived(header in "[a-z*/;=,q0-9. ]{0,60}", any in any::<String>()) {
            for header in [&header, &any] {
                let _ = (listening(Some(header)), encoding(Some(header)));
            }
        }
    }
}
