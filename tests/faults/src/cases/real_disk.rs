//! A disk that is really full: a small file system of its own, where mounting one is allowed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::cases::{Context, refusals};
use crate::history::histories;
use crate::load::{Load, Shape};
use crate::publisher::Dialect;
use crate::server::Server;

const CHANNELS: [&str; 2] = ["small-a", "small-b"];
const CONFIG: &str = "[[rule]]\nhistory_size = 1000000\n";

/// A file system in memory, unmounted when this is dropped.
struct Mounted(PathBuf);

impl Mounted {
    /// None where it is not allowed. It is far larger than what is published, so that it is full only when it is filled.
    fn new(directory: &Path) -> Option<Mounted> {
        std::fs::create_dir(directory).expect("a directory can be made");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=48m", "faults"]).arg(directory);
        let status = mount.stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success()).then(|| Mounted(directory.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // What is left of it goes with the machine.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// The same as with a disk that only says that it is full; so it adds no rows.
pub(super) async fn run(context: Context) {
    let mut server = Server::new(&context.shim, CONFIG);
    let Some(mounted) = Mounted::new(&server.data_dir()) else {
        println!("LEFT OUT: {}: a file system cannot be mounted here", context.case);
        return;
    };
    server.run().await;
    let storing = [Dialect::Native, Dialect::V1, Dialect::SocketIo, Dialect::PubNub];
    let shape = Shape {
        channels: &CHANNELS,
        publishers: 8,
        dialects: &storing,
        padding: 3000,
        pause: Duration::from_millis(1),
    };
    let load = Load::start(&server.api(), shape, "small");
    let ledger = load.ledger.clone();
    let filler = mounted.0.join("filler");
    for _ in 0..2 {
        ledger.more(20).await;
        ledger.forget_refusals();
        // Whatever is left, somebody else takes it.
        let mut taken = std::fs::File::create(&filler).unwrap();
        let _ = std::io::copy(&mut std::io::repeat(0), &mut taken);
        for (dialect, said) in refusals(&ledger, &storing).await {
            let expected = if dialect == Dialect::PubNub { "503" } else { "507 storage-full" };
            assert_eq!(said, [expected], "{}", dialect.name());
        }
        assert!(server.is_running());
        std::fs::remove_file(&filler).unwrap();
        ledger.forget_refusals();
    }
    ledger.more(5).await;
    load.stop().await;
    server.kill9_and_run().await;
    ledger.check(&histories(&server.api(), &CHANNELS).await, |_| true, "after a small disk was full");
    context.measured(&format!("{} acknowledged", ledger.taken()));
    server.kill9().await;
    drop(mounted);
}
