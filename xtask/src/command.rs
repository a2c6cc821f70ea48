use std::path::Path;
use std::process::{Command, Stdio};

use crate::Outcome;

/// Starts the command line of a program that is to run in `directory`.
pub(crate) fn command(program: impl AsRef<Path>, directory: &Path) -> Command {
    let mut command = Command::new(program.as_ref());
    command.current_dir(directory);
    command
}

/// The cargo that runs this program, so that both are of one toolchain.
pub(crate) fn cargo(directory: &Path) -> Command {
    command(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()), directory)
}

/// Runs a command with its output shown.
///
/// # Errors
/// It could not be started, or ended with another status than 0.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let status = command.status().map_err(|error| could_not_start(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", shown(command)).into()) }
}

/// Runs a command and gives what it wrote on standard output; standard error is shown.
///
/// # Errors
/// As [`run`], or the output is not UTF-8.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let ran = command.stderr(Stdio::inherit()).output().map_err(|error| could_not_start(command, &error))?;
    if !ran.status.success() {
        return Err(format!("{} ended with {}", shown(command), ran.status).into());
    }
    Ok(String::from_utf8(ran.stdout)?)
}

/// Whether a command runs and ends well. Shows nothing.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn could_not_start(command: &Command, error: &std::io::Error) -> String {
    format!("{} could not be started: {error}", shown(command))
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let mut text = format!("`{}", program.display());
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text.push('`');
    text
}
