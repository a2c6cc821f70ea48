use std::net::{IpAddr, SocketAddr};

use crate::origin::Authority;

/// Which names the server answers to.
///
/// A server on loopback that asks for no credentials is guarded by not being reachable. A web page gets
/// around that when its own name is made to resolve to 127.0.0.1 (DNS rebinding): to the browser the page then
/// has the server's origin. The name gives it away, because it is in the `Host` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPolicy {
    /// Any name: for orgs that ask for credentials.
    Any,
    /// `localhost` and names under it, loopback addresses, and these.
    Local(Vec<IpAddr>),
}

/// The `Host` is not one the server answers to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("host {0:?} is not answered while the server is open without credentials: use localhost")]
pub struct HostRefused(Box<str>);

impl HostPolicy {
    /// The policy of an open org on these listeners.
    pub fn local(listen: &[SocketAddr]) -> HostPolicy {
        HostPolicy::Local(
            listen.iter().map(|address| address.ip()).filter(|ip| !ip.is_unspecified()).collect(),
        )
    }

    /// Checks the `Host` header, or HTTP/2's `:authority`.
    ///
    /// # Errors
    /// The policy is local, and the host is missing, malformed or another.
    pub fn check(&self, host: Option<&str>) -> Result<(), HostRefused> {
        let HostPolicy::Local(listen) = self else { return Ok(()) };
        let host = host.unwrap_or_default();
        match Authority::parse(host) {
            Some(authority) if is_local(authority.host, listen) => Ok(()),
            _ => Err(HostRefused(host.into())),
        }
    }
}

fn is_local(host: &str, listen: &[IpAddr]) -> bool {
    let unbracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = unbracketed.parse::<IpAddr>() {
        return address.is_loopback() || listen.contains(&address);
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    // RFC 6761, 6.3: every name under localhost is the loopback too, in browsers without asking DNS.
    let last_label = host.rsplit('.').next().unwrap_or_default();
    last_label.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_server_answers_to_local_names_only() {
        let policy = HostPolicy::local(&["192.168.1.5:8080".parse().unwrap(), "0.0.0.0:80".parse().unwrap()]);
        for (host, expected) in [
            (Some("localhost"), true),
            (Some("LOCALHOST:8080"), true),
            (Some("localhost.:8080"), true),
            (Some("chat.localhost"), true),
            (Some("127.0.0.1:8080"), true),
            (Some("127.9.9.9"), true),
            (Some("[::1]:8080"), true),
            (Some("192.168.1.5:1"), true),
            (Some("192.168.1.6"), false),
            (Some("0.0.0.0"), false),
            (Some("evil.example"), false),
            (Some("localhost.evil.example"), false),
            (Some("notlocalhost"), false),
            (Some("127.0.0.1.evil.example"), false),
            (Some("evil.example@localhost"), false),
            (Some("localhost:80:80"), false),
            (Some(""), false),
            (None, false),
        ] {
            assert_eq!(policy.check(host).is_ok(), expected, "{host:?}");
            assert!(HostPolicy::Any.check(host).is_ok());
        }
    }
}
