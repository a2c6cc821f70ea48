//! What stands before every protocol: plain requests are sent on to TLS, browsers are told to stay there, and an ACME server finds its answers.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use antiphon_net::{Endpoint, Peer, Upgrade, Worker};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, LOCATION, STRICT_TRANSPORT_SECURITY};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use parking_lot::RwLock;

use crate::config::{Redirect, TlsSection};

/// Where an ACME server asks (RFC 8555, section 8.3).
const CHALLENGES: &str = "/.well-known/acme-challenge/";
/// Where orchestrators ask, who follow nobody elsewhere.
const HEALTH: &str = "/health/";
/// For how long a client may remember that it is sent on.
const REDIRECT_KEPT: HeaderValue = HeaderValue::from_static("max-age=3600");

/// What an ACME server is to find, by token: the key authorization (RFC 8555, section 8.3).
#[derive(Debug, Default)]
pub(crate) struct Challenges(RwLock<HashMap<String, String>>);

impl Challenges {
    /// Has a token answered, or none any more.
    pub(crate) fn set(&self, token: &str, key_authorization: Option<String>) {
        let mut challenges = self.0.write();
        match key_authorization {
            Some(answer) => challenges.insert(token.to_owned(), answer),
            None => challenges.remove(token),
        };
    }
}

/// What is done before every protocol.
#[derive(Debug)]
pub(crate) struct FrontRules {
    redirect: Redirect,
    /// Where TLS is spoken, once the server listens.
    tls_port: OnceLock<u16>,
    hsts: Option<HeaderValue>,
    pub(crate) challenges: Arc<Challenges>,
}

impl FrontRules {
    /// As the section wants it.
    pub(crate) fn new(section: &TlsSection) -> FrontRules {
        let hsts =
            section.hsts.and_then(|age| HeaderValue::try_from(format!("max-age={}", age.0.as_secs())).ok());
        let redirect = if section.listen.is_empty() { Redirect::Off } else { section.redirect };
        FrontRules { redirect, tls_port: OnceLock::new(), hsts, challenges: Arc::default() }
    }

    /// Says where TLS is spoken. Nothing is sent on before.
    pub(crate) fn set_tls_port(&self, port: u16) {
        // Set once, when the server starts.
        let _ = self.tls_port.set(port);
    }

    /// The answer to a request that goes no further.
    fn answer(&self, uri: &Uri, headers: &HeaderMap, peer: &Peer) -> Option<Response<Bytes>> {
        let path = uri.path();
        if let Some(token) = path.strip_prefix(CHALLENGES)
            && let Some(answer) = self.challenges.0.read().get(token)
        {
            let mut response = Response::new(Bytes::from(answer.clone()));
            let kind = HeaderValue::from_static("application/octet-stream");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            return Some(response);
        }
        let redirected = match self.redirect {
            Redirect::Off => false,
            Redirect::Remote => !peer.local.ip().to_canonical().is_loopback(),
            Redirect::All => true,
        };
        if peer.tls || !redirected || path.starts_with(HEALTH) || path.starts_with(CHALLENGES) {
            return None;
        }
        let port = *self.tls_port.get()?;
        Some(sent_on(uri, headers, port).unwrap_or_else(no_host))
    }
}

/// The same request at an address where TLS is spoken; none if nobody knows by which name it came.
fn sent_on(uri: &Uri, headers: &HeaderMap, port: u16) -> Option<Response<Bytes>> {
    let named = || headers.get(HOST)?.to_str().ok()?.parse::<Authority>().ok();
    let authority = uri.authority().cloned().or_else(named)?;
    let host = authority.host();
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let location = match port {
        443 => format!("https://{host}{target}"),
        port => format!("https://{host}:{port}{target}"),
    };
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(LOCATION, HeaderValue::try_from(location).ok()?);
    response.headers_mut().insert(CACHE_CONTROL, REDIRECT_KEPT);
    Some(response)
}

fn no_host() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(b"come by https\n"));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

/// The endpoint before all others.
pub(crate) struct Front<E> {
    inner: Rc<E>,
    rules: Arc<FrontRules>,
}

impl<E: Endpoint> Front<E> {
    /// Stands before `inner`.
    pub(crate) fn new(inner: E, rules: Arc<FrontRules>) -> Front<E> {
        Front { inner: Rc::new(inner), rules }
    }
}

impl<E: Endpoint> Endpoint for Front<E> {
    type Body = Either<E::Body, Full<Bytes>>;

    fn upgrade(&self, request: &Parts, offered: &[&str], peer: &Peer, worker: &Worker) -> Upgrade {
        match self.rules.answer(&request.uri, &request.headers, peer) {
            Some(response) => Upgrade::Refuse(response),
            None => self.inner.upgrade(request, offered, peer, worker),
        }
    }

    fn call(
        self: Rc<Self>,
        request: Request<Incoming>,
        peer: Peer,
        worker: Worker,
    ) -> impl Future<Output = Response<Self::Body>> + 'static {
        let hsts = if peer.tls { self.rules.hsts.clone() } else { None };
        // What is done in the call itself is done at once, as the worker expects it.
        let answer = match self.rules.answer(request.uri(), request.headers(), &peer) {
            Some(response) => Err(response),
            None => Ok(Rc::clone(&self.inner).call(request, peer, worker)),
        };
        async move {
            let mut response = match answer {
                Ok(answer) => answer.await.map(Either::Left),
                Err(response) => response.map(|body| Either::Right(Full::new(body))),
            };
            if let Some(hsts) = hsts {
                response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, hsts);
            }
            response
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TLS: &str = "listen = [\"127.0.0.1:0\"]\n";

    fn rules(text: &str) -> FrontRules {
        let rules = FrontRules::new(&toml::from_str(text).unwrap());
        rules.set_tls_port(8443);
        rules
    }

    fn peer(local: [u8; 4], tls: bool) -> Peer {
        Peer { tls, ..Peer::plain(([192, 0, 2, 1], 4000).into(), (local, 80).into()) }
    }

    fn asked(
        rules: &FrontRules,
        target: &str,
        host: Option<&'static str>,
        peer: &Peer,
    ) -> Option<(u16, String)> {
        let mut headers = HeaderMap::new();
        if let Some(host) = host {
            headers.insert(HOST, HeaderValue::from_static(host));
        }
        let response = rules.answer(&target.parse().unwrap(), &headers, peer)?;
        let location = response.headers().get(LOCATION).map(|location| location.to_str().unwrap().to_owned());
        let said = location.unwrap_or_else(|| String::from_utf8_lossy(response.body()).into_owned());
        Some((response.status().as_u16(), said))
    }

    #[test]
    fn plain_requests_are_sent_on_to_where_tls_is_spoken() {
        let (outside, inside) = ([192, 0, 2, 9], [127, 0, 0, 1]);
        let remote = rules(TLS);
        let to = |location: &str| Some((308, location.to_owned()));
        for (target, host, expected) in [
            (
                "/v1/channels/a?b=c%20d",
                Some("example.org"),
                to("https://example.org:8443/v1/channels/a?b=c%20d"),
            ),
            ("/", Some("example.org:80"), to("https://example.org:8443/")),
            ("/", Some("[::1]:80"), to("https://[::1]:8443/")),
            ("http://other.org/x", Some("example.org"), to("https://other.org:8443/x")),
            ("/", Some("user@example.org"), to("https://example.org:8443/")),
            ("/", Some("a b"), Some((400, "come by https\n".into()))),
            ("/", None, Some((400, "come by https\n".into()))),
            ("/health/live", Some("example.org"), None),
            ("/.well-known/acme-challenge/x", Some("example.org"), None),
            ("/healthy", Some("example.org"), to("https://example.org:8443/healthy")),
        ] {
            assert_eq!(asked(&remote, target, host, &peer(outside, false)), expected, "{target} {host:?}");
            assert_eq!(asked(&remote, target, host, &peer(outside, true)), None);
            assert_eq!(asked(&remote, target, host, &peer(inside, false)), None);
        }
        let all = rules(&format!("{TLS}redirect = \"all\""));
        assert_eq!(asked(&all, "/", Some("a"), &peer(inside, false)), to("https://a:8443/"));
        for text in ["", "redirect = \"all\"", &format!("{TLS}redirect = \"off\"")] {
            assert_eq!(asked(&rules(text), "/", Some("a"), &peer(outside, false)), None, "{text}");
        }
        let usual = FrontRules::new(&toml::from_str(TLS).unwrap());
        assert_eq!(asked(&usual, "/", Some("a"), &peer(outside, false)), None, "nobody knows where yet");
        usual.set_tls_port(443);
        assert_eq!(asked(&usual, "/x", Some("a:80"), &peer(outside, false)), to("https://a/x"));
    }

    #[test]
    fn challenges_are_answered_as_long_as_they_are_there() {
        let rules = rules(TLS);
        let ask =
            || asked(&rules, "/.well-known/acme-challenge/token", Some("a"), &peer([192, 0, 2, 9], false));
        assert_eq!(ask(), None);
        rules.challenges.set("token", Some("token.thumbprint".into()));
        assert_eq!(ask(), Some((200, "token.thumbprint".into())));
        rules.challenges.set("token", None);
        assert_eq!(ask(), None);
    }
}
