use std::io::{self, Write};
use std::path::Path;

use crate::args::CheckConfigArgs;
use crate::config::{self, Sources};
use crate::failure::Failure;
use crate::serve::plan::Plan;

/// Prints the reference, or checks the configuration and prints what it comes to.
///
/// # Errors
/// The server would not start with it.
pub(crate) fn run(args: &CheckConfigArgs, config: Option<&Path>) -> Result<(), Failure> {
    if args.reference {
        return Ok(io::stdout().write_all(config::reference().as_bytes())?);
    }
    let settings = Sources::with_file(args.file.as_deref().or(config)).settings()?;
    let plan = Plan::new(&settings)?;
    for warning in &plan.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(io::stdout().write_all(settings.to_toml().as_bytes())?)
}
