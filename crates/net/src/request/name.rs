use antiphon_access::LimitSettings;

/// An event name that a client gives: on some wires it is a line of its own, so it has no control characters.
///
/// # Errors
/// It is empty, too long, or has one.
pub fn event_name(name: &str, limits: &LimitSettings) -> Result<Box<str>, String> {
    let max = limits.event_name_bytes_max;
    match name {
        "" => Err("cannot be empty".to_owned()),
        name if name.len() > max => Err(format!("has at most {max} bytes")),
        name if name.bytes().any(|byte| byte.is_ascii_control()) => {
            Err("cannot contain control characters".to_owned())
        }
        name => Ok(name.into()),
    }
}
