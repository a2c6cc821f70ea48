//! One answer to a poll: messages, the cursor to go on from, and the tag that says whether it is a new one.

use std::hash::{DefaultHasher, Hash, Hasher};

use antiphon_access::Caller;
use antiphon_model::Position;
use http::header::ETAG;
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::json;
use crate::body::AnswerBody;
use crate::headers::{cache_control, none_match_has};
use crate::wire::listen::Listen;
use crate::wire::message::write_digits;
use crate::wire::ndjson;

/// The messages of a poll's answer, as lines of NDJSON.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) lines: Vec<u8>,
    pub(crate) count: usize,
    pub(crate) position: Position,
    pub(crate) gap: bool,
}

impl Page {
    /// Takes lines that were streamed, at most `limit` of them. If there are more, the cursor stands after the last taken.
    pub(crate) fn from_lines(mut lines: Vec<u8>, limit: usize, position: Position, gap: bool) -> Page {
        let ends = memchr::memchr_iter(b'\n', &lines).map(|end| end + 1);
        let (mut count, mut end) = (0, 0);
        for (index, line_end) in ends.take(limit).enumerate() {
            (count, end) = (index + 1, line_end);
        }
        lines.truncate(end);
        let begin =
            lines[..end.saturating_sub(1)].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let position = ndjson::position_of(&lines[begin..]).unwrap_or(position);
        Page { lines, count, position, gap }
    }

    fn json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.lines.len() + 80);
        out.extend_from_slice(b"{\"messages\":[");
        let end = self.lines.len().saturating_sub(1);
        out.extend(self.lines[..end].iter().map(|byte| if *byte == b'\n' { b',' } else { *byte }));
        out.extend_from_slice(b"],\"position\":\"");
        write_digits(self.position.0, &mut out);
        out.extend_from_slice(if self.gap { b"\",\"gap\":true}" } else { b"\",\"gap\":false}" });
        out
    }

    /// A tag of the messages, not of the cursor: that moves with every publication of the org, which is nothing new to
    /// whoever polls these channels. So the tag is a weak one.
    fn tag(&self, caller: &Caller, listen: &Listen) -> String {
        let mut hasher = DefaultHasher::new();
        (caller.org.as_str(), &listen.channels, &listen.events, listen.presence, listen.limit)
            .hash(&mut hasher);
        let parameters = hasher.finish();
        let mut lines = self.lines.split(|byte| *byte == b'\n');
        let first = lines.next().and_then(ndjson::position_of).unwrap_or_default();
        let last = if self.count > 0 { self.position_of_last() } else { Position::ZERO };
        let gap = if self.gap { "-gap" } else { "" };
        format!("W/\"{parameters:016x}-{first}-{last}-{}{gap}\"", self.count)
    }

    fn position_of_last(&self) -> Position {
        let mut lines = self.lines.rsplit(|byte| *byte == b'\n');
        // After the last line's end there is an empty rest.
        lines.nth(1).and_then(ndjson::position_of).unwrap_or_default()
    }

    /// The answer: 304 if the client says that it has this.
    pub(crate) fn answer(&self, caller: &Caller, listen: &Listen, asked: &HeaderMap) -> Response<AnswerBody> {
        let tag = self.tag(caller, listen);
        let mut response = if none_match_has(asked, &tag) {
            let mut response = Response::new(AnswerBody::from(bytes::Bytes::new()));
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            json(StatusCode::OK, self.json())
        };
        let headers = response.headers_mut();
        headers.insert(ETAG, HeaderValue::try_from(tag).expect("digits and quotes are visible ASCII"));
        cache_control(headers, "private, no-cache");
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::publication;
    use crate::wire::listen::Channels;
    use crate::wire::query::Query;
    use antiphon_access::LimitSettings;
    use antiphon_model::{OrgId, Payload};
    use std::sync::Arc;

    fn lines(positions: &[u64]) -> Vec<u8> {
        let mut lines = Vec::new();
        for position in positions {
            let payload = Payload::Text(format!("\"n\n{position}").into());
            ndjson::write_message(&publication(*position, "room", payload), &mut lines);
        }
        lines
    }

    fn page(positions: &[u64]) -> Page {
        Page::from_lines(lines(positions), 100, Position(9), false)
    }

    fn listen(query: &str) -> Listen {
        let limits = LimitSettings::default();
        Listen::parse(&Query::parse(query), Channels::One("room"), None, &limits, 1000).unwrap()
    }

    fn caller() -> Caller {
        Caller::server(OrgId::new("acme"), Arc::default())
    }

    #[test]
    fn streamed_lines_become_a_page() {
        for (positions, limit, count, position) in [
            (&[][..], 3, 0, 100),
            (&[5], 3, 1, 5),
            (&[5, 6, 7], 3, 3, 7),
            (&[5, 6, 7], 2, 2, 6),
            (&[5, 6, 7], 1, 1, 5),
        ] {
            let page = Page::from_lines(lines(positions), limit, Position(100), false);
            assert_eq!((page.count, page.position), (count, Position(position)), "{positions:?} {limit}");
            let json: serde_json::Value = serde_json::from_slice(&page.json()).unwrap();
            assert_eq!(json["messages"].as_array().unwrap().len(), count);
            assert_eq!((&json["position"], &json["gap"]), (&position.to_string().into(), &false.into()));
        }
    }

    #[test]
    fn the_tag_changes_with_the_messages_and_the_question() {
        let tag = |page: &Page, query: &str| page.tag(&caller(), &listen(query));
        let empty = page(&[]);
        let moved = Page::from_lines(Vec::new(), 100, Position(10), false);
        assert_eq!(tag(&empty, ""), tag(&moved, ""));
        assert_eq!(tag(&empty, "since=1"), tag(&empty, "since=2"));
        let gap = Page { gap: true, ..page(&[]) };
        let different = [
            tag(&empty, ""),
            tag(&gap, ""),
            tag(&empty, "event=a"),
            tag(&empty, "limit=7"),
            tag(&empty, "system=true"),
            tag(&page(&[5]), ""),
            tag(&page(&[6]), ""),
            tag(&page(&[5, 6]), ""),
            tag(&page(&[5, 7, 6]), ""),
        ];
        let distinct: std::collections::HashSet<&String> = different.iter().collect();
        assert_eq!(distinct.len(), different.len(), "{different:?}");
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let page = page(&[5, 6]);
        let first = page.answer(&caller(), &listen(""), &HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        let mut asked = HeaderMap::new();
        asked.insert("if-none-match", first.headers()[ETAG].clone());
        let again = page.answer(&caller(), &listen(""), &asked);
        assert_eq!(
            (again.status(), &again.headers()[ETAG]),
            (StatusCode::NOT_MODIFIED, &first.headers()[ETAG])
        );
    }
}
