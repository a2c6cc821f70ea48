//! Errors as EXP clients read them: an object with `code` and `message`.

use antiphon_net::problem::Problem;
use serde_json::{Map, Value};

/// What stands before the word in a problem's type.
const TYPE_PREFIX: &str = "urn:antiphon:problem:";

/// A problem with the members that clients read: the word of its type as `code`, its detail as `message`. The rest stays as it is.
pub(crate) fn document(problem: &Problem) -> Vec<u8> {
    let mut members: Map<String, Value> = serde_json::from_slice(&problem.to_json()).unwrap_or_default();
    members.remove("title");
    if let Some(Value::String(kind)) = members.remove("type") {
        let code = kind.strip_prefix(TYPE_PREFIX).unwrap_or(&kind);
        members.insert("code".into(), code.into());
    }
    if let Some(detail) = members.remove("detail") {
        members.insert("message".into(), detail);
    }
    // Made of JSON, so it is JSON.
    serde_json::to_vec(&members).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_access::Permission;
    use antiphon_model::{ChannelFlags, ChannelId};
    use antiphon_net::problem::ProblemKind;

    #[test]
    fn the_document_by_example() {
        let channel = ChannelId::new("news", ChannelFlags::SYSTEM).unwrap();
        let problem = Problem::new(ProblemKind::NotPermitted, "no")
            .with_channel(&channel)
            .with_permission(Permission::Publish);
        assert_eq!(
            String::from_utf8(document(&problem)).unwrap(),
            r#"{"channel":"news","code":"not-permitted","message":"no","permission":"publish","status":403,"system":true}"#
        );
    }
}
