/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// `/api/auth/login`
    Login,
    /// `/api/auth/token`
    Token,
    /// `/api/networks/current/broadcasts`
    Broadcasts,
    /// `/api/networks/current/responses`
    Responses,
}

/// Finds what a path names. None: EXP has more below `/api`, which is not the network's.
pub(crate) fn parse(path: &str) -> Option<Resource> {
    match path {
        "/api/auth/login" => Some(Resource::Login),
        "/api/auth/token" => Some(Resource::Token),
        "/api/networks/current/broadcasts" => Some(Resource::Broadcasts),
        "/api/networks/current/responses" => Some(Resource::Responses),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_by_table() {
        for (path, expected) in [
            ("/api/auth/login", Some(Resource::Login)),
            ("/api/auth/token", Some(Resource::Token)),
            ("/api/networks/current/broadcasts", Some(Resource::Broadcasts)),
            ("/api/networks/current/responses", Some(Resource::Responses)),
            ("/api", None),
            ("/api/", None),
            ("/api/auth/login/", None),
            ("/api/auth/logins", None),
            ("/api/devices", None),
            ("/api/networks/other/broadcasts", None),
            ("", None),
        ] {
            assert_eq!(parse(path), expected, "{path}");
        }
    }
}
