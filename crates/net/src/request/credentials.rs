use std::sync::Arc;

use antiphon_access::{Access, Caller};
use antiphon_model::Timestamp;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::query::Query;
use crate::problem::{Problem, ProblemKind};

/// Finds out who a request is from: by `Authorization`, else by `?token=`, else the open org.
///
/// # Errors
/// The credential is not valid, is missing where one is needed, or `?identity=` cannot be one.
pub fn authenticate(
    access: &Access,
    headers: &HeaderMap,
    query: &Query<'_>,
    now: Timestamp,
) -> Result<Arc<Caller>, Problem> {
    let token = query.one("token")?;
    let identity = query.one("identity")?;
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let header = match (lines.next(), lines.next()) {
        (None, _) => None,
        (Some(line), None) => Some(line.to_str().map_err(|_| {
            Problem::new(ProblemKind::Unauthorized, "the Authorization header has to be visible ASCII")
        })?),
        (Some(_), Some(_)) => {
            return Err(Problem::new(ProblemKind::Unauthorized, "there are two Authorization headers"));
        }
    };
    let caller = access.authenticate(header.or(token.as_deref()), identity.as_deref(), now)?;
    Ok(Arc::new(caller))
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_access::{KeySettings, OrgSettings, Permission, Secret};
    use http::HeaderValue;

    fn access(open: bool) -> Access {
        let key = KeySettings {
            key: Some(Secret::new("key-of-acme")),
            allow: vec![Permission::Publish],
            channels: vec![antiphon_model::ChannelPattern::new("*")],
            ..KeySettings::default()
        };
        let acme = OrgSettings { name: "acme".into(), keys: vec![key], ..OrgSettings::default() };
        let demo = OrgSettings { name: "demo".into(), open, ..OrgSettings::default() };
        Access::load(vec![acme, demo]).unwrap()
    }

    fn who(access: &Access, header: Option<&'static str>, query: &str) -> Result<(String, String), u16> {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, HeaderValue::from_static(header));
        }
        match authenticate(access, &headers, &Query::parse(query), Timestamp(0)) {
            Ok(caller) => Ok((caller.org.to_string(), caller.identity.id.to_string())),
            Err(problem) => Err(problem.status().as_u16()),
        }
    }

    #[test]
    fn who_is_who() {
        let access = access(true);
        let ann = |org: &str| Ok((org.to_owned(), "ann".to_owned()));
        assert_eq!(who(&access, Some("Bearer key-of-acme"), "identity=ann"), ann("acme"));
        assert_eq!(who(&access, None, "token=key-of-acme&identity=ann"), ann("acme"));
        assert_eq!(who(&access, Some("Bearer key-of-acme"), "token=wrong&identity=ann"), ann("acme"));
        assert_eq!(who(&access, None, "identity=ann"), ann("demo"));
        assert_eq!(who(&access, None, "token=&identity=ann"), ann("demo"));
        assert_eq!(who(&access, None, "token=wrong"), Err(401));
        assert_eq!(who(&access, Some("Basic eDp5"), ""), Err(401));
        assert_eq!(who(&access, None, "identity="), Err(400));
        assert_eq!(who(&access, None, "token=a&token=b"), Err(400));
        assert_eq!(who(&self::access(false), None, ""), Err(401));
    }

    #[test]
    fn two_authorizations_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer key-of-acme"));
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer key-of-acme"));
        let problem = authenticate(&access(true), &headers, &Query::default(), Timestamp(0)).unwrap_err();
        assert_eq!(problem.status(), 401);
    }
}
