//! What devices are called by those who deliver to them.

use crate::wire::error::Refusal;
use crate::wire::query::Query;

/// A device that messages can be delivered to while its app is not running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    gateway: &'static str,
    /// Of APNs over HTTP/2: which of its servers, and which app. Else empty.
    environment: &'static str,
    topic: Box<str>,
    token: Box<str>,
}

/// How many bytes a device's token may have that is not made of digits.
const TOKEN_BYTES_MAX: usize = 512;

/// How many bytes the name of an app may have.
const TOPIC_BYTES_MAX: usize = 256;

/// Between the parts of a key. None of them has a control character.
const BETWEEN: char = '\n';

impl Device {
    /// The device of a request that says `type=gcm|fcm|apns|mpns`.
    ///
    /// # Errors
    /// It says something else, or the token is none of that sort.
    pub(crate) fn of_type(token: &str, query: &Query) -> Result<Device, Refusal> {
        let gateway = match query.filled("type") {
            // The same service by its later name.
            Some("gcm" | "fcm") => "gcm",
            Some("apns") => "apns",
            Some("mpns") => "mpns",
            _ => return Err(Refusal::bad("Invalid type argument: expected gcm, apns or mpns")),
        };
        if gateway == "apns" {
            check_hex(token)?;
        } else if !is_text(token, TOKEN_BYTES_MAX) {
            return Err(Refusal::bad("Invalid device token"));
        }
        let token = if gateway == "apns" { token.to_ascii_lowercase() } else { token.into() };
        Ok(Device { gateway, environment: "", topic: "".into(), token: token.into() })
    }

    /// The device of a request that says `environment=development|production` and `topic`.
    ///
    /// # Errors
    /// It does not, or the token is none.
    pub(crate) fn of_apns2(token: &str, query: &Query) -> Result<Device, Refusal> {
        check_hex(token)?;
        let environment = match query.filled("environment") {
            None | Some("development") => "development",
            Some("production") => "production",
            Some(_) => return Err(Refusal::bad("Invalid environment: expected development or production")),
        };
        let topic = query.filled("topic").ok_or_else(|| Refusal::bad("Missing topic argument"))?;
        if !is_text(topic, TOPIC_BYTES_MAX) {
            return Err(Refusal::bad("Invalid topic argument"));
        }
        // Digits are digits in either case.
        Ok(Device {
            gateway: "apns2",
            environment,
            topic: topic.into(),
            token: token.to_ascii_lowercase().into(),
        })
    }

    /// By what the device's registration for a channel is kept.
    pub(crate) fn key(&self, channel: &str) -> String {
        let mut key = self.prefix();
        key.push_str(channel);
        key
    }

    /// What the keys of all its registrations begin with.
    pub(crate) fn prefix(&self) -> String {
        let mut prefix = String::new();
        for part in [self.gateway, self.environment, &self.topic, &self.token] {
            prefix.push_str(part);
            prefix.push(BETWEEN);
        }
        prefix
    }
}

fn check_hex(token: &str) -> Result<(), Refusal> {
    let is_token = matches!(token.len(), 64 | 200) && token.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_token { Ok(()) } else { Err(Refusal::bad("Expected 32 or 100 byte hex device token")) }
}

fn is_text(text: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&text.len()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_what_their_gateways_make() {
        let query = Query::parse;
        let hex = "0123456789abcdefABCDEF0123456789".repeat(2);
        assert!(Device::of_type(&hex, &query("type=apns")).is_ok());
        assert!(Device::of_type("fGx:APA91-b_c", &query("type=gcm")).is_ok());
        assert_eq!(Device::of_type("t", &query("type=fcm")), Device::of_type("t", &query("type=gcm")));
        assert!(Device::of_apns2(&hex, &query("topic=com.example.app")).is_ok());
        for (token, text) in
            [("t", "type=apns"), ("t", "type=x"), ("t", ""), ("a\nb", "type=gcm"), ("", "type=mpns")]
        {
            assert!(Device::of_type(token, &query(text)).is_err(), "{token} {text}");
        }
        for (token, text) in
            [(&*hex, ""), (&hex, "topic=t&environment=test"), ("t", "topic=t"), (&hex, "topic=%0A")]
        {
            assert!(Device::of_apns2(token, &query(text)).is_err(), "{token} {text}");
        }
    }

    #[test]
    fn no_device_has_the_registrations_of_another() {
        let device = |token: &str, text: &str| Device::of_type(token, &Query::parse(text)).unwrap();
        let (short, long) = (device("a", "type=gcm"), device("ab", "type=gcm"));
        assert!(!long.key("c").starts_with(&short.prefix()));
        assert_eq!(short.key("c"), "gcm\n\n\na\nc");
    }
}
