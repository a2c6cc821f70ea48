use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::args::LogFormat;
use crate::failure::Failure;

/// Crates that warn of what peers do, who could fill the disk with it, and what is logged of them unless the filter names them.
const QUIET: [(&str, &str); 2] = [("h2", "error"), ("rustls", "off")];

/// Begins to log to standard error.
///
/// # Errors
/// The filter is not one.
pub(crate) fn start(filter: &str, format: LogFormat) -> Result<(), Failure> {
    let filter = EnvFilter::builder().parse(with_quiet_peers(filter)).map_err(|error| {
        Failure::new(format!("--log {filter}: {error}; give error, warn, info, debug or trace"))
    })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    match format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().init(),
    }
    Ok(())
}

/// The filter, with what is logged of the quiet crates that it does not name itself.
fn with_quiet_peers(filter: &str) -> String {
    let mut all = filter.to_owned();
    for (name, level) in QUIET {
        if !filter.split(',').any(|directive| directive.trim().starts_with(name)) {
            all.push_str(&format!(",{name}={level}"));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_quiet_unless_they_are_asked_for() {
        for (given, expected) in [
            ("info", "info,h2=error,rustls=off"),
            ("info,antiphon_net=debug", "info,antiphon_net=debug,h2=error,rustls=off"),
            ("warn,h2=debug", "warn,h2=debug,rustls=off"),
            ("warn,rustls=debug", "warn,rustls=debug,h2=error"),
            ("", ",h2=error,rustls=off"),
        ] {
            assert_eq!(with_quiet_peers(given), expected);
            assert!(EnvFilter::builder().parse(with_quiet_peers(given)).is_ok());
        }
        assert!(EnvFilter::builder().parse(with_quiet_peers("antiphon=nonsense")).is_err());
    }
}
