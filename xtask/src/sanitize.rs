use crate::Outcome;
use crate::command::{cargo, command, output, run as run_command};
use crate::workspace::Workspace;

/// The crates that have unsafe code of their own.
const CRATES: [&str; 1] = ["antiphon-net"];

/// Runs the tests of the crates that have unsafe code under AddressSanitizer, which also finds what is leaked.
///
/// # Errors
/// They do not build, or a test or the sanitizer found something.
pub(crate) fn run() -> Outcome {
    let workspace = Workspace::here();
    let rustc = output(command("rustc", &workspace.root).arg("-vV"))?;
    let host =
        rustc.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc does not say its host")?;
    for name in CRATES {
        let mut cargo = cargo(&workspace.root);
        // Sanitizers are options of the nightly compiler; the variable lets the stable one take them. With a target named, they are not
        // applied to build scripts and macros.
        cargo.args(["test", "--package", name, "--lib", "--tests", "--target", host]);
        cargo.arg("--target-dir").arg(workspace.target().join("sanitize"));
        run_command(cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Zsanitizer=address"))?;
    }
    Ok(())
}
