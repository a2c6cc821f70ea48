//! What one value of `[socketio]` alone does not show.

use antiphon_socketio::{InvalidSocketIoSettings, SocketIoSettings};
use http::{HeaderName, HeaderValue, StatusCode};

use super::{CookieSection, CorsSection, SameSiteWord, SocketIoSection};
use crate::failure::Failure;

impl SocketIoSection {
    /// Checks the values against each other, and that they can be what they are for.
    ///
    /// # Errors
    /// One cannot.
    pub(super) fn check(&self, settings: &SocketIoSettings) -> Result<(), Failure> {
        settings.check().map_err(|error| match error {
            InvalidSocketIoSettings::Zero("connect_timeout_ms") => {
                fault("connect_timeout", "has to be longer than 0s")
            }
            InvalidSocketIoSettings::Zero(name) => fault(name, "has to be at least 1"),
            InvalidSocketIoSettings::Engine(error) => Failure::new(format!("socketio.engine: {error}")),
        })?;
        check_path(&self.path)?;
        if let (None, Some(url)) = (&self.client_files, &self.client_url)
            && HeaderValue::try_from(url.as_str()).is_err()
        {
            return Err(fault("client_url", "has a character that no URL has"));
        }
        self.cors.check()?;
        self.cookie.check()?;
        if self.recovery.enabled && self.recovery.max_disconnection.0.is_zero() {
            return Err(fault("recovery.max_disconnection", "has to be longer than 0s"));
        }
        if self.admin.enabled {
            let checked = self.admin.settings().check();
            checked.map_err(|error| Failure::new(format!("socketio.admin: {error}")))?;
        }
        Ok(())
    }
}

fn check_path(path: &str) -> Result<(), Failure> {
    let is_visible = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'?' && byte != b'#');
    let trimmed = path.trim_end_matches('/');
    let is_native = trimmed.is_empty() || trimmed == "/v1" || trimmed.starts_with("/v1/");
    if !path.starts_with('/') {
        Err(fault("path", "does not begin with a slash"))
    } else if !is_visible {
        Err(fault("path", "is a path as it stands in a URL, without a query"))
    } else if is_native {
        Err(fault("path", "is where the native protocol is: choose another, like /socket.io/"))
    } else {
        Ok(())
    }
}

impl CorsSection {
    fn check(&self) -> Result<(), Failure> {
        for (key, names) in
            [("cors.allowed_headers", &self.allowed_headers), ("cors.exposed_headers", &self.exposed_headers)]
        {
            if let Some(name) = names.iter().find(|name| HeaderName::try_from(name.as_str()).is_err()) {
                return Err(fault(key, &format!("names {name:?}, which is no header")));
            }
        }
        let status = self.options_success_status.map(StatusCode::from_u16);
        match status {
            Some(status) if !status.as_ref().is_ok_and(StatusCode::is_success) => {
                Err(fault("cors.options_success_status", "is a status from 200 to 299"))
            }
            _ => Ok(()),
        }
    }
}

impl CookieSection {
    fn check(&self) -> Result<(), Failure> {
        // A cookie's name is a token, as a header's is (RFC 6265, 4.1.1).
        if self.name.as_ref().is_some_and(|name| HeaderName::try_from(name.as_str()).is_err()) {
            return Err(fault("cookie.name", "is none that a cookie can have"));
        }
        if self.path.bytes().any(|byte| !(b' '..=b'~').contains(&byte) || byte == b';') {
            return Err(fault("cookie.path", "has a character that no cookie's path has"));
        }
        if self.same_site == SameSiteWord::None && !self.secure {
            return Err(fault(
                "cookie.same_site",
                "needs secure = true to be \"none\": browsers drop the cookie",
            ));
        }
        Ok(())
    }
}

fn fault(key: &str, what: &str) -> Failure {
    Failure::new(format!("socketio.{key} {what}"))
}

#[cfg(test)]
mod tests {
    use antiphon_engineio::AllowedOrigins;

    use super::*;

    fn checked(text: &str) -> Result<(), String> {
        let section: SocketIoSection = toml::from_str(text).unwrap();
        section.settings(AllowedOrigins::Any).map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (text, expected) in [
            ("path = \"x\"", "socketio.path does not begin"),
            ("path = \"/a b\"", "socketio.path is a path"),
            ("path = \"/a?b\"", "socketio.path is a path"),
            ("path = \"/\"", "socketio.path is where the native protocol is"),
            ("path = \"/v1/live/\"", "socketio.path is where the native protocol is"),
            ("client_files = \"/nowhere/at/all\"", "socketio.client_files: /nowhere/at/all: "),
            ("client_url = \"a\\nb\"", "socketio.client_url"),
            ("packet_bytes_max = 0", "socketio.packet_bytes_max has to be at least 1"),
            ("connect_timeout = \"0s\"", "socketio.connect_timeout has to be longer than 0s"),
            ("[engine]\nping_interval_ms = 0", "socketio.engine: ping_interval_ms has to be at least 1"),
            ("[engine]\ntransports = []", "socketio.engine: transports has to name at least one"),
            ("[cors]\nexposed_headers = [\"a b\"]", "socketio.cors.exposed_headers names \"a b\""),
            ("[cors]\noptions_success_status = 99", "socketio.cors.options_success_status"),
            ("[cors]\noptions_success_status = 404", "socketio.cors.options_success_status"),
            ("[cookie]\nname = \"a b\"", "socketio.cookie.name"),
            ("[cookie]\npath = \"/;x\"", "socketio.cookie.path"),
            ("[cookie]\nname = \"a\"\nsame_site = \"none\"", "socketio.cookie.same_site needs secure"),
            ("[recovery]\nenabled = true\nmax_disconnection = \"0s\"", "socketio.recovery.max_disconnection"),
            ("[admin]\nenabled = true", "socketio.admin: auth needs username and password_hash"),
            (
                "[admin]\nenabled = true\nauth = { username = \"a\", password_hash = \"x\" }",
                "socketio.admin: auth.password_hash",
            ),
            (
                "[admin]\nenabled = true\nnamespace = \"/\"\nauth.none = true",
                "socketio.admin: namespace cannot be /",
            ),
        ] {
            let error = checked(text).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_off_may_be_anything() {
        for text in [
            "",
            "path = \"/v1.socket\"",
            "[recovery]\nmax_disconnection = \"0s\"",
            "[admin]\nnamespace = \"/\"",
            "[cookie]\nname = \"io\"\nsecure = true\nsame_site = \"none\"",
            "[cors]\noptions_success_status = 200",
        ] {
            assert_eq!(checked(text), Ok(()), "{text}");
        }
    }
}
