//! Files that PubNub clients upload: a disk that is full, no descriptors, `kill -9`.

use std::time::Duration;

use antiphon_tests::{Api, Lost};
use serde_json::{Value, json};

use crate::cases::Context;
use crate::random::Random;
use crate::server::Server;

const CHANNEL: &str = "/v1/files/demo/channels/room";

/// A file that the server has said it keeps.
struct Uploaded {
    path: String,
    contents: String,
}

pub(super) async fn run(context: Context) {
    let mut random = Random::new(context.seed, "files");
    let mut server = Server::start(&context.shim, "").await;
    let api = server.api();
    let mut uploaded = Vec::new();
    for number in 0..5 {
        uploaded.extend(upload(&api, number).await.ok());
    }
    assert_eq!(uploaded.len(), 5);
    server.control.limit_disk(10_000);
    assert_eq!(upload(&api, 100).await.err(), Some(507));
    is_there(&api, &uploaded[0]).await;
    server.control.unlimit_disk();
    uploaded.push(upload(&api, 101).await.expect("it is kept once there is space"));
    // Until the moment of the kill.
    let last_ones = tokio::spawn({
        let api = api.clone();
        async move {
            let mut uploaded = Vec::new();
            for number in 200.. {
                match try_upload(&api, number).await {
                    Ok(Ok(one)) => uploaded.push(one),
                    Ok(Err(status)) => panic!("{status}"),
                    Err(_) => break,
                }
            }
            uploaded
        }
    });
    tokio::time::sleep(Duration::from_millis(100 + random.below(300))).await;
    server.kill9_and_run().await;
    uploaded.extend(last_ones.await.expect("uploads are not refused"));
    let api = server.api();
    for one in &uploaded {
        is_there(&api, one).await;
    }
    context.measured(&format!("{} files kept", uploaded.len()));
    let seen = |who, what| context.seen.row("files of PubNub clients: disk full, `kill -9`", who, what);
    seen(
        "who uploads",
        "507 while there is no space, nothing is half kept; 204 is said once the file is kept, and it is there after a restart",
    );
    seen("who downloads", "what is kept");
}

/// Has a file kept; else the status that the upload is answered with.
async fn upload(api: &Api, number: usize) -> Result<Uploaded, u16> {
    try_upload(api, number).await.expect("the server runs")
}

/// The same while the server may end.
async fn try_upload(api: &Api, number: usize) -> Result<Result<Uploaded, u16>, Lost> {
    let name = format!("file-{number}.txt");
    let begin = api.post(&format!("{CHANNEL}/generate-upload-url?uuid=ann")).json(&json!({"name": name}));
    let new = begin.try_send().await?;
    if new.status != 200 {
        return Ok(Err(new.status.as_u16()));
    }
    let new: Value = new.json();
    let url = new["file_upload_request"]["url"].as_str().expect("there is a URL");
    let contents = format!("{number} ").repeat(20_000);
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n{contents}\r\n--b--\r\n"
    );
    let sent = api.post(path_of(url)).body("multipart/form-data; boundary=b", body).try_send().await?;
    if sent.status != 204 {
        return Ok(Err(sent.status.as_u16()));
    }
    let id = new["data"]["id"].as_str().expect("it has an id");
    Ok(Ok(Uploaded { path: format!("{CHANNEL}/files/{id}/{name}?uuid=ann"), contents }))
}

async fn is_there(api: &Api, file: &Uploaded) {
    let answer = api.get(&file.path).send().await.expect(307);
    let contents = api.get(path_of(answer.header("location"))).send().await.expect(200);
    assert!(contents.text() == file.contents, "{} is not what was uploaded", file.path);
}

/// What stands in a URL behind the host.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("/", |at| &rest[at..])
}
