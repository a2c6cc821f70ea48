/// How the request came to this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// In the clear; a proxy in front may have ended TLS.
    Plain,
    /// Over TLS that ends here.
    Tls,
}

/// Which web pages may connect: a guard against pages that use a visitor's browser to speak for him.
///
/// Browsers send `Origin` and cannot be made to leave it out; other programs need not, and pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginPolicy {
    any: bool,
    null: bool,
    listed: Vec<Listed>,
}

/// The origin is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("origin {0:?} is not allowed: add it to the org's allowed_origins")]
pub struct OriginRefused(Box<str>);

/// The setting is not an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an origin: write https://app.example.com, https://*.example.com, null or *")]
pub struct InvalidOrigin(Box<str>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    scheme: Box<str>,
    host: Host,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Exact(Box<str>),
    /// Any name that ends in this, which begins with a dot.
    Under(Box<str>),
}

impl OriginPolicy {
    /// Allows these origins: exact (`https://app.example.com`), all subdomains (`https://*.example.com`, without
    /// `example.com` itself), `null` (pages from files and sandboxes), or `*` for all but `null`.
    ///
    /// # Errors
    /// One of them is none of that.
    pub fn new<S: AsRef<str>>(allowed: &[S]) -> Result<OriginPolicy, InvalidOrigin> {
        let mut policy = OriginPolicy::default();
        for text in allowed.iter().map(AsRef::as_ref) {
            match text {
                "*" => policy.any = true,
                "null" => policy.null = true,
                _ => policy.listed.push(Listed::parse(text).ok_or_else(|| InvalidOrigin(text.into()))?),
            }
        }
        Ok(policy)
    }

    /// This and `other` in one: for preflights, which come without credentials and so without an org.
    pub(crate) fn union(mut self, other: &OriginPolicy) -> OriginPolicy {
        self.any |= other.any;
        self.null |= other.null;
        self.listed.extend(other.listed.iter().cloned());
        self
    }

    /// Checks the `Origin` header against the settings and the server's own name, the `Host` header.
    ///
    /// # Errors
    /// The page is of another origin that is not allowed.
    pub fn check(
        &self,
        origin: Option<&str>,
        host: Option<&str>,
        transport: Transport,
    ) -> Result<(), OriginRefused> {
        let Some(text) = origin else { return Ok(()) };
        let refused = || OriginRefused(text.into());
        if text == "null" {
            return if self.null { Ok(()) } else { Err(refused()) };
        }
        let origin = Origin::parse(text).ok_or_else(refused)?;
        let allowed = self.any
            || host.is_some_and(|host| origin.is_of(host, transport))
            || self.listed.iter().any(|listed| listed.matches(&origin));
        if allowed { Ok(()) } else { Err(refused()) }
    }
}

impl Listed {
    fn parse(text: &str) -> Option<Listed> {
        let origin = Origin::parse(text)?;
        let (host, literal) = match origin.authority.host.strip_prefix('*') {
            Some(suffix) if suffix.starts_with('.') && suffix.len() > 1 => {
                (Host::Under(suffix.into()), suffix)
            }
            Some(_) => return None,
            None => (Host::Exact(origin.authority.host.into()), origin.authority.host),
        };
        if literal.contains('*') {
            return None;
        }
        Some(Listed { scheme: origin.scheme.into(), host, port: origin.port() })
    }

    fn matches(&self, origin: &Origin<'_>) -> bool {
        let host = origin.authority.host;
        let host_matches = match &self.host {
            Host::Exact(exact) => host.eq_ignore_ascii_case(exact),
            Host::Under(suffix) => host
                .len()
                .checked_sub(suffix.len())
                .filter(|prefix| *prefix > 0)
                .and_then(|prefix| host.get(prefix..))
                .is_some_and(|end| end.eq_ignore_ascii_case(suffix)),
        };
        host_matches && self.port == origin.port() && self.scheme.eq_ignore_ascii_case(origin.scheme)
    }
}

/// An origin as a browser serializes it (RFC 6454, 6.2): scheme, host, port unless it is the scheme's own.
struct Origin<'a> {
    scheme: &'a str,
    authority: Authority<'a>,
}

impl<'a> Origin<'a> {
    fn parse(text: &'a str) -> Option<Origin<'a>> {
        let (scheme, authority) = text.split_once("://")?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if scheme.is_empty() || !scheme.bytes().all(allowed) {
            return None;
        }
        Some(Origin { scheme, authority: Authority::parse(authority)? })
    }

    fn port(&self) -> Option<u16> {
        self.authority.port.or_else(|| self.default_port())
    }

    fn default_port(&self) -> Option<u16> {
        match self.scheme {
            scheme if scheme.eq_ignore_ascii_case("https") => Some(443),
            scheme if scheme.eq_ignore_ascii_case("http") => Some(80),
            _ => None,
        }
    }

    /// Whether it is the origin of pages that `host` serves.
    fn is_of(&self, host: &str, transport: Transport) -> bool {
        // Behind a proxy that ends TLS we cannot know the scheme the browser used; on our own TLS we do.
        let scheme_fits = match transport {
            Transport::Tls => self.scheme.eq_ignore_ascii_case("https"),
            Transport::Plain => self.default_port().is_some(),
        };
        let Some(host) = Authority::parse(host) else { return false };
        scheme_fits
            && host.host.eq_ignore_ascii_case(self.authority.host)
            && host.port.or_else(|| self.default_port()) == self.port()
    }
}

/// A host, IPv6 in brackets, and its port if it was written.
pub(crate) struct Authority<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: Option<u16>,
}

impl<'a> Authority<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Authority<'a>> {
        let host_end = match text.strip_prefix('[') {
            Some(rest) => rest.find(']')? + 2,
            None => text.find(':').unwrap_or(text.len()),
        };
        let (host, port) = text.split_at(host_end);
        let forbidden = |c: char| c.is_control() || c.is_whitespace() || "/\\?#@,".contains(c);
        if host.is_empty() || host.contains(forbidden) {
            return None;
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            Some("") => None,
            // `parse` alone would also take a sign.
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Some(digits.parse().ok()?),
            _ => return None,
        };
        Some(Authority { host, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn origins_by_table() {
        const LISTED: &[&str] = &[
            "https://app.example.com",
            "https://*.example.org",
            "http://localhost:5173",
            "chrome-extension://abcdef",
        ];
        let here = Some("chat.example.net:8080");
        for (allowed, origin, host, expected) in [
            // Not a browser.
            (&[][..], None, here, true),
            // The server's own pages.
            (&[], Some("http://chat.example.net:8080"), here, true),
            (&[], Some("HTTP://Chat.Example.Net:8080"), here, true),
            (&[], Some("http://chat.example.net"), here, false),
            (&[], Some("http://chat.example.net:8081"), here, false),
            (&[], Some("http://example.net:8080"), here, false),
            (&[], Some("https://a.example"), Some("a.example"), true),
            (&[], Some("http://a.example"), Some("a.example"), true),
            (&[], Some("https://a.example"), Some("a.example:443"), true),
            (&[], Some("https://a.example"), Some("a.example:80"), false),
            (&[], Some("http://[::1]:8080"), Some("[::1]:8080"), true),
            (&[], Some("http://[::1]:8080"), Some("[::2]:8080"), false),
            (&[], Some("http://a.example"), None, false),
            (&[], Some("http://a.example"), Some(""), false),
            (&[], Some("ftp://a.example"), Some("a.example"), false),
            // Exact ones.
            (LISTED, Some("https://app.example.com"), here, true),
            (LISTED, Some("https://app.example.com:443"), here, true),
            (LISTED, Some("https://APP.example.com"), here, true),
            (LISTED, Some("http://app.example.com"), here, false),
            (LISTED, Some("https://app.example.com:8443"), here, false),
            (LISTED, Some("https://app.example.com.evil.example"), here, false),
            (LISTED, Some("https://app.example.com@evil.example"), here, false),
            (LISTED, Some("https://example.com"), here, false),
            (LISTED, Some("http://localhost:5173"), here, true),
            (LISTED, Some("http://localhost"), here, false),
            (LISTED, Some("chrome-extension://abcdef"), here, true),
            (LISTED, Some("chrome-extension://abcdeg"), here, false),
            // Subdomains.
            (LISTED, Some("https://a.example.org"), here, true),
            (LISTED, Some("https://a.b.EXAMPLE.org"), here, true),
            (LISTED, Some("https://example.org"), here, false),
            (LISTED, Some("https://.example.org"), here, false),
            (LISTED, Some("https://evilexample.org"), here, false),
            (LISTED, Some("http://a.example.org"), here, false),
            // Sandboxes, files and junk.
            (LISTED, Some("null"), here, false),
            (&["null"], Some("null"), here, true),
            (&["*"], Some("null"), here, false),
            (&["*"], Some("https://anything.example"), here, true),
            (&["*"], Some("junk"), here, false),
            (&["*"], Some("https://a.example https://b.example"), here, false),
            (&["*"], Some("https://a.example/path"), here, false),
            (LISTED, Some(""), here, false),
        ] {
            let policy = OriginPolicy::new(allowed).unwrap();
            let checked = policy.check(origin, host, Transport::Plain);
            assert_eq!(checked.is_ok(), expected, "{origin:?} at {host:?} with {allowed:?}");
        }
    }

    #[test]
    fn over_our_own_tls_a_page_in_the_clear_is_another_origin() {
        let policy = OriginPolicy::default();
        let host = Some("a.example");
        assert!(policy.check(Some("https://a.example"), host, Transport::Tls).is_ok());
        assert!(policy.check(Some("http://a.example"), host, Transport::Tls).is_err());
    }

    #[test]
    fn settings_that_are_no_origins_are_refused() {
        for text in [
            "app.example.com",
            "https://",
            "https://*",
            "https://*example.com",
            "https://a.*.com",
            "https://*.*.com",
            "https://a.example/",
            "https://a.example:99999",
            "",
            "**",
        ] {
            assert_eq!(OriginPolicy::new(&[text]), Err(InvalidOrigin(text.into())), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_survived(origin in "\\PC{0,40}", host in "\\PC{0,40}") {
            let policy = OriginPolicy::new(&["https://*.example.org"]).unwrap();
            let _ = policy.check(Some(&origin), Some(&host), Transport::Plain);
            let _ = policy.check(Some(&format!("https://{origin}")), Some(&host), Transport::Tls);
            let _ = OriginPolicy::new(&[origin]);
        }
    }
}
