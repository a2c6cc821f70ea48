//! Answers that go on for as long as the client listens: server-sent events, and a JSON object a line.

use std::time::Duration;

use antiphon_hub::Since;
use antiphon_model::{Compress, Position};
use antiphon_net::{Close, Format, Listening, Outgoing, StreamOptions};
use antiphon_node::Begins;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};

use super::listen::wants_of;
use super::{Answer, Request};
use crate::body::AnswerBody;
use crate::formats;
use crate::headers::{ACCEL_BUFFERING, cache_control};
use crate::wire::listen::Listen;
use crate::wire::{ndjson, sse};

/// How a stream is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Technique {
    /// Server-sent events.
    Sse,
    /// A JSON object a line.
    Ndjson,
}

impl Technique {
    fn content_type(self) -> &'static str {
        match self {
            Technique::Sse => sse::CONTENT_TYPE,
            Technique::Ndjson => ndjson::CONTENT_TYPE,
        }
    }

    fn format(self, listen: &Listen) -> &'static Format {
        match self {
            Technique::Sse if listen.envelope => &formats::SSE_ENVELOPE,
            Technique::Sse => &formats::SSE,
            Technique::Ndjson => &formats::NDJSON,
        }
    }

    fn options(self, heartbeat: Duration) -> StreamOptions {
        match self {
            Technique::Sse => StreamOptions {
                protocol: "sse",
                begins: Begins::Anew,
                heartbeat: Some((heartbeat, Bytes::from_static(sse::HEARTBEAT))),
                farewell: |close| farewell(close, sse::write_close),
            },
            Technique::Ndjson => StreamOptions {
                protocol: "ndjson",
                begins: Begins::Anew,
                heartbeat: Some((heartbeat, Bytes::from_static(ndjson::HEARTBEAT))),
                farewell: |close| farewell(close, ndjson::write_close),
            },
        }
    }

    /// What stands before the first publication.
    fn preamble(self, listening: &Listening, since: Since) -> Vec<u8> {
        let live = listening.channels.iter().map(|on| on.position).min().unwrap_or_default();
        let mut out = Vec::new();
        match self {
            Technique::Sse => sse::write_open(recover_from(live, since), &mut out),
            Technique::Ndjson => ndjson::write_open(live, &mut out),
        }
        for on in &listening.channels {
            let Some(gap) = on.gap else { continue };
            match self {
                Technique::Sse => sse::write_gap(&on.channel, gap.since, gap.resumed, &mut out),
                Technique::Ndjson => ndjson::write_gap(&on.channel, gap.since, gap.resumed, &mut out),
            }
        }
        out
    }
}

/// From where a reader goes on that has read no event yet: before all that it missed.
fn recover_from(live: Position, since: Since) -> Position {
    match since {
        Since::Now => live,
        Since::After(since) => since.min(live),
    }
}

fn farewell(close: &Close, write: fn(&str, &mut Vec<u8>)) -> Bytes {
    let mut out = Vec::new();
    write(&close.reason, &mut out);
    out.into()
}

/// Begins to listen, and answers with what the client missed and all that comes.
///
/// # Errors
/// The caller may not, a limit is reached, or the store does not answer.
pub(crate) async fn open(request: &Request, listen: &Listen, technique: Technique) -> Answer {
    let since = listen.since.map_or(Since::Now, Since::After);
    let heartbeat = Duration::from_secs(request.settings.heartbeat_secs);
    let stream = request.open_stream(technique.options(heartbeat))?;
    let listening = stream.listen(wants_of(listen, since, technique.format(listen))).await?;
    // Nothing is awaited from here to the end, so nothing live comes before what was missed.
    let preamble = technique.preamble(&listening, since);
    stream.send_at_once(Outgoing::Raw(preamble.into()), Compress::AsConfigured);
    stream.send_publications(&listening);
    if listen.join {
        for channel in &listen.channels {
            stream.join(channel, listen.state.clone())?;
        }
    }
    Ok(with_headers(Response::new(AnswerBody::stream(stream.into_body())), technique))
}

/// Puts a stream's headers on an answer.
pub(crate) fn with_headers(mut response: Response<AnswerBody>, technique: Technique) -> Response<AnswerBody> {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(technique.content_type()));
    // Proxies that collect an answer before they pass it on would hold a stream back for ever.
    headers.insert(&ACCEL_BUFFERING, HeaderValue::from_static("no"));
    cache_control(headers, "no-store");
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_recovers_from_before_what_it_missed() {
        assert_eq!(recover_from(Position(9), Since::Now), Position(9));
        assert_eq!(recover_from(Position(9), Since::After(Position(3))), Position(3));
        assert_eq!(recover_from(Position(9), Since::After(Position(99))), Position(9));
    }

    #[test]
    fn the_farewell_says_why() {
        let close = Close { code: 1012, reason: "restarting".into(), reconnect: true };
        assert_eq!(farewell(&close, ndjson::write_close), "{\"type\":\"close\",\"reason\":\"restarting\"}\n");
    }
}
