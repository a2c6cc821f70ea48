//! The configuration: a file, the environment and the command line put together.

mod acme;
mod catalogue;
mod duration;
mod environment;
mod exp;
mod limits;
mod listen;
mod proxy;
mod pubnub;
mod reference;
mod rule;
mod settings;
mod socketio;
mod store;
mod timeouts;
mod tls;
mod unknown;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Table;
use toml::de::DeTable;

pub(crate) use self::acme::{AcmeChallenge, AcmeSection};
pub(crate) use self::duration::{Age, Duration};
pub(crate) use self::environment::InvalidVariable;
pub(crate) use self::exp::ExpSection;
pub(crate) use self::listen::ListenAddress;
pub(crate) use self::reference::reference;
pub(crate) use self::settings::Settings;
pub(crate) use self::socketio::SocketIoSection;
pub(crate) use self::store::StoreKind;
pub(crate) use self::tls::{CertificateFiles, ClientCertificates, Redirect, TlsSection, TlsVersion};

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// What is in the file cannot be used, in one line for each fault.
    #[error("{}", lines(.0))]
    File(Vec<Fault>),
    /// A variable sets nothing.
    #[error(transparent)]
    Variable(#[from] InvalidVariable),
    /// A variable has a value that its setting cannot have.
    #[error("{name}: {problem}")]
    Value {
        /// The variable.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// The values do not go together.
    #[error("{0}")]
    Contradiction(String),
}

/// Something in a file that cannot be used.
#[derive(Debug)]
pub(crate) struct Fault {
    path: PathBuf,
    line: usize,
    problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.problem)
    }
}

fn lines(faults: &[Fault]) -> String {
    faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n")
}

/// Where settings come from, besides the command line: the environment goes before the file.
pub(crate) struct Sources<'a> {
    /// The file, if there is one.
    pub(crate) file: Option<&'a Path>,
    /// All environment variables.
    pub(crate) environment: Vec<(OsString, OsString)>,
}

impl<'a> Sources<'a> {
    /// This file and the process's environment.
    pub(crate) fn with_file(file: Option<&'a Path>) -> Sources<'a> {
        Sources { file, environment: std::env::vars_os().collect() }
    }

    /// Reads the settings.
    ///
    /// # Errors
    /// The file cannot be read; a key or a variable means nothing, or its value is not one that it can have.
    pub(crate) fn settings(self) -> Result<Settings, ConfigError> {
        let mut table = match self.file {
            Some(path) => read_file(path)?,
            None => Table::new(),
        };
        let mut settings = deserialize(&table).map_err(ConfigError::Contradiction)?;
        // One after the other, so that it is known which one is wrong.
        for variable in environment::read(self.environment)? {
            variable.apply(&mut table);
            settings = deserialize(&table)
                .map_err(|problem| ConfigError::Value { name: variable.name.clone(), problem })?;
        }
        Ok(settings)
    }
}

fn deserialize(table: &Table) -> Result<Settings, String> {
    Settings::deserialize(table.clone()).map_err(|error| error.message().to_owned())
}

fn read_file(path: &Path) -> Result<Table, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let fault = |at: usize, problem: String| Fault { path: path.to_owned(), line: line(&text, at), problem };
    let broken = |error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        ConfigError::File(vec![fault(at, error.message().to_owned())])
    };
    let document = DeTable::parse(&text).map_err(broken)?;
    let unknown = unknown::in_file(document.get_ref());
    if !unknown.is_empty() {
        let faults = unknown.into_iter().map(|unknown| {
            let suggestion = environment::suggestion(unknown.nearest.as_deref());
            fault(unknown.at, format!("there is no setting {}{suggestion}", unknown.path))
        });
        return Err(ConfigError::File(faults.collect()));
    }
    // For the line of a value that is of the wrong type; a table keeps none.
    toml::from_str::<Settings>(&text).map_err(broken)?;
    toml::from_str(&text).map_err(broken)
}

/// The line, counted from 1, of a byte.
fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

impl Settings {
    /// Checks what one value alone does not show.
    ///
    /// # Errors
    /// A limit lets nothing through, a time is none, or nothing is listened on.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let contradiction = |text: String| Err(ConfigError::Contradiction(text));
        if self.listen.is_empty() && self.tls.listen.is_empty() {
            return contradiction("listen: give at least one address".into());
        }
        if let Some(name) = self.limits.zero() {
            return contradiction(format!("{name} has to be at least 1"));
        }
        if let Some(name) = self.timeouts.zero() {
            return contradiction(format!("{name} has to be longer than 0s"));
        }
        match self.tls.acme.as_ref().map(|acme| acme.check(self)) {
            Some(Err(text)) => contradiction(format!("tls.acme: {text}")),
            _ => Ok(()),
        }
    }

    /// The settings as a file that would set them, secrets redacted.
    pub(crate) fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("settings consist of tables, lists and scalars")
    }
}

#[cfg(test)]
mod tests;
