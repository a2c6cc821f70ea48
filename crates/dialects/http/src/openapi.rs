//! The OpenAPI 3.1 document at `/v1/openapi.json`: what a request may say, and every status that can be its answer.
//!
//! Schemas are derived from the types in [`schemas`]; the constraints of parameters come from the constants and settings
//! that the parsers use.

mod operations;
mod parameters;
mod schemas;

use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApiBuilder, SecurityRequirement};

use crate::HttpSettings;

const DESCRIPTION: &str = "One URL, every way to listen: `GET /v1/channels/{channel}` is a poll, a long poll (`wait`), \
    server-sent events (`Accept: text/event-stream`), HTTP streaming (`Accept: application/x-ndjson`) or a WebSocket \
    (`Upgrade: websocket`). Positions are strings of digits: ask again with `since` and nothing is missed.";

/// The document, as JSON.
pub(crate) fn document(settings: &HttpSettings) -> String {
    let bearer = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "An API key or a JWT. Without any credential the client is in the open org, if there is one.",
        ))
        .build();
    let token = ApiKeyValue::with_description("token", "The same, where headers cannot be set.");
    let components = ComponentsBuilder::new()
        .security_scheme("bearer", SecurityScheme::Http(bearer))
        .security_scheme("token", SecurityScheme::ApiKey(ApiKey::Query(token)));
    let none: [&str; 0] = [];
    let securities = [
        SecurityRequirement::default(),
        SecurityRequirement::new("bearer", none),
        SecurityRequirement::new("token", none),
    ];
    let info = InfoBuilder::new()
        .title("Antiphon")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(
            LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build(),
        ));
    let document = OpenApiBuilder::new()
        .info(info.build())
        .paths(operations::paths(settings))
        .components(Some(schemas::add_to(components).build()))
        .security(Some(securities))
        .build();
    document.to_json().expect("strings, numbers and maps with string keys are always serializable")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn parsed() -> Value {
        serde_json::from_str(&document(&HttpSettings::default())).unwrap()
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
            match value {
                Value::Object(members) => {
                    found.extend(members.get("$ref").and_then(Value::as_str));
                    members.values().for_each(|member| references(member, found));
                }
                Value::Array(items) => items.iter().for_each(|item| references(item, found)),
                _ => {}
            }
        }
        let document = parsed();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 20);
        for reference in found {
            assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_operation_has_a_name_problems_and_its_methods() {
        let document = parsed();
        let mut names = std::collections::HashSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            let example =
                path.replace("{channel}", "a").replace("{position}", "1").replace("{kind}/{name}", "user/a");
            let resource = crate::wire::path::parse(&example).unwrap();
            let allowed = crate::endpoint::allowed(&resource).unwrap();
            for (method, operation) in item.as_object().unwrap() {
                assert!(allowed.split(", ").any(|one| one.eq_ignore_ascii_case(method)), "{method} {path}");
                assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()));
                assert!(operation["summary"].is_string(), "{method} {path}");
                assert!(operation["responses"]["405"].is_object(), "{method} {path}");
            }
            for method in allowed.split(", ").filter(|method| *method != "OPTIONS") {
                assert!(item[method.to_ascii_lowercase()].is_object(), "{method} {path}");
            }
        }
    }

    #[test]
    fn limits_are_those_of_the_settings() {
        let settings = HttpSettings { history_limit_max: 77, ..HttpSettings::default() };
        assert!(document(&settings).contains("\"maximum\":77"));
    }
}
