//! Files that are shared on channels.

mod download;
mod upload;

use antiphon_access::pam::Bits;
use antiphon_model::{Draft, Kind, Timestamp};
use antiphon_store::iso_text;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::HOST;
use http::request::Parts;
use http::{StatusCode, Uri};
use serde::Deserialize;
use serde_json::json;

use super::publish;
use crate::answer::{self, Answer};
use crate::files::{COLLECTION, FileId, Opened, Record, Ticket, Use, key, key_prefix};
use crate::pubnub::Shared;
use crate::request::Request;
use crate::wire::error::Refusal;

pub(super) use download::{redirect, serve};
pub(super) use upload::upload;

/// How many bytes the name of a file has at most.
const NAME_BYTES_MAX: usize = 1024;

/// How many files are in a list, and the most that can be asked for.
const LIST_MAX: u64 = 100;

/// What is wrong with a request, as this service counts.
const INVALID: u32 = 3001;

/// That there are no files for this keyset.
const NOT_ENABLED: u32 = 3005;

#[derive(Deserialize)]
struct NewFile {
    name: String,
}

/// `POST /v1/files/{sub}/channels/{channel}/generate-upload-url`
pub(super) async fn generate(request: Request) -> Answer {
    let channel = request.path.of("channel");
    request.may_on([channel], Bits::WRITE)?;
    let files = opened(&request.shared)?;
    request.channel("channel").map_err(|refusal| invalid(refusal.message().to_owned()))?;
    let NewFile { name } = serde_json::from_slice(&request.body)
        .map_err(|_| invalid("The request body has to be JSON with a name."))?;
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(invalid(format!("The name has to have 1 to {NAME_BYTES_MAX} bytes.")));
    }
    let now = request.worker.now().wall;
    let id = FileId::new(now).ok_or_else(unavailable)?;
    let url = url(&request, files, Use::Upload, id, &name)?;
    answer::json(&json!({
        "status": 200,
        "data": { "id": id.to_string(), "name": name },
        "file_upload_request": {
            "url": url,
            "method": "POST",
            "expiration_date": iso_text(now.later_by(request.settings().file_urls_valid)),
            "form_fields": [{ "key": "Content-Type", "value": "application/octet-stream" }],
        },
    }))
}

/// `GET /v1/files/publish-file/{pub}/{sub}/0/{channel}/0/{json}`
pub(super) async fn publish(request: Request) -> Answer {
    let channel = publish::target(&request)?;
    let json = request.path.of("json").to_owned();
    let max = request.settings().message_bytes_max;
    let payload = publish::payload(json.into(), max, "Message Too Large")?;
    let mut draft = Draft { kind: Kind::File, ..Draft::new(channel, payload) };
    publish::options(&request, &mut draft)?;
    publish::sent(publish::publish(&request, draft).await?)
}

/// `GET /v1/files/{sub}/channels/{channel}/files?limit&next`
pub(super) async fn list(request: Request) -> Answer {
    let channel = request.path.of("channel");
    request.may_on([channel], Bits::READ)?;
    opened(&request.shared)?;
    let limit = match request.query.filled("limit") {
        None => LIST_MAX,
        Some(_) => request.query.number("limit").unwrap_or(0),
    };
    if !(1..=LIST_MAX).contains(&limit) {
        return Err(invalid(format!("The limit has to be 1 to {LIST_MAX}.")));
    }
    let after = request.query.filled("next").map(cursor).transpose()?.map(|id| key(channel, id));
    let store = request.node().store();
    let (org, prefix) = (&request.keyset.org, key_prefix(channel));
    let page = store.items(org, COLLECTION, after.as_deref(), &prefix, limit as usize).await?;
    let files = page
        .items
        .iter()
        .filter_map(|item| Some((item.key.rsplit_once('\n')?.1, Record::parse(&item.value)?)));
    let data: Vec<_> = files
        .map(|(id, record)| {
            json!({ "name": record.name, "id": id, "size": record.size, "created": iso_text(record.created) })
        })
        .collect();
    let last = page.items.last().filter(|_| page.more).and_then(|item| item.key.rsplit_once('\n'));
    let next = last.map(|(_, id)| URL_SAFE_NO_PAD.encode(id));
    answer::json(&json!({ "status": 200, "count": data.len(), "data": data, "next": next }))
}

fn cursor(text: &str) -> Result<FileId, Refusal> {
    let id = URL_SAFE_NO_PAD.decode(text).ok().and_then(|id| String::from_utf8(id).ok()?.parse().ok());
    id.ok_or_else(|| invalid("The next page is not one that a list has named."))
}

/// `DELETE /v1/files/{sub}/channels/{channel}/files/{id}/{name}`
pub(super) async fn remove(request: Request) -> Answer {
    let channel = request.path.of("channel");
    request.may_on([channel], Bits::DELETE)?;
    let files = opened(&request.shared)?;
    let (id, record) = find(&request).await?;
    let disk = files.disk.clone();
    let then = move |removed: &bool| {
        // Whoever removes it at the same time has done so.
        if *removed && let Err(error) = disk.remove(id, record.expires) {
            tracing::warn!(%error, "a file that was deleted stays on the disk until the next start");
        }
    };
    let (store, org) = (request.node().store(), &request.keyset.org);
    let removed =
        super::events::change(|done| store.remove_item(org, COLLECTION, &key(channel, id), done), then)
            .await?;
    if removed { answer::json(&json!({ "status": 200 })) } else { Err(not_found()) }
}

/// The file that a path names by `{channel}`, `{id}` and `{name}`.
async fn find(request: &Request) -> Result<(FileId, Record), Refusal> {
    let id: FileId = request.path.of("id").parse().map_err(|_| not_found())?;
    let record = record(request, request.path.of("channel"), id).await?;
    let raw = request.head.uri.path().rsplit_once('/').map_or("", |(_, name)| name);
    if !is_named(&record.name, request.path.of("name"), raw) {
        return Err(not_found());
    }
    Ok((id, record))
}

/// Whether a path is of a file of this name. SDKs put the name in the path as it is: what looks encoded may be the name itself, and what
/// comes after `?` or `#` is in no path.
fn is_named(name: &str, decoded: &str, raw: &str) -> bool {
    let cut = name.split(['?', '#']).next().unwrap_or_default();
    [name, cut].into_iter().any(|name| name == decoded || name == raw)
}

async fn record(request: &Request, channel: &str, id: FileId) -> Result<Record, Refusal> {
    let item = request.node().store().item(&request.keyset.org, COLLECTION, &key(channel, id)).await?;
    item.and_then(|value| Record::parse(&value)).ok_or_else(not_found)
}

/// A URL for one file and for a while.
fn url(request: &Request, files: &Opened, r#use: Use, id: FileId, name: &str) -> Result<String, Refusal> {
    let until = request.worker.now().wall.later_by(request.settings().file_urls_valid);
    let sub = &*request.keyset.subscribe_key;
    let (channel, id) = (request.path.of("channel").to_owned(), id.to_string());
    let ticket = Ticket { r#use, sub: sub.into(), channel, id, name: name.into(), until: seconds_up(until) };
    let origin = match &request.settings().public_origin {
        Some(origin) => origin.trim_end_matches('/').to_owned(),
        None => origin(&request.head).ok_or_else(|| invalid("The request has no Host that can be one."))?,
    };
    let r#use = match r#use {
        Use::Upload => "upload",
        Use::Download => "download",
    };
    Ok(format!("{origin}/v1/files/{sub}/{use}/{}", files.tickets.write(&ticket)))
}

fn seconds_up(time: Timestamp) -> u64 {
    time.0.div_ceil(Timestamp::PER_SECOND)
}

/// Where the client believes this server to be. A proxy before it says whether the client came by TLS; whoever says so untruly has a URL
/// of no use.
fn origin(head: &Parts) -> Option<String> {
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or(head.uri.authority().map(|authority| authority.as_str()))?;
    let by_tls = head.headers.get("x-forwarded-proto").is_some_and(|proto| proto.as_bytes() == b"https");
    let origin = format!("{}://{host}", if by_tls { "https" } else { "http" });
    let uri: Uri = origin.parse().ok()?;
    (uri.authority()?.as_str() == host && !host.contains('@')).then_some(origin)
}

fn opened(shared: &Shared) -> Result<&Opened, Refusal> {
    shared.files.opened().ok_or_else(|| {
        let message = "File Upload Feature Not Enabled: this server has no directory for files.";
        Refusal::new(StatusCode::PAYMENT_REQUIRED, message).with_code(NOT_ENABLED)
    })
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::bad(message).with_code(INVALID)
}

fn not_found() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "The specified file does not exist.")
}

fn unavailable() -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "The file cannot be read or written.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_paths_are_as_sdks_write_them() {
        for (name, path) in
            [("a b", "a%20b"), ("a%20b", "a%20b"), ("100%", "100%"), ("a?b#c", "a"), ("ü", "%C3%BC")]
        {
            let decoded = percent_encoding::percent_decode_str(path).decode_utf8().unwrap();
            assert!(is_named(name, &decoded, path), "{name}");
        }
        assert!(!is_named("a", "b", "b"));
    }

    #[test]
    fn a_host_is_one() {
        let origin = |host: &str, proto: Option<&'static str>| {
            let mut request = http::Request::get("/").header(HOST, host);
            if let Some(proto) = proto {
                request = request.header("x-forwarded-proto", proto);
            }
            origin(&request.body(()).unwrap().into_parts().0)
        };
        assert_eq!(origin("a.example:81", None).as_deref(), Some("http://a.example:81"));
        assert_eq!(origin("[::1]:81", Some("https")).as_deref(), Some("https://[::1]:81"));
        for host in ["a/b", "a@b", "a b", "", "a?b", "a#b"] {
            assert_eq!(origin(host, None), None, "{host}");
        }
    }
}
