//! The routes: for each family of them a module, and here which path is whose.

mod actions;
mod asked;
mod events;
mod files;
mod grants;
mod groups;
mod heartbeat;
mod history;
mod objects;
mod presence;
mod publish;
mod push;
mod state;
pub(crate) mod subscribe;
mod time;

use antiphon_net::Worker;
use antiphon_net::request::Rest;
use futures_util::future::LocalBoxFuture;
use http::Method;

use crate::answer::Answer;
use crate::request::{Request, Unread};
use crate::wire::error::Family;

/// What answers at a path.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// See [`crate::router::matches`]. `{sub}` is the subscribe key.
    pub(crate) pattern: &'static str,
    pub(crate) handler: Handler,
    /// How it says that something is wrong.
    pub(crate) family: Family,
}

/// How much of a request a route wants to be done before it is asked.
#[derive(Clone, Copy)]
pub(crate) enum Handler {
    /// Nothing: it answers everybody the same.
    Open(fn(&Worker) -> Answer),
    /// The body read, the signature checked, and who asks found out.
    Read(fn(Request) -> LocalBoxFuture<'static, Answer>),
    /// Its keyset found, and no more: it reads the body itself, and says what is left of it.
    Unread(fn(Unread) -> LocalBoxFuture<'static, (Answer, Rest)>),
}

/// A line of the table: method, pattern, `async fn(Request) -> Answer`, family.
macro_rules! route {
    ($method:ident, $pattern:literal, $handler:path, $family:ident) => {
        Route {
            method: Method::$method,
            pattern: $pattern,
            handler: Handler::Read(|request| Box::pin($handler(request))),
            family: Family::$family,
        }
    };
}

/// The same for an `async fn(Unread) -> (Answer, Rest)`.
macro_rules! unread {
    ($method:ident, $pattern:literal, $handler:path, $family:ident) => {
        Route {
            method: Method::$method,
            pattern: $pattern,
            handler: Handler::Unread(|request| Box::pin($handler(request))),
            family: Family::$family,
        }
    };
}

/// The same for a `fn(&Worker) -> Answer`.
macro_rules! open {
    ($method:ident, $pattern:literal, $handler:path, $family:ident) => {
        Route {
            method: Method::$method,
            pattern: $pattern,
            handler: Handler::Open($handler),
            family: Family::$family,
        }
    };
}

/// Every route. Of several patterns that fit a path the first counts.
#[rustfmt::skip]
pub(crate) static ROUTES: &[Route] = &[
    route!(GET, "/v2/subscribe/{sub}/{channels}/0", subscribe::subscribe, Subscribe),
    route!(GET, "/publish/{pub}/{sub}/0/{channel}/0/{*json}", publish::by_get, Publish),
    route!(POST, "/publish/{pub}/{sub}/0/{channel}/0", publish::by_post, Publish),
    route!(GET, "/signal/{pub}/{sub}/0/{channel}/0/{*json}", publish::signal, Publish),
    route!(POST, "/signal/{pub}/{sub}/0/{channel}/0", publish::signal_by_post, Publish),
    open!(GET, "/time/0", time::time, Access),
    open!(HEAD, "/time/0", time::time, Access),

    route!(GET, "/v2/presence/sub-key/{sub}", presence::everywhere, Presence),
    route!(GET, "/v2/presence/sub-key/{sub}/uuid/{uuid}", presence::where_now, Presence),
    route!(GET, "/v2/presence/sub-key/{sub}/channel/{channels}", presence::here_now, Presence),
    route!(GET, "/v2/presence/sub-key/{sub}/channel/{channels}/leave", heartbeat::leave, Presence),
    route!(GET, "/v2/presence/sub-key/{sub}/channel/{channels}/heartbeat", heartbeat::heartbeat, Presence),
    route!(GET, "/v2/presence/sub-key/{sub}/channel/{channels}/uuid/{uuid}", state::of, Presence),
    route!(GET, "/v2/presence/sub-key/{sub}/channel/{channels}/uuid/{uuid}/data", state::set, Presence),

    route!(GET, "/v1/channel-registration/sub-key/{sub}/channel-group", groups::list, Groups),
    route!(GET, "/v1/channel-registration/sub-key/{sub}/channel-group/{group}", groups::group, Groups),
    route!(GET, "/v1/channel-registration/sub-key/{sub}/channel-group/{group}/remove", groups::remove, Groups),

    route!(GET, "/v2/history/sub-key/{sub}/channel/{channel}", history::v2, HistoryV2),
    route!(GET, "/v3/history/sub-key/{sub}/channel/{channels}", history::v3, History),
    route!(DELETE, "/v3/history/sub-key/{sub}/channel/{channel}", history::delete, History),
    route!(GET, "/v3/history/sub-key/{sub}/message-counts/{channels}", history::counts, History),
    route!(GET, "/v3/history-with-actions/sub-key/{sub}/channel/{channels}", history::with_actions, History),

    route!(GET, "/v1/message-actions/{sub}/channel/{channel}", actions::list, Actions),
    route!(POST, "/v1/message-actions/{sub}/channel/{channel}/message/{message}", actions::add, Actions),
    route!(DELETE, "/v1/message-actions/{sub}/channel/{channel}/message/{message}/action/{action}", actions::remove, Actions),

    route!(GET, "/v2/objects/{sub}/uuids", objects::users, Objects),
    route!(GET, "/v2/objects/{sub}/channels", objects::channels, Objects),
    route!(GET, "/v2/objects/{sub}/uuids/{id}", objects::user, Objects),
    route!(PATCH, "/v2/objects/{sub}/uuids/{id}", objects::set_user, Objects),
    route!(DELETE, "/v2/objects/{sub}/uuids/{id}", objects::remove_user, Objects),
    route!(GET, "/v2/objects/{sub}/channels/{id}", objects::channel, Objects),
    route!(PATCH, "/v2/objects/{sub}/channels/{id}", objects::set_channel, Objects),
    route!(DELETE, "/v2/objects/{sub}/channels/{id}", objects::remove_channel, Objects),
    route!(GET, "/v2/objects/{sub}/uuids/{id}/channels", objects::channels_of, Objects),
    route!(PATCH, "/v2/objects/{sub}/uuids/{id}/channels", objects::set_channels_of, Objects),
    route!(GET, "/v2/objects/{sub}/channels/{id}/uuids", objects::members_of, Objects),
    route!(PATCH, "/v2/objects/{sub}/channels/{id}/uuids", objects::set_members_of, Objects),

    route!(POST, "/v1/files/{sub}/channels/{channel}/generate-upload-url", files::generate, Files),
    route!(GET, "/v1/files/{sub}/channels/{channel}/files", files::list, Files),
    route!(GET, "/v1/files/{sub}/channels/{channel}/files/{id}/{*name}", files::redirect, Files),
    route!(HEAD, "/v1/files/{sub}/channels/{channel}/files/{id}/{*name}", files::redirect, Files),
    route!(DELETE, "/v1/files/{sub}/channels/{channel}/files/{id}/{*name}", files::remove, Files),
    route!(GET, "/v1/files/publish-file/{pub}/{sub}/0/{channel}/0/{*json}", files::publish, Publish),
    unread!(POST, "/v1/files/{sub}/upload/{ticket}", files::upload, Files),
    route!(GET, "/v1/files/{sub}/download/{ticket}", files::serve, Files),
    route!(HEAD, "/v1/files/{sub}/download/{ticket}", files::serve, Files),

    route!(GET, "/v1/push/sub-key/{sub}/devices/{device}", push::device, Push),
    route!(GET, "/v1/push/sub-key/{sub}/devices/{device}/remove", push::remove, Push),
    route!(GET, "/v2/push/sub-key/{sub}/devices-apns2/{device}", push::apns2, Push),
    route!(GET, "/v2/push/sub-key/{sub}/devices-apns2/{device}/remove", push::remove_apns2, Push),

    route!(POST, "/v3/pam/{sub}/grant", grants::grant, Pam),
    route!(DELETE, "/v3/pam/{sub}/grant/{token}", grants::revoke, PamRevoke),
    route!(GET, "/v2/auth/grant/sub-key/{sub}", grants::grant_auth_keys, Access),
];
