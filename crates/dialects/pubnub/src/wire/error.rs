//! What a request is refused with, and the shape in which each family of routes says so.

use std::borrow::Cow;
use std::time::Duration;

use antiphon_model::Position;
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value, json};

/// Why a request is not answered as it hoped. Routes say what, and their [`Family`] how. Boxed, because most results are none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal(Box<Reason>);

#[derive(Clone, Debug, PartialEq)]
struct Reason {
    status: StatusCode,
    message: Cow<'static, str>,
    /// Who says it, if not the family's own service.
    service: Option<&'static str>,
    /// What may not be done: `{"channels":[…]}`.
    payload: Option<Value>,
    details: Vec<Detail>,
    /// Of files.
    code: Option<u32>,
    retry_after: Option<Duration>,
    /// Whether what came is no credential.
    is_guess: bool,
}

/// What of a request is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Detail {
    pub(crate) message: String,
    /// Where, like `permissions.resources.channels`.
    pub(crate) location: String,
    /// `body`, `query`, `path` and so on.
    pub(crate) location_type: &'static str,
}

/// Who refuses what is not permitted, whatever was asked.
const ACCESS_MANAGER: &str = "Access Manager";

impl Refusal {
    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// What it says.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// With this status and text.
    pub(crate) fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Refusal {
        let message = message.into();
        let details = Vec::new();
        Refusal(Box::new(Reason {
            status,
            message,
            service: None,
            payload: None,
            details,
            code: None,
            retry_after: None,
            is_guess: false,
        }))
    }

    /// What the client says is wrong: 400.
    pub(crate) fn bad(message: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, message)
    }

    /// No keyset has this subscribe key.
    pub(crate) fn invalid_subscribe_key() -> Refusal {
        Refusal::bad("Invalid Subscribe Key").by(ACCESS_MANAGER).for_a_guess()
    }

    /// The caller may not; the access manager says so.
    pub(crate) fn forbidden(message: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal::new(StatusCode::FORBIDDEN, message).by(ACCESS_MANAGER)
    }

    /// Somebody but the family's own service says it.
    pub(crate) fn by(mut self, service: &'static str) -> Refusal {
        self.0.service = Some(service);
        self
    }

    /// Too much in too short a time: 429, and when to come back.
    pub(crate) fn too_many(message: impl Into<Cow<'static, str>>, retry_after: Duration) -> Refusal {
        let mut refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, message);
        refusal.0.retry_after = Some(retry_after);
        refusal
    }

    /// What came is no credential, which counts: see [`antiphon_access::Access::attempt`].
    pub(crate) fn for_a_guess(mut self) -> Refusal {
        self.0.is_guess = true;
        self
    }

    /// Whether what came is no credential.
    pub(crate) fn is_for_a_guess(&self) -> bool {
        self.0.is_guess
    }

    /// When to come back, if that is known.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// With what may not be done.
    pub(crate) fn with_payload(mut self, payload: Value) -> Refusal {
        self.0.payload = Some(payload);
        self
    }

    /// With what of the request is wrong.
    pub(crate) fn with_detail(
        mut self,
        location_type: &'static str,
        location: impl Into<String>,
        message: impl Into<String>,
    ) -> Refusal {
        self.0.details.push(Detail { message: message.into(), location: location.into(), location_type });
        self
    }

    /// With a code of the files service.
    pub(crate) fn with_code(mut self, code: u32) -> Refusal {
        self.0.code = Some(code);
        self
    }

    /// The body, in the shape of a family; `now` is what a publish is told instead of a timetoken.
    pub(crate) fn body(&self, family: Family, now: Position) -> Bytes {
        let (status, message) = (self.0.status.as_u16(), &*self.0.message);
        let error = match family {
            Family::Objects | Family::Actions | Family::Pam | Family::PamRevoke => {
                return self.structured(family).to_string().into();
            }
            // A service that is not its own speaks as itself.
            _ if self.0.service.is_some() => return self.plain(ACCESS_MANAGER).to_string().into(),
            Family::Files => return self.structured(family).to_string().into(),
            Family::Push => return json!({ "error": message }).to_string().into(),
            Family::Publish => json!([0, message, now.to_string()]),
            Family::Presence => {
                json!({ "status": status, "error": 1, "message": message, "service": "Presence" })
            }
            Family::Groups => self.plain("channel-registry"),
            Family::HistoryV2 => json!([message, 0, 0]),
            Family::History => {
                json!({ "status": status, "error": true, "error_message": message, "channels": {} })
            }
            Family::Subscribe | Family::Access => self.plain(ACCESS_MANAGER),
        };
        error.to_string().into()
    }

    /// `{"message","error":true,"service","status","payload"?}`.
    fn plain(&self, service: &'static str) -> Value {
        let mut body = json!({
            "message": self.0.message,
            "error": true,
            "service": self.0.service.unwrap_or(service),
            "status": self.0.status.as_u16(),
        });
        if let Some(payload) = &self.0.payload {
            body["payload"] = payload.clone();
        }
        body
    }

    /// `{"status","error":{"message","source","details"?},"service"?}`.
    fn structured(&self, family: Family) -> Value {
        let source = match family {
            Family::Actions => "actions",
            Family::Files => "Files",
            Family::Pam => "grant",
            Family::PamRevoke => "revoke",
            _ => "objects",
        };
        let mut error = Map::new();
        error.insert("message".into(), self.0.message.clone().into());
        error.insert("source".into(), source.into());
        if let Some(code) = self.0.code {
            error.insert("code".into(), code.into());
        }
        if !self.0.details.is_empty() {
            let detail = |detail: &Detail| {
                json!({
                    "message": detail.message,
                    "location": detail.location,
                    "locationType": detail.location_type,
                })
            };
            error.insert("details".into(), self.0.details.iter().map(detail).collect());
        }
        let mut body = json!({ "status": self.0.status.as_u16(), "error": error });
        if matches!(family, Family::Pam | Family::PamRevoke) {
            body["service"] = ACCESS_MANAGER.into();
        }
        if let Some(payload) = &self.0.payload {
            body["payload"] = payload.clone();
        }
        body
    }
}

/// Routes that say what is wrong in one shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// `[0,"…","<timetoken>"]`: publish, signal, files that are published.
    Publish,
    /// The access manager's own shape.
    Subscribe,
    /// `{"status","error":1,"message","service":"Presence"}`
    Presence,
    /// `{"status","message","service":"channel-registry","error":true}`
    Groups,
    /// `["…",0,0]`
    HistoryV2,
    /// `{"status","error":true,"error_message"}`
    History,
    /// `{"status","error":{"source":"actions","message"}}`
    Actions,
    /// `{"status","error":{"message","source":"objects","details"?}}`
    Objects,
    /// `{"status","error":{"message","source":"Files","code"?}}`
    Files,
    /// `{"error":"…"}`
    Push,
    /// `{"status","error":{"message","source","details"},"service":"Access Manager"}`
    Pam,
    /// The same from another source.
    PamRevoke,
    /// `{"message","error":true,"service":"Access Manager","status"}`: what is of no other family, v2 grants among it.
    Access,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(refusal: &Refusal, family: Family) -> Value {
        serde_json::from_slice(&refusal.body(family, Position(17))).unwrap()
    }

    #[test]
    fn each_family_has_its_shape() {
        let refusal = Refusal::bad("no").with_code(3001);
        for (family, expected) in [
            (Family::Publish, json!([0, "no", "17"])),
            (
                Family::Subscribe,
                json!({"message": "no", "error": true, "service": "Access Manager", "status": 400}),
            ),
            (Family::Presence, json!({"status": 400, "error": 1, "message": "no", "service": "Presence"})),
            (
                Family::Groups,
                json!({"status": 400, "message": "no", "service": "channel-registry", "error": true}),
            ),
            (Family::History, json!({"status": 400, "error": true, "error_message": "no", "channels": {}})),
            (
                Family::Files,
                json!({"status": 400, "error": {"message": "no", "source": "Files", "code": 3001}}),
            ),
            (Family::Push, json!({"error": "no"})),
        ] {
            assert_eq!(body(&refusal, family), expected, "{family:?}");
        }
        let taken = Refusal::new(StatusCode::CONFLICT, "Action Already Added");
        assert_eq!(
            body(&taken, Family::Actions),
            json!({"status": 409, "error": {"source": "actions", "message": "Action Already Added"}})
        );
        let detailed = Refusal::bad("Invalid ttl").with_detail("body", "ttl", "Range should be 1 to 43200");
        assert_eq!(
            body(&detailed, Family::Pam),
            json!({"status": 400, "service": "Access Manager", "error": {
                "message": "Invalid ttl", "source": "grant",
                "details": [{"message": "Range should be 1 to 43200", "location": "ttl", "locationType": "body"}],
            }})
        );
    }

    #[test]
    fn the_access_manager_speaks_for_itself() {
        let key = json!({
            "message": "Invalid Subscribe Key", "error": true, "service": "Access Manager", "status": 400
        });
        let forbidden = Refusal::forbidden("Forbidden").with_payload(json!({"channels": ["x"]}));
        let expected = json!({
            "message": "Forbidden", "payload": {"channels": ["x"]}, "error": true,
            "service": "Access Manager", "status": 403,
        });
        for family in [Family::Publish, Family::Subscribe, Family::Presence, Family::Groups, Family::History]
        {
            assert_eq!(body(&Refusal::invalid_subscribe_key(), family), key, "{family:?}");
            assert_eq!(body(&forbidden, family), expected, "{family:?}");
        }
        assert_eq!(body(&forbidden, Family::Objects)["status"], 403);
    }
}
