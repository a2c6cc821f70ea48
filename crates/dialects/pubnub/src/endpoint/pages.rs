//! Which names and pages are answered while the server is open without credentials, on loopback.
//!
//! The keys of the local default are known to everybody, so a page from elsewhere that somebody visits could publish and listen there
//! in his name. Pages of this machine may, and files that are opened in a browser, whose origin is `null`.

use antiphon_access::HostPolicy;
use antiphon_net::request::{host, text};
use http::header::ORIGIN;
use http::request::Parts;

use crate::wire::error::Refusal;

/// Checks the name that the server was called by, and the page that asks.
///
/// # Errors
/// The policy is local, and one of them is not.
pub(super) fn check(policy: &HostPolicy, head: &Parts) -> Result<(), Refusal> {
    if *policy == HostPolicy::Any {
        return Ok(());
    }
    policy.check(host(head)).map_err(|refused| Refusal::forbidden(refused.to_string()))?;
    let is_local = match text(&head.headers, ORIGIN) {
        Some("null") => true,
        // Programs other than browsers write what they like.
        Some(origin) => origin.split_once("://").is_none_or(|(_, host)| policy.check(Some(host)).is_ok()),
        // Pictures and the like, which a page asks for without saying which it is.
        None => text(&head.headers, "sec-fetch-site") != Some("cross-site"),
    };
    if is_local {
        return Ok(());
    }
    Err(Refusal::forbidden(
        "Pages of other sites are not answered while the server is open without credentials: give an org keys of its own",
    ))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn pages_of_this_machine_and_programs_are_answered() {
        let local = HostPolicy::Local(Vec::new());
        for (host, header, expected) in [
            ("localhost:8080", None, true),
            ("127.0.0.1:8080", Some(("origin", "http://localhost:3000")), true),
            ("127.0.0.1:8080", Some(("origin", "http://127.0.0.1:5000")), true),
            ("127.0.0.1:8080", Some(("origin", "null")), true),
            ("127.0.0.1:8080", Some(("origin", "127.0.0.1:19000")), true),
            ("127.0.0.1:8080", Some(("sec-fetch-site", "same-origin")), true),
            ("127.0.0.1:8080", Some(("origin", "https://evil.example")), false),
            ("127.0.0.1:8080", Some(("origin", "https://localhost.evil.example")), false),
            ("127.0.0.1:8080", Some(("sec-fetch-site", "cross-site")), false),
            ("evil.example", None, false),
        ] {
            let mut request = Request::get("/time/0").header("host", host);
            if let Some((name, value)) = header {
                request = request.header(name, value);
            }
            let (head, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(check(&local, &head).is_ok(), expected, "{host} {header:?}");
            assert!(check(&HostPolicy::Any, &head).is_ok());
        }
    }
}
