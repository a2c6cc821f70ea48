use std::fmt;
use std::io;

use crate::config::ConfigError;

/// Why a command did not do what it was told, in words for whoever gave it.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    output: Option<io::ErrorKind>,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), output: None }
    }

    /// Whether whoever read standard output has had enough, which is not a failure: `antiphon history room | head -1`.
    pub(crate) fn is_closed_output(&self) -> bool {
        self.output == Some(io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Of standard output: other errors say which file they are about.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure { message: format!("standard output: {error}"), output: Some(error.kind()) }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        Failure::new(error.to_string())
    }
}
