use std::sync::Arc;

use antiphon_access::{LoggedIn, Login, LoginAttempt, LoginError};
use antiphon_net::aside;
use antiphon_net::request::{RequestBody, host, text};
use http::HeaderName;
use http::header::AUTHORIZATION;
use http::uri::Authority;

use super::{Answer, Asking, json};
use crate::codes::login_failed;
use crate::wire::broadcast::parse;
use crate::wire::login::{self, LoginBody};

/// How long the body of a login may be: the longest credential, and what is said beside it.
const LOGIN_BYTES_MAX: usize = 2 * antiphon_access::CREDENTIAL_BYTES_MAX;

static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// `POST /api/auth/login`
pub(super) async fn login(asking: Asking<'_>, body: &mut RequestBody) -> Answer {
    asking.worker.node().overload().check()?;
    let body: LoginBody = parse(&body.read(LOGIN_BYTES_MAX).await?)?;
    let login = body.login()?;
    let (access, now) = (asking.worker.node().access(), asking.worker.now());
    let logged_in = match (access.begin_login(&login, asking.peer.network, now.monotonic), &login) {
        (Err(too_many), _) => Err(too_many.into()),
        (Ok(attempt), Login::Password { .. }) => by_password(&asking, body, attempt).await,
        (Ok(attempt), Login::Signed(_)) => {
            let logged_in = access.login(&login, asking.shared.settings.token_lifetime, now.wall);
            attempt.end(&logged_in, now.monotonic);
            logged_in
        }
    };
    answer(&asking, logged_in)
}

/// Has a password checked aside: it takes longer than a worker's connections should wait.
async fn by_password(
    asking: &Asking<'_>,
    body: LoginBody,
    attempt: LoginAttempt,
) -> Result<LoggedIn, LoginError> {
    let turn = asking.shared.passwords.turn().await.map_err(|_| LoginError::Busy)?;
    let (node, lifetime) = (Arc::clone(asking.worker.node()), asking.shared.settings.token_lifetime);
    let checked = aside(move || {
        let checked = match body.login() {
            Ok(login) => node.access().login(&login, lifetime, node.now().wall),
            Err(_) => Err(LoginError::BadCredentials),
        };
        // Kept until here, also if the client has gone meanwhile.
        attempt.end(&checked, node.now().monotonic);
        drop(turn);
        checked
    });
    checked.await.unwrap_or(Err(LoginError::Busy))
}

/// `POST /api/auth/token`: whatever the body is, it is not read.
pub(super) fn refresh(asking: &Asking<'_>) -> Answer {
    let token = text(&asking.head.headers, AUTHORIZATION).unwrap_or_default();
    let (access, now) = (asking.worker.node().access(), asking.worker.now());
    let lifetime = asking.shared.settings.token_lifetime;
    let refresh = || access.refresh(token, lifetime, now.wall);
    answer(asking, access.attempt(asking.peer.network, now.monotonic, refresh))
}

fn answer(asking: &Asking<'_>, logged_in: Result<LoggedIn, LoginError>) -> Answer {
    let logged_in = logged_in.map_err(|error| {
        tracing::debug!(%error, peer = %asking.peer.address, "login refused");
        login_failed(&error)
    })?;
    Ok(json(login::answer(&logged_in, &address(asking))))
}

/// The address of the server as the client knows it.
fn address(asking: &Asking<'_>) -> String {
    if let Some(url) = &asking.shared.settings.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    // A proxy in front may have ended TLS. Who lies here lies to himself.
    let forwarded = text(&asking.head.headers, &FORWARDED_PROTO);
    let is_tls = asking.peer.tls || forwarded.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    let scheme = if is_tls { "https" } else { "http" };
    match host(&asking.head).and_then(|host| host.parse::<Authority>().ok()) {
        Some(host) => format!("{scheme}://{host}"),
        None => format!("{scheme}://{}", asking.peer.local),
    }
}
