use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::Outcome;
use crate::command::{cargo, command, output, run as run_command};
use crate::workspace::Workspace;

/// The options of `cargo xtask dist`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Build a second time, from a copy of what is committed in another directory, and fail if the two differ.
    #[arg(long)]
    check: bool,
}

/// Builds the binary that is given to others, the same bytes wherever it is built: paths and times of this machine are left out.
///
/// It is `dist/antiphon` below the target directory, with its digest beside it.
///
/// # Errors
/// It does not build, or the second build is another.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let workspace = Workspace::here();
    let target = workspace.target();
    let dist = target.join("dist");
    fs::create_dir_all(&dist)?;
    let binary = dist.join("antiphon");
    fs::copy(build(&workspace.root, &target.join("dist-build"))?, &binary)?;
    let digest = digest(&binary)?;
    fs::write(dist.join("antiphon.sha256"), format!("{digest}  antiphon\n"))?;
    println!("{digest}  {}", binary.display());
    if arguments.check {
        let again = again(&workspace, &target)?;
        if again != digest {
            return Err(format!("the second build is another: {again}").into());
        }
        println!("A second build, from a copy elsewhere, is the same.");
    }
    Ok(())
}

/// Builds what is committed once more, in another place, and gives the digest.
fn again(workspace: &Workspace, target: &Path) -> Outcome<String> {
    let copy = target.join("dist-copy");
    if copy.exists() {
        fs::remove_dir_all(&copy)?;
    }
    let mut git = command("git", &workspace.root);
    run_command(git.args(["clone", "--quiet", "--no-hardlinks", "."]).arg(&copy))?;
    let digest = digest(&build(&copy, &copy.join("elsewhere"))?)?;
    fs::remove_dir_all(&copy)?;
    Ok(digest)
}

fn build(root: &Path, target: &Path) -> Outcome<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let home = home.ok_or("there is no home directory, and CARGO_HOME is not set")?;
    // What stands later wins, and the target directory may be below the root.
    let named = [(home.as_path(), "/cargo"), (root, "/antiphon"), (target, "/target")];
    let rust = named.map(|(path, name)| format!("--remap-path-prefix={}={name}", path.display()));
    let c = named.map(|(path, name)| format!("-ffile-prefix-map={}={name}", path.display()));
    let epoch = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(epoch) => epoch,
        Err(_) => output(command("git", root).args(["log", "-1", "--format=%ct"]))?,
    };
    let mut cargo = cargo(root);
    cargo.args(["build", "--locked", "--profile", "dist", "--package", "antiphon-server", "--target-dir"]);
    cargo.arg(target).env("CARGO_INCREMENTAL", "0").env("SOURCE_DATE_EPOCH", epoch.trim());
    cargo.env("CARGO_ENCODED_RUSTFLAGS", rust.join("\u{1f}")).env("CFLAGS", c.join(" "));
    run_command(&mut cargo)?;
    Ok(target.join("dist/antiphon"))
}

fn digest(file: &Path) -> Outcome<String> {
    let root = file.parent().unwrap_or(Path::new("."));
    let line = output(command("sha256sum", root).arg(file))?;
    Ok(line.split_whitespace().next().unwrap_or_default().to_owned())
}
