//! What is asked of the access manager, and what it answers.

use std::collections::BTreeMap;

use antiphon_access::pam::{AuthKeyGrant, Bits, Level, Scopes, TokenGrant};
use serde_json::{Map, Value, json};

use crate::wire::error::Refusal;
use crate::wire::names::unique;
use crate::wire::query::Query;

/// Reads what a token is to say. `users` and `spaces` repeat `uuids` and `channels`, and are passed over.
///
/// # Errors
/// It is not of this shape; the refusal says where.
pub(crate) fn token(body: &[u8]) -> Result<TokenGrant, Refusal> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad("Invalid JSON").with_detail("body", "", error.to_string()))?;
    let object = body.as_object().ok_or_else(|| wrong("", "an object"))?;
    let permissions = match object.get("permissions") {
        Some(Value::Object(permissions)) => permissions,
        _ => return Err(wrong("permissions", "an object")),
    };
    let ttl_minutes = match object.get("ttl") {
        // No token is valid for less than nothing, and the access manager says how long it may be.
        Some(Value::Number(ttl)) => ttl.as_u64().unwrap_or_default(),
        _ => return Err(wrong("ttl", "a number of minutes")),
    };
    let meta = match permissions.get("meta") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(meta)) => meta.clone(),
        Some(_) => return Err(wrong("permissions.meta", "an object")),
    };
    let uuid = match permissions.get("uuid") {
        None | Some(Value::Null) => None,
        Some(Value::String(uuid)) => Some(uuid.as_str().into()),
        Some(_) => return Err(wrong("permissions.uuid", "a string")),
    };
    let resources = scopes(permissions, "resources")?;
    let patterns = scopes(permissions, "patterns")?;
    Ok(TokenGrant { ttl_minutes, resources, patterns, meta, uuid })
}

fn scopes(permissions: &Map<String, Value>, name: &str) -> Result<Scopes, Refusal> {
    let scopes = match permissions.get(name) {
        None | Some(Value::Null) => return Ok(Scopes::default()),
        Some(Value::Object(scopes)) => scopes,
        Some(_) => return Err(wrong(&format!("permissions.{name}"), "an object")),
    };
    let scope = |kind: &str| scope(scopes.get(kind), &format!("permissions.{name}.{kind}"));
    Ok(Scopes { channels: scope("channels")?, groups: scope("groups")?, uuids: scope("uuids")? })
}

fn scope(value: Option<&Value>, location: &str) -> Result<BTreeMap<Box<str>, Bits>, Refusal> {
    let names = match value {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Object(names)) => names,
        Some(_) => return Err(wrong(location, "an object")),
    };
    let bits = |(name, bits): (&String, &Value)| {
        let bits = bits.as_u64().and_then(Bits::from_bits);
        let bits =
            bits.ok_or_else(|| wrong(&format!("{location}.{name}"), "a sum of permission bits, 0 to 255"))?;
        Ok((name.as_str().into(), bits))
    };
    names.iter().map(bits).collect()
}

fn wrong(location: &str, expected: &str) -> Refusal {
    let name = if location.is_empty() { "body" } else { location };
    let last = name.split('.').next_back().unwrap_or_default();
    Refusal::bad(format!("Invalid {last}")).with_detail("body", location, format!("Expected {expected}"))
}

/// The permissions of a grant to auth keys, by the letters that stand for them.
const LETTERS: [(&str, Bits); 7] = [
    ("r", Bits::READ),
    ("w", Bits::WRITE),
    ("m", Bits::MANAGE),
    ("d", Bits::DELETE),
    ("g", Bits::GET),
    ("u", Bits::UPDATE),
    ("j", Bits::JOIN),
];

/// Reads what auth keys are to be granted.
///
/// # Errors
/// The time is not a number.
pub(crate) fn auth_keys(query: &Query) -> Result<AuthKeyGrant, Refusal> {
    let granted = LETTERS.iter().filter(|(letter, _)| query.says_yes(letter));
    let bits = granted.fold(Bits::NONE, |all, (_, bits)| all | *bits);
    let names = |parameter| -> Vec<Box<str>> {
        unique(query.one(parameter).unwrap_or_default()).into_iter().map(Box::from).collect()
    };
    let ttl_minutes = match query.filled("ttl") {
        None => None,
        Some(_) => Some(query.number("ttl").ok_or_else(|| Refusal::bad("Invalid ttl"))?),
    };
    Ok(AuthKeyGrant {
        bits,
        channels: names("channel"),
        groups: names("channel-group"),
        uuids: names("target-uuid"),
        auths: names("auth"),
        ttl_minutes,
    })
}

/// Writes what auth keys were granted. One channel or group alone is not named in a map, if there are auth keys.
pub(crate) fn granted(grant: &AuthKeyGrant, level: Level, subscribe_key: &str, ttl_minutes: u64) -> Value {
    let mut payload = Map::new();
    payload.insert("level".into(), level.to_string().into());
    payload.insert("subscribe_key".into(), subscribe_key.into());
    payload.insert("ttl".into(), ttl_minutes.into());
    let is_one = grant.channels.len() + grant.groups.len() == 1 && grant.uuids.is_empty();
    if is_one && !grant.auths.is_empty() {
        if let Some(name) = grant.channels.first() {
            payload.insert("channel".into(), (&**name).into());
        }
        if let Some(name) = grant.groups.first() {
            payload.insert("channel-group".into(), (&**name).into());
        }
        payload.extend(to(grant));
        return payload.into();
    }
    let mut is_everything = true;
    for (word, names) in
        [("channels", &grant.channels), ("channel-groups", &grant.groups), ("uuids", &grant.uuids)]
    {
        if !names.is_empty() {
            let each = names.iter().map(|name| (name.to_string(), Value::Object(to(grant))));
            payload.insert(word.into(), Value::Object(each.collect()));
            is_everything = false;
        }
    }
    if is_everything {
        payload.extend(to(grant));
    }
    payload.into()
}

/// To whom: everybody, or by auth key.
fn to(grant: &AuthKeyGrant) -> Map<String, Value> {
    let flags = || {
        LETTERS
            .iter()
            .map(|(letter, bits)| ((*letter).to_owned(), Value::from(u8::from(grant.bits.contains(*bits)))))
    };
    if grant.auths.is_empty() {
        return flags().collect();
    }
    let auths: Map<String, Value> =
        grant.auths.iter().map(|auth| (auth.to_string(), Value::Object(flags().collect()))).collect();
    Map::from_iter([("auths".to_owned(), json!(auths))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_says_what_is_asked_for_once() {
        let body = json!({"ttl": 60, "permissions": {
            "resources": {
                "channels": {"a": 3}, "groups": {"g": 1}, "uuids": {"u": 32}, "users": {"u": 32}, "spaces": {"a": 3}
            },
            "patterns": {"channels": {"^b": 255}},
            "meta": {"k": 1}, "uuid": "me",
        }});
        let grant = token(body.to_string().as_bytes()).unwrap();
        assert_eq!((grant.ttl_minutes, grant.uuid.as_deref()), (60, Some("me")));
        assert_eq!(grant.resources.channels, BTreeMap::from([("a".into(), Bits::READ | Bits::WRITE)]));
        assert_eq!(grant.resources.groups.len() + grant.resources.uuids.len(), 2);
        assert_eq!(grant.patterns.channels, BTreeMap::from([("^b".into(), Bits::ALL)]));
        assert_eq!(grant.meta["k"], 1);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (body, location) in [
            (json!([]), ""),
            (json!({"ttl": 1}), "permissions"),
            (json!({"ttl": "1", "permissions": {}}), "ttl"),
            (json!({"ttl": 1, "permissions": {"meta": []}}), "permissions.meta"),
            (json!({"ttl": 1, "permissions": {"uuid": 1}}), "permissions.uuid"),
            (json!({"ttl": 1, "permissions": {"patterns": 1}}), "permissions.patterns"),
            (json!({"ttl": 1, "permissions": {"resources": {"groups": 1}}}), "permissions.resources.groups"),
            (
                json!({"ttl": 1, "permissions": {"resources": {"channels": {"a.b": 256}}}}),
                "permissions.resources.channels.a.b",
            ),
        ] {
            let refusal = token(body.to_string().as_bytes()).unwrap_err();
            let body = refusal.body(crate::wire::error::Family::Pam, antiphon_model::Position::ZERO);
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["error"]["details"][0]["location"], location, "{body}");
        }
    }

    #[test]
    fn every_level_has_its_shape() {
        let flags = json!({"r": 1, "w": 1, "m": 0, "d": 0, "g": 0, "u": 0, "j": 0});
        let auths = json!({"auths": {"k": flags}});
        for (query, level, expected) in [
            ("r=1&w=1", Level::Subkey, flags.clone()),
            ("r=1&w=1&channel=a", Level::Channel, json!({"channels": {"a": flags}})),
            ("r=1&w=1&channel=a&auth=k", Level::User, json!({"channel": "a", "auths": {"k": flags}})),
            ("r=1&w=1&channel=a,b&auth=k", Level::User, json!({"channels": {"a": auths, "b": auths}})),
            ("r=1&w=1&channel-group=g", Level::ChannelGroup, json!({"channel-groups": {"g": flags}})),
            (
                "r=1&w=1&channel-group=g&auth=k,l",
                Level::ChannelGroupUser,
                json!({"channel-group": "g", "auths": {"k": flags, "l": flags}}),
            ),
            (
                "r=1&w=1&channel-group=g&channel=a&auth=k",
                Level::ChannelGroupUser,
                json!({"channel-groups": {"g": auths}, "channels": {"a": auths}}),
            ),
            ("r=1&w=1&target-uuid=u&auth=k", Level::Uuid, json!({"uuids": {"u": auths}})),
        ] {
            let grant = auth_keys(&Query::parse(query)).unwrap();
            let mut expected = expected;
            expected["level"] = level.to_string().into();
            expected["subscribe_key"] = "s".into();
            expected["ttl"] = 5.into();
            assert_eq!(granted(&grant, level, "s", 5), expected, "{query}");
        }
        assert!(auth_keys(&Query::parse("ttl=x")).is_err());
        assert_eq!(auth_keys(&Query::parse("ttl=0")).unwrap().ttl_minutes, Some(0));
    }

    proptest! {
        #[test]
        fn no_body_panics(body: Vec<u8>) {
            let _ = token(&body);
        }
    }
}
