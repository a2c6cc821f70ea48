//! Where the secret of a new credential comes from.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;

use antiphon_access::{CredentialKind, Secret};

use super::terminal::NoEcho;
use crate::args::AddArgs;
use crate::failure::Failure;

/// More than any secret may have: what is longer is a mistake, and is said to be one where secrets are checked.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// The secret that the arguments name; none if one is to be made up.
///
/// # Errors
/// It cannot be read, or the arguments are for another kind of credential.
pub(super) fn read(args: &AddArgs) -> Result<Option<Secret>, Failure> {
    let kind = CredentialKind::from(args.kind);
    let wrong =
        |option, right| Err(Failure::new(format!("{option} is not for a {}: give {right}", args.kind)));
    match (kind, &args.secret, &args.secret_file, &args.password_file) {
        (CredentialKind::User, Some(_), _, _) => wrong("--secret", "--password-file"),
        (CredentialKind::User, _, Some(_), _) => wrong("--secret-file", "--password-file"),
        (CredentialKind::User, _, _, Some(path)) => first_line(path).map(Some),
        (CredentialKind::User, None, None, None) => ask(&args.name).map(Some),
        (_, _, _, Some(_)) => wrong("--password-file", "--secret-file"),
        (_, Some(secret), _, _) => Ok(Some(Secret::new(secret))),
        (_, _, Some(path), _) => first_line(path).map(Some),
        (_, None, None, None) => Ok(None),
    }
}

fn first_line(path: &Path) -> Result<Secret, Failure> {
    if path.as_os_str() == "-" {
        return line_of(io::stdin().lock(), "standard input");
    }
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| Failure::new(format!("{name}: {error}")))?;
    line_of(file, &name)
}

fn line_of(input: impl Read, name: &str) -> Result<Secret, Failure> {
    let mut bytes = Vec::new();
    let read = input.take(FILE_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(|error| Failure::new(format!("{name}: {error}")))?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok("") => Err(Failure::new(format!("{name}: there is nothing on the first line"))),
        Ok(line) => Ok(Secret::new(line)),
        Err(_) => Err(Failure::new(format!("{name}: the first line is not UTF-8"))),
    }
}

/// Asks for a password twice, because it is not seen.
fn ask(name: &str) -> Result<Secret, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::new(
            "a user needs a password: give --password-file FILE, or - for standard input",
        ));
    }
    let once = ask_once(&format!("Password for {name}: "))?;
    if ask_once("Once more: ")? != once {
        return Err(Failure::new("the two passwords differ"));
    }
    Ok(once)
}

fn ask_once(prompt: &str) -> Result<Secret, Failure> {
    let broken = |error: io::Error| Failure::new(format!("standard input: {error}"));
    eprint!("{prompt}");
    io::stderr().flush().map_err(broken)?;
    let stdin = io::stdin();
    let mut line = String::new();
    {
        let _quiet = NoEcho::on(&stdin).map_err(broken)?;
        stdin.read_line(&mut line).map_err(broken)?;
    }
    // The line break was not seen either.
    eprintln!();
    Ok(Secret::new(line.trim_end_matches(['\n', '\r'])))
}

/// A secret that nobody has had before: 32 bytes of randomness in 43 characters, all of which may stand in a URL.
///
/// # Errors
/// The system has no randomness.
pub(super) fn made_up() -> Result<Secret, Failure> {
    use base64::Engine as _;
    let mut random = [0; 32];
    getrandom::fill(&mut random)
        .map_err(|error| Failure::new(format!("no secret can be made up: {error}")))?;
    Ok(Secret::new(&base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_first_line_without_its_end() {
        for (bytes, expected) in [
            (&b"secret"[..], Some("secret")),
            (b"secret\n", Some("secret")),
            (b"secret\r\nmore", Some("secret")),
            (b" a b \n", Some(" a b ")),
            (b"", None),
            (b"\nsecret", None),
            (b"\xff", None),
        ] {
            let line = line_of(bytes, "file");
            assert_eq!(line.ok().as_ref().map(Secret::expose), expected, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_made_up_is_long_and_another_each_time() {
        let (one, other) = (made_up().unwrap(), made_up().unwrap());
        assert_ne!(one, other);
        assert!(one.expose().len() >= 32, "{}", one.expose().len());
        let url_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        assert!(one.expose().bytes().all(url_safe));
    }
}
