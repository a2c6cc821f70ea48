use std::io::{self, Read};

use serde::de::IgnoredAny;

use crate::args::PayloadArgs;
use crate::failure::Failure;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const BINARY: &str = "application/octet-stream";

/// What is to be published.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Payload {
    pub(super) content_type: &'static str,
    pub(super) bytes: Vec<u8>,
}

impl Payload {
    /// Takes the payload from the command line, a file or standard input.
    ///
    /// # Errors
    /// It cannot be read, or is not what an option says it is.
    pub(super) fn read(args: &PayloadArgs) -> Result<Payload, Failure> {
        let bytes = match (&args.file, args.payload.as_deref()) {
            (Some(path), _) => {
                std::fs::read(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?
            }
            (None, None | Some("-")) => {
                let mut bytes = Vec::new();
                let read = io::stdin().read_to_end(&mut bytes);
                read.map_err(|error| Failure::new(format!("standard input: {error}")))?;
                bytes
            }
            (None, Some(payload)) => payload.as_bytes().to_vec(),
        };
        Payload::of(bytes, args)
    }

    fn of(bytes: Vec<u8>, args: &PayloadArgs) -> Result<Payload, Failure> {
        let json = || serde_json::from_slice::<IgnoredAny>(&bytes);
        let content_type = match () {
            () if args.binary => BINARY,
            () if args.text && std::str::from_utf8(&bytes).is_err() => {
                return Err(Failure::new("the payload is not UTF-8: publish it with --binary"));
            }
            () if args.text => TEXT,
            () if args.json => match json() {
                Ok(_) => JSON,
                Err(error) => return Err(Failure::new(format!("the payload is not JSON: {error}"))),
            },
            () if json().is_ok() => JSON,
            () if std::str::from_utf8(&bytes).is_ok() => TEXT,
            () => BINARY,
        };
        Ok(Payload { content_type, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(option: &str) -> PayloadArgs {
        PayloadArgs {
            payload: None,
            file: None,
            text: option == "text",
            json: option == "json",
            binary: option == "binary",
            name: None,
            meta: None,
        }
    }

    #[test]
    fn the_payload_is_what_it_looks_like_or_what_an_option_says() {
        for (bytes, option, expected) in [
            (&b"{\"a\":1}"[..], "", Some(JSON)),
            (b"hello", "", Some(TEXT)),
            (b"\xff", "", Some(BINARY)),
            (b"", "", Some(TEXT)),
            (b"{\"a\":1}", "text", Some(TEXT)),
            (b"{\"a\":1}", "binary", Some(BINARY)),
            (b"hello", "json", None),
            (b"\xff", "text", None),
        ] {
            let payload = Payload::of(bytes.to_vec(), &args(option));
            assert_eq!(payload.ok().map(|payload| payload.content_type), expected, "{bytes:?} {option}");
        }
    }
}
