//! What the fuzz targets call, and what the corpus is replayed with. Not for other use.

use antiphon_access::pam::Level;
use antiphon_model::Timestamp;
use antiphon_store::{End, Listed};

use crate::files::{FileId, Tickets, Use};
use crate::router::{Match, matches};
use crate::routes::ROUTES;
use crate::routes::subscribe::filter;
use crate::wire::actions::{ActionsAsked, NewAction};
use crate::wire::history::{Span, count_from, limit};
use crate::wire::inflate::inflate;
use crate::wire::objects::{Include, Related, etag, list, patch};
use crate::wire::push::Device;
use crate::wire::query::Query;
use crate::wire::{files, grants, names, presence};

/// The queries of history, of actions and of lists of objects; a body of an action, an object or memberships comes after the first line.
pub fn objects(data: &[u8]) {
    const MAX: usize = 10;
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (text, body) = data.split_at(end);
    let text = String::from_utf8_lossy(text);
    let query = Query::parse(&text);
    for from in [End::Oldest, End::Newest] {
        _ = Span::parse(&query, from);
    }
    _ = Span::to_delete(&query);
    assert!(
        limit(&query, "max", MAX).is_ok_and(|limit| (1..=MAX).contains(&limit)) || query.one("max").is_some()
    );
    if let Ok(counts) = count_from(&query, &["a", "b"]) {
        assert_eq!(counts.len(), 2);
    }
    _ = ActionsAsked::parse(&query);
    for listed in [Listed::Objects, Listed::ChannelsOfUser, Listed::UsersOfChannel] {
        if let Ok(list) = list::parse(&query, listed) {
            assert!(list.limit <= list::OBJECTS_MAX);
        }
    }
    _ = etag::IfMatch::parse(&text);
    _ = NewAction::parse(body, MAX);
    _ = patch::object(body);
    for related in [Related::Channel, Related::User] {
        _ = Include::parse(&query, Some(related));
        if let Ok(relations) = patch::relations(body, related, MAX) {
            assert!(relations.set.len() + relations.delete.len() <= MAX);
        }
    }
}

/// The first line of a request's target, and what comes behind it as a body that is compressed, as a filter and as an event.
pub fn request(data: &[u8]) {
    const MAX: usize = 1000;
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (target, body) = data.split_at(end);
    let target = String::from_utf8_lossy(target);
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut names = Vec::new();
    for route in ROUTES {
        if let Match::Yes(captures) = matches(route.pattern, path) {
            names.push(captures.of("channels").to_owned());
        }
    }
    let query = Query::parse(query);
    names.extend(query.one("channel-group").map(str::to_owned));
    for name in names.iter().flat_map(|names| names::unique(names)) {
        assert!(!name.is_empty() && !name.contains(','));
        assert!(names::wildcard_prefix(name).is_none_or(|prefix| name == format!("{prefix}.*")));
        _ = names::channel(name);
    }
    assert!(inflate(body, MAX).map_or(true, |body| body.len() <= MAX));
    let body = String::from_utf8_lossy(body);
    _ = filter::parse(query.one("filter-expr").unwrap_or(&body));
    if let Some(event) = presence::event("join", &body, "room") {
        assert!(serde_json::from_str::<serde_json::Value>(&event.payload).is_ok());
        assert!(serde_json::from_str::<serde_json::Value>(&event.meta).is_ok());
    }
}

/// A query of a push registration or a grant, which is also taken for the headers of a download and the ticket of an upload; behind the first
/// line the body of a grant.
pub fn files(data: &[u8]) {
    const SIZE: u64 = 1000;
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (text, body) = data.split_at(end);
    let text = String::from_utf8_lossy(text);
    let query = Query::parse(&text);
    let token = query.one("device").unwrap_or(&text);
    for device in [Device::of_type(token, &query), Device::of_apns2(token, &query)].into_iter().flatten() {
        assert_eq!(device.prefix().matches('\n').count(), 4);
    }
    if let Ok(grant) = grants::auth_keys(&query) {
        assert!(grants::granted(&grant, Level::Subkey, "sub", 1).is_object());
    }
    _ = grants::token(body);
    if let files::Asked::Part(part) = files::range(&text, SIZE) {
        assert!(part.start < part.end && part.end <= SIZE);
    }
    _ = files::names_tag(&text, "\"tag\"");
    assert!(http::HeaderValue::from_str(&files::disposition(&text)).is_ok());
    assert!(!files::served_type(Some(&text)).contains("html"));
    if let Ok(id) = text.parse::<FileId>() {
        assert_eq!(id.to_string(), text);
    }
    let ticket = Tickets::of_key(&[7; 32]).read(&text, Use::Upload, "sub", Timestamp(0));
    assert!(ticket.is_err(), "nobody else has the key");
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// What once was found, or seeded, stays harmless.
    fn replay(corpus: &str, target: fn(&[u8])) -> usize {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz/corpus").join(corpus);
        let Ok(entries) = std::fs::read_dir(&directory) else { return 0 };
        entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| target(&std::fs::read(path).unwrap()))
            .count()
    }

    #[test]
    fn the_corpora_are_survived() {
        assert!(replay("pubnub_files", super::files) > 0);
        assert!(replay("pubnub_objects", super::objects) > 0);
        assert!(replay("pubnub_request", super::request) > 0);
    }
}
