//! Answers with history.

use std::collections::BTreeMap;

use antiphon_model::{Kind, Position, Publication};
use antiphon_store::Action;

use crate::wire::{json, meta};

/// How timetokens stand beside the messages of v2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// Not at all.
    None,
    /// As numbers.
    Number,
    /// As strings.
    Text,
}

/// What else stands beside a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    No,
    Yes,
}

impl From<bool> for Shown {
    fn from(shown: bool) -> Shown {
        if shown { Shown::Yes } else { Shown::No }
    }
}

/// What v3 shows of each message beside itself and its timetoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Include {
    pub(crate) meta: Shown,
    pub(crate) uuid: Shown,
    pub(crate) message_type: Shown,
}

/// The actions on messages, by where these stand.
pub(crate) type ActionsOf = BTreeMap<Position, Vec<Action>>;

/// Writes `[[…],start,end]`, oldest first.
pub(crate) fn v2<'p>(
    publications: impl IntoIterator<Item = &'p Publication>,
    token: Token,
    with_meta: Shown,
) -> Vec<u8> {
    let mut out = b"[[".to_vec();
    let (mut first, mut last) = (None, Position::ZERO);
    for publication in publications {
        if first.is_some() {
            out.push(b',');
        }
        first = first.or(Some(publication.position));
        last = publication.position;
        if token == Token::None && with_meta == Shown::No {
            json::payload(&publication.payload, &mut out);
            continue;
        }
        out.extend_from_slice(b"{\"message\":");
        json::payload(&publication.payload, &mut out);
        if token != Token::None {
            out.extend_from_slice(b",\"timetoken\":");
        }
        match token {
            Token::None => {}
            Token::Number => json::number(publication.position.0, &mut out),
            Token::Text => json::timetoken(publication.position, &mut out),
        }
        if with_meta == Shown::Yes {
            write_meta(publication, &mut out);
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"],");
    json::number(first.unwrap_or_default().0, &mut out);
    out.push(b',');
    json::number(last.0, &mut out);
    out.push(b']');
    out
}

/// Writes the messages of channels as v3 does, piece by piece.
pub(crate) struct V3 {
    out: Vec<u8>,
    include: Include,
    channels: usize,
}

impl V3 {
    pub(crate) fn new(include: Include) -> V3 {
        V3 { out: opening(), include, channels: 0 }
    }

    /// Writes the messages of one more channel, oldest first; with the actions on them, where these are asked for.
    pub(crate) fn channel<'p>(
        &mut self,
        name: &str,
        publications: impl IntoIterator<Item = &'p Publication>,
        actions: Option<&ActionsOf>,
    ) {
        if self.channels > 0 {
            self.out.push(b',');
        }
        self.channels += 1;
        json::string(name, &mut self.out);
        self.out.extend_from_slice(b":[");
        for (index, publication) in publications.into_iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.message(publication);
            if let Some(actions) = actions.and_then(|actions| actions.get(&publication.position)) {
                self.actions(actions);
            }
            self.out.push(b'}');
        }
        self.out.push(b']');
    }

    /// About how many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    /// The answer, with where it goes on, if it does.
    pub(crate) fn finish(self, more: Option<&More>) -> Vec<u8> {
        let mut out = self.out;
        out.push(b'}');
        if let Some(more) = more {
            out.extend_from_slice(b",\"more\":{\"url\":");
            json::string(&more.url(), &mut out);
            out.extend_from_slice(b",\"start\":");
            json::timetoken(more.start, &mut out);
            out.extend_from_slice(b",\"max\":");
            json::number(more.max as u64, &mut out);
            out.push(b'}');
        }
        out.push(b'}');
        out
    }

    fn message(&mut self, publication: &Publication) {
        let out = &mut self.out;
        out.extend_from_slice(b"{\"message\":");
        json::payload(&publication.payload, out);
        out.extend_from_slice(b",\"timetoken\":");
        json::timetoken(publication.position, out);
        if self.include.meta == Shown::Yes {
            write_meta(publication, out);
        }
        if self.include.uuid == Shown::Yes {
            out.extend_from_slice(b",\"uuid\":");
            json::string(publication.publisher.as_ref().map_or("", |publisher| &publisher.id), out);
        }
        if self.include.message_type == Shown::Yes {
            out.extend_from_slice(b",\"message_type\":");
            json::number(message_type(publication.kind), out);
        }
    }

    fn actions(&mut self, actions: &[Action]) {
        let mut by_type: BTreeMap<&str, BTreeMap<&str, Vec<&Action>>> = BTreeMap::new();
        for action in actions {
            by_type.entry(&action.kind).or_default().entry(&action.value).or_default().push(action);
        }
        let out = &mut self.out;
        out.extend_from_slice(b",\"actions\":{");
        separated(out, by_type, |out, (kind, values)| {
            json::string(kind, out);
            out.extend_from_slice(b":{");
            separated(out, values, |out, (value, actions)| {
                json::string(value, out);
                out.extend_from_slice(b":[");
                separated(out, actions, |out, action| {
                    out.extend_from_slice(b"{\"uuid\":");
                    json::string(&action.publisher, out);
                    out.extend_from_slice(b",\"actionTimetoken\":");
                    json::timetoken(action.position, out);
                    out.push(b'}');
                });
                out.push(b']');
            });
            out.push(b'}');
        });
        out.push(b'}');
    }
}

/// Where history with actions goes on, of which there were too many for one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct More {
    /// The path of the request.
    pub(crate) path: String,
    /// The oldest message that was shown.
    pub(crate) start: Position,
    /// As asked for.
    pub(crate) end: Option<Position>,
    /// How many messages were asked for.
    pub(crate) max: usize,
}

impl More {
    fn url(&self) -> String {
        let end = self.end.map(|end| format!("&end={end}")).unwrap_or_default();
        format!("{}?start={}{end}&max={}", self.path, self.start, self.max)
    }
}

/// Writes how many messages channels have.
pub(crate) fn counts<'c>(counts: impl IntoIterator<Item = (&'c str, u64)>) -> Vec<u8> {
    let mut out = opening();
    separated(&mut out, counts, |out, (channel, count)| {
        json::string(channel, out);
        out.push(b':');
        json::number(count, out);
    });
    out.extend_from_slice(b"}}");
    out
}

/// What a deletion is answered with.
pub(crate) const DELETED: &[u8] = br#"{"status":200,"error":false,"error_message":""}"#;

fn opening() -> Vec<u8> {
    br#"{"status":200,"error":false,"error_message":"","channels":{"#.to_vec()
}

/// As subscribers see it.
fn message_type(kind: Kind) -> u64 {
    if kind == Kind::File { 4 } else { 0 }
}

fn write_meta(publication: &Publication, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"meta\":");
    match meta::of(publication) {
        Some(meta) => out.extend_from_slice(meta.as_bytes()),
        None => out.extend_from_slice(b"\"\""),
    }
}

fn separated<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
}

#[cfg(test)]
mod tests;
