//! What a client takes: `Accept` (RFC 9110, 12.5.1).

use std::cmp::Reverse;

use antiphon_net::content_encoding::{Weight, weighted};

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

/// The offer of the highest weight; of equals the more specific, then the first.
fn best<T, const N: usize>(weighed: [((Weight, u8), T); N]) -> Option<T> {
    let wanted = weighed.into_iter().filter(|((weight, _), _)| *weight > 0);
    wanted.min_by_key(|((weight, specific), _)| Reverse((*weight, *specific))).map(|(_, offer)| offer)
}

/// The weight of a media type by the most specific range that covers it, and how specific that is.
fn media_weight(accept: &str, kind: &str, subtype: &str) -> (Weight, u8) {
    let mut best = (0, 0);
    for (range, weight) in weighted(accept) {
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

    proptest! {
        #[test]
        fn any_header_is_survived(header in "[a-z*/;=,q0-9. ]{0,60}", any in any::<String>()) {
            for header in [&header, &any] {
                let _ = listening(Some(header));
            }
        }
    }
}
