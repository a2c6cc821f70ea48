use std::fmt::Write as _;
use std::time::Duration;

use http::HeaderValue;

use crate::handshake::Sid;

/// The cookie that the answer to a handshake by polling sets, as Socket.IO users know its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieSettings {
    /// Its name. Default: `io`.
    pub name: String,
    /// The paths that it is sent to. Default: `/`.
    pub path: String,
    /// The domain that it is sent to. Default: the server's name alone.
    pub domain: Option<String>,
    /// Whether pages cannot read it. Default: true.
    pub http_only: bool,
    /// Whether it is sent over TLS only. Default: false.
    pub secure: bool,
    /// Whether requests that pages of other sites make have it. Default: `Lax`.
    pub same_site: Option<SameSite>,
    /// For how long it is kept. Default: until the browser is closed.
    pub max_age: Option<Duration>,
}

/// Whether requests that pages of other sites make have a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// They have not.
    Strict,
    /// Only where the visitor follows a link.
    Lax,
    /// They have; browsers then want `secure`.
    None,
}

impl Default for CookieSettings {
    fn default() -> CookieSettings {
        CookieSettings {
            name: "io".into(),
            path: "/".into(),
            domain: None,
            http_only: true,
            secure: false,
            same_site: Some(SameSite::Lax),
            max_age: None,
        }
    }
}

impl CookieSettings {
    /// The value of `Set-Cookie` (RFC 6265, 4.1); none if the settings have what cannot stand in a header.
    pub(super) fn header(&self, sid: &Sid) -> Option<HeaderValue> {
        let mut cookie = format!("{}={sid}", self.name);
        let mut attribute = |text: &str| {
            write!(cookie, "; {text}").expect("a string takes all that is written");
        };
        if let Some(max_age) = self.max_age {
            attribute(&format!("Max-Age={}", max_age.as_secs()));
        }
        if let Some(domain) = &self.domain {
            attribute(&format!("Domain={domain}"));
        }
        if !self.path.is_empty() {
            attribute(&format!("Path={}", self.path));
        }
        if self.http_only {
            attribute("HttpOnly");
        }
        if self.secure {
            attribute("Secure");
        }
        match self.same_site {
            Some(SameSite::Strict) => attribute("SameSite=Strict"),
            Some(SameSite::Lax) => attribute("SameSite=Lax"),
            Some(SameSite::None) => attribute("SameSite=None"),
            None => {}
        }
        HeaderValue::try_from(cookie).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_written_as_browsers_read_them() {
        let sid = Sid::new(0, [0; Sid::RANDOM_BYTES]);
        let written =
            |cookie: &CookieSettings| cookie.header(&sid).map(|value| value.to_str().unwrap().to_owned());
        let plain = CookieSettings::default();
        let value = "A".repeat(20);
        assert_eq!(written(&plain), Some(format!("io={value}; Path=/; HttpOnly; SameSite=Lax")));
        let full = CookieSettings {
            name: "sticky".into(),
            path: "/socket.io".into(),
            domain: Some("example.com".into()),
            http_only: false,
            secure: true,
            same_site: Some(SameSite::None),
            max_age: Some(Duration::from_secs(60)),
        };
        assert_eq!(
            written(&full),
            Some(format!(
                "sticky={value}; Max-Age=60; Domain=example.com; Path=/socket.io; Secure; SameSite=None"
            ))
        );
        assert_eq!(written(&CookieSettings { name: "a\nb".into(), ..plain }), None);
    }
}
