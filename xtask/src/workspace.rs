use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Outcome;
use crate::command::{cargo, command, output, run};

/// The repository, as cargo and git describe it.
pub(crate) struct Workspace {
    /// Its root.
    pub(crate) root: PathBuf,
}

impl Workspace {
    /// The repository that this program was built from.
    pub(crate) fn here() -> Workspace {
        let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
        Workspace { root: xtask.parent().expect("xtask is a directory of the repository").to_path_buf() }
    }

    /// Where builds go, and what else can be made again.
    pub(crate) fn target(&self) -> PathBuf {
        // Cargo has many ways to be told of another place; where this program was put is the answer to all of them.
        let program = std::env::current_exe().ok();
        let target = program.as_deref().and_then(Path::parent).and_then(Path::parent);
        target.map_or_else(|| self.root.join("target"), Path::to_path_buf)
    }

    /// Builds every binary and test of the workspace in the dev profile and gives the path of `antiphon`.
    ///
    /// Always all of it, with what the tests need: building the one binary alone would choose other features for the
    /// crates underneath, and compile them a second time.
    ///
    /// # Errors
    /// It does not compile.
    pub(crate) fn binary(&self) -> Outcome<PathBuf> {
        run(cargo(&self.root).args(["build", "--quiet", "--workspace", "--bins", "--tests"]))?;
        Ok(self.target().join("debug").join(format!("antiphon{}", std::env::consts::EXE_SUFFIX)))
    }

    /// Builds what [`Workspace::binary`] does and an example, and gives the example's path.
    ///
    /// # Errors
    /// It does not compile.
    pub(crate) fn example(&self, name: &str) -> Outcome<PathBuf> {
        let all = ["build", "--quiet", "--workspace", "--bins", "--tests", "--example", name];
        run(cargo(&self.root).args(all))?;
        Ok(self.target().join("debug/examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
    }

    /// What cargo knows of the workspace and of all it depends on.
    ///
    /// # Errors
    /// A manifest is wrong, or a dependency cannot be had.
    pub(crate) fn metadata(&self) -> Outcome<Metadata> {
        let json = output(cargo(&self.root).args(["metadata", "--format-version", "1"]))?;
        Ok(serde_json::from_str(&json)?)
    }

    /// The files that are in the repository or about to be: all but what git ignores. Paths are relative to the root.
    ///
    /// # Errors
    /// There is no git, or this is not its repository.
    pub(crate) fn files(&self) -> Outcome<Vec<PathBuf>> {
        let mut git = command("git", &self.root);
        let list = output(git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]))?;
        let paths = list.split_terminator('\0').map(PathBuf::from);
        // What is deleted but not yet committed is still listed.
        Ok(paths.filter(|path| self.root.join(path).is_file()).collect())
    }
}

/// The part of `cargo metadata` that is looked at.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    /// Members of the workspace, and all that they depend on.
    pub(crate) packages: Vec<Package>,
}

/// A crate.
#[derive(Deserialize)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// The registry or repository it is from; none for members of the workspace.
    pub(crate) source: Option<String>,
    /// Its `Cargo.toml`.
    pub(crate) manifest_path: PathBuf,
    /// What it depends on, for whatever purpose.
    pub(crate) dependencies: Vec<Dependency>,
}

/// What a crate says of another it depends on.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    /// The other's name.
    pub(crate) name: String,
    /// The other's directory, if it is of the workspace.
    pub(crate) path: Option<PathBuf>,
    /// `dev`, `build`, or nothing for what the crate itself stands on.
    pub(crate) kind: Option<String>,
}
