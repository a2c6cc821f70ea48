//! The database is damaged, or not one.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::json;

use crate::cases::{Context, post};
use crate::server::Server;

const PAGE: usize = 4096;

pub(super) async fn run(context: Context) {
    let mut server = Server::start(&context.shim, "").await;
    let api = server.api();
    for number in 0..300 {
        assert_eq!(post(&api, "room", &json!([number, "x".repeat(1000)])).await.0, 201);
    }
    server.signal(Signal::TERM);
    assert!(server.wait().await.success());
    let path = database(&server);
    let whole = std::fs::read(&path).unwrap();

    // Its beginning.
    damage(&path, 0, PAGE);
    refuses(&mut server, "damaged or not one of Antiphon's").await;
    // A part of it is missing.
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let half = match server.try_run().await {
        Ok(()) => {
            server.kill9().await;
            "it starts".to_owned()
        }
        Err(ended) => ended.said,
    };
    // One that a later version wrote.
    std::fs::write(&path, &whole).unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 9999).unwrap();
    connection.close().unwrap();
    refuses(&mut server, "use a newer Antiphon").await;
    let seen = |who, what| context.seen.row("damaged database at the start", who, what);
    seen(
        "the operator",
        "exit status 1 and, with the directory's name, that it is damaged, or was written by a newer version",
    );
    context.measured(&format!("half of a database: {half}"));

    // Somewhere in the middle: nobody notices before it is read.
    std::fs::write(&path, &whole).unwrap();
    damage(&path, whole.len() / 2 / PAGE * PAGE, whole.len() / 4);
    server.run().await;
    let api = server.api();
    let answer = api.get("/v1/channels/room?since=0&limit=1000").send().await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    let mut statuses = Vec::new();
    for number in 0..5 {
        statuses.push(post(&api, "other", &json!([number, "y".repeat(5000)])).await.0);
    }
    assert!(statuses.iter().all(|status| [201, 503].contains(status)), "{statuses:?}");
    let unstored = api.post("/v1/channels/room?store=false").json(&json!(1)).send().await.expect(201);
    assert_eq!(unstored.json()["stored"], false);
    assert!(server.is_running());
    let seen = |who, what| context.seen.row("damage within the database", who, what);
    seen("readers of what is damaged", "503 `unavailable`");
    seen(
        "everybody else",
        "no difference, as far as what they need is whole; else 503, and nothing is acknowledged that is not kept",
    );
}

async fn refuses(server: &mut Server, why: &str) {
    let ended = server.run_in_vain().await;
    assert_eq!(ended.status.code(), Some(1), "{}", ended.said);
    assert!(ended.said.contains(&*server.data_dir().to_string_lossy()), "{}", ended.said);
    assert!(ended.said.contains(why), "{}", ended.said);
}

fn database(server: &Server) -> PathBuf {
    server.data_dir().join("antiphon.db")
}

/// Writes something else over a part of a file.
fn damage(path: &PathBuf, at: usize, length: usize) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(&vec![0xa5; length], at as u64).unwrap();
}
