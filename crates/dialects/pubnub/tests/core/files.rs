use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use antiphon_pubnub::PubNubSettings;
use antiphon_store::{MemoryStore, SqliteStore, Store, StoreSettings};
use serde_json::{Value, json};

use crate::client::Response;
use crate::{Running, Setup, encoded, until};

const URL: &str = "/v1/files/demo/channels/room/generate-upload-url?uuid=ann";

/// A server that keeps files, for as long as this is there.
struct Keeping {
    server: Running,
    dir: tempfile::TempDir,
}

impl Keeping {
    fn start(change: impl FnOnce(&mut PubNubSettings)) -> Keeping {
        let dir = tempfile::tempdir().unwrap();
        let setup = Setup::new(|settings| {
            settings.files_dir = Some(dir.path().to_owned());
            change(settings);
        });
        Keeping { server: setup.start(), dir }
    }

    fn new_file(&self, channel: &str, name: &str) -> Value {
        let target = format!("/v1/files/demo/channels/{}/generate-upload-url", encoded(channel));
        let response = self.server.request("POST", &target, json!({ "name": name }).to_string().as_bytes());
        assert_eq!(response.status, 200, "{response:?}");
        response.json()
    }

    /// Uploads to the URL of a new file.
    fn upload(&self, new: &Value, contents: &[u8]) -> Response {
        let (headers, body) = form("text/plain", contents);
        self.server.connect().request("POST", &path(&new["file_upload_request"]["url"]), &[headers], &body)
    }

    /// Has a file uploaded; says its id and the path to it.
    fn file(&self, channel: &str, name: &str, contents: &[u8]) -> (String, String) {
        let new = self.new_file(channel, name);
        let uploaded = self.upload(&new, contents);
        assert_eq!((uploaded.status, uploaded.body.len()), (204, 0), "{uploaded:?}");
        let id = new["data"]["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/files/demo/channels/{}/files/{id}/{}", encoded(channel), encoded(name));
        (id, path)
    }

    /// Where the redirect at a path leads.
    fn location(&self, target: &str) -> String {
        let response = self.server.request("GET", target, b"");
        assert_eq!(response.status, 307, "{response:?}");
        assert_eq!(response.header("cache-control"), Some("no-store"));
        path(&response.header("location").unwrap().into())
    }

    fn list(&self, channel: &str, query: &str) -> Value {
        self.server.get(&format!("/v1/files/demo/channels/{}/files{query}", encoded(channel)))
    }

    /// How many files are on the disk, whole or not.
    fn on_disk(&self) -> usize {
        count(&self.dir.path().join("incoming")) + count(&self.dir.path().join("kept"))
    }
}

fn count(dir: &Path) -> usize {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
}

/// The path of a URL of the server's.
fn path(url: &Value) -> String {
    let rest = url.as_str().unwrap().strip_prefix("http://localhost").unwrap();
    assert!(rest.starts_with("/v1/files/demo/"), "{rest}");
    rest.to_owned()
}

fn form(content_type: &str, contents: &[u8]) -> ((&'static str, &'static str), Vec<u8>) {
    let part = |head: &str| format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n");
    let mut body = part("name=\"Content-Type\"") + content_type + "\r\n";
    body += &part("name=\"file\"; filename=\"../../x\"\r\nContent-Type: application/octet-stream");
    let mut body = body.into_bytes();
    body.extend_from_slice(contents);
    body.extend_from_slice(b"\r\n--b--\r\n");
    (("content-type", "multipart/form-data; boundary=b"), body)
}

#[test]
fn a_file_is_uploaded_told_listed_downloaded_and_deleted() {
    let Keeping { server, dir } = Keeping::start(|_| {});
    let since = server.handshake("room", "bob", "");
    let keeping = Keeping { server, dir };
    let contents: Vec<u8> = (0..700_000u32).map(|at| (at / 7) as u8).collect();
    let (id, path) = keeping.file("room", "a b.txt", &contents);
    let server = &keeping.server;
    let message = json!({"message": "look", "file": {"id": id, "name": "a b.txt"}});
    let target = format!(
        "/v1/files/publish-file/demo/demo/0/room/0/{}?uuid=ann&meta=null&store=1&ttl=0",
        encoded(&message.to_string())
    );
    let sent = server.get(&target);
    assert_eq!((&sent[0], &sent[1]), (&json!(1), &json!("Sent")));
    let told = server.poll("room", "bob", &since, "").envelopes;
    assert_eq!(
        (told.len(), &told[0]["e"], &told[0]["d"], &told[0]["i"]),
        (1, &json!(4), &message, &json!("ann"))
    );
    assert_eq!(told[0].get("u"), None);

    let list = keeping.list("room", "");
    assert_eq!((&list["count"], &list["next"]), (&json!(1), &Value::Null));
    assert_eq!((&list["data"][0]["name"], &list["data"][0]["size"]), (&json!("a b.txt"), &json!(700_000)));
    assert_eq!(list["data"][0]["id"], id.as_str());
    assert_eq!(list["data"][0]["created"].as_str().unwrap().len(), 27);
    assert_eq!(keeping.list("other", "")["data"], json!([]));

    let file = server.request("GET", &keeping.location(&path), b"");
    assert_eq!((file.status, file.body == contents), (200, true));
    for (name, value) in [
        ("content-type", "text/plain"),
        ("x-content-type-options", "nosniff"),
        ("access-control-allow-origin", "*"),
        ("content-disposition", "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt"),
        ("accept-ranges", "bytes"),
    ] {
        assert_eq!(file.header(name), Some(value), "{name}");
    }

    let location = keeping.location(&path);
    assert_eq!(server.request("DELETE", &path, b"").json(), json!({"status": 200}));
    assert_eq!(server.request("DELETE", &path, b"").status, 404);
    assert_eq!(server.request("GET", &path, b"").status, 404);
    let (status, gone) = server.refused(&location);
    assert_eq!((status, &gone["error"]["source"]), (404, &json!("Files")));
    assert_eq!(keeping.list("room", "")["data"], json!([]));
    assert_eq!(keeping.on_disk(), 0);
    keeping.server.stop();
}

#[test]
fn names_can_be_anything_and_are_no_paths() {
    let keeping = Keeping::start(|_| {});
    let names = ["../../etc/passwd", "/", "ü \"x\".txt", "a\r\nX: y", "\0", "..", "100%", "%2e%2e", "a/b/c"];
    for (channel, name) in names.iter().map(|name| ("a/../b ü", name)) {
        let (_, path) = keeping.file(channel, name, name.as_bytes());
        let file = keeping.server.request("GET", &keeping.location(&path), b"");
        assert_eq!((file.status, &*file.body), (200, name.as_bytes()), "{name:?}");
        let wrong = format!("{path}x");
        assert_eq!(keeping.server.request("GET", &wrong, b"").status, 404);
    }
    let mut listed: Vec<String> = Vec::new();
    let mut query = "?limit=4".to_owned();
    loop {
        let page = keeping.list("a/../b ü", &query);
        listed.extend(
            page["data"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap().into()),
        );
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?limit=4&next={next}");
    }
    listed.sort_unstable();
    let mut expected = names;
    expected.sort_unstable();
    assert_eq!(listed, expected);
    assert_eq!(count(&keeping.dir.path().join("kept")), names.len());
    keeping.server.stop();
}

#[test]
fn parts_of_a_file_can_be_asked_for() {
    let keeping = Keeping::start(|_| {});
    let (_, path) = keeping.file("room", "digits", b"0123456789");
    let location = keeping.location(&path);
    let ask = |method: &str, headers: &[(&str, &str)]| {
        keeping.server.connect().request(method, &location, headers, b"")
    };
    let whole = ask("GET", &[]);
    let tag = whole.header("etag").unwrap();
    for (headers, status, range, body) in [
        (vec![("range", "bytes=2-4")], 206, Some("bytes 2-4/10"), "234"),
        (vec![("range", "bytes=-3")], 206, Some("bytes 7-9/10"), "789"),
        (vec![("range", "bytes=8-"), ("if-range", tag)], 206, Some("bytes 8-9/10"), "89"),
        (vec![("range", "bytes=8-"), ("if-range", "\"other\"")], 200, None, "0123456789"),
        (vec![("range", "bytes=10-")], 416, Some("bytes */10"), ""),
        (vec![("range", "bytes=1-2,4-5")], 200, None, "0123456789"),
        (vec![("if-none-match", tag)], 304, None, ""),
    ] {
        let part = ask("GET", &headers);
        assert_eq!((part.status, part.header("content-range")), (status, range), "{headers:?}");
        assert_eq!(String::from_utf8_lossy(&part.body), body, "{headers:?}");
        assert!(status == 416 || part.header("etag") == Some(tag));
    }
    let head = ask("HEAD", &[("range", "bytes=2-4")]);
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("10"), 0));
    assert_eq!(keeping.server.request("HEAD", &path, b"").status, 307);
    let (_, empty) = keeping.file("room", "empty", b"");
    let empty = keeping.server.request("GET", &keeping.location(&empty), b"");
    assert_eq!((empty.status, empty.header("content-length")), (200, Some("0")));
    keeping.server.stop();
}

#[test]
fn what_is_no_upload_leaves_nothing() {
    let keeping = Keeping::start(|settings| {
        settings.file_bytes_max = 1000;
        settings.files_bytes_max = 1500;
    });
    let error = |response: &Response, status: u16, code: &str| {
        let text = String::from_utf8_lossy(&response.body).into_owned();
        assert_eq!(response.status, status, "{text}");
        assert_eq!(response.header("content-type"), Some("text/xml"));
        assert!(text.contains(&format!("<Code>{code}</Code><Message>")), "{text}");
        assert_eq!(keeping.on_disk(), keeping.list("room", "")["data"].as_array().unwrap().len(), "{text}");
    };
    let new = || keeping.new_file("room", "n");
    error(&keeping.upload(&new(), &[b'x'; 1001]), 400, "EntityTooLarge");
    error(&keeping.upload(&new(), &[b'x'; 200_000]), 400, "EntityTooLarge");
    let once = new();
    assert_eq!(keeping.upload(&once, &[b'x'; 1000]).status, 204);
    error(&keeping.upload(&once, b"again"), 409, "OperationAborted");
    error(&keeping.upload(&new(), &[b'x'; 501]), 507, "InsufficientStorage");

    let url = path(&new()["file_upload_request"]["url"]);
    let typed = ("content-type", "multipart/form-data; boundary=b");
    let (_, whole) = form("text/plain", b"contents");
    let without_file = b"--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n--b--\r\n".to_vec();
    for (headers, body) in [
        (vec![], whole.clone()),
        (vec![("content-type", "text/plain")], whole.clone()),
        (vec![typed], whole[..whole.len() - 10].to_vec()),
        (vec![typed], without_file),
        (vec![typed], b"nonsense".to_vec()),
        (vec![typed], vec![]),
    ] {
        error(&keeping.server.connect().request("POST", &url, &headers, &body), 400, "MalformedPOSTRequest");
    }
    let forged = url.replacen("/upload/", "/upload/x", 1);
    error(&keeping.server.connect().request("POST", &forged, &[typed], &whole), 403, "AccessDenied");
    let location = keeping.location(&format!(
        "/v1/files/demo/channels/room/files/{}/n",
        keeping.list("room", "")["data"][0]["id"].as_str().unwrap()
    ));
    let download = location.replace("/download/", "/upload/");
    error(&keeping.server.connect().request("POST", &download, &[typed], &whole), 403, "AccessDenied");
    // And after all that it is good still.
    assert_eq!(keeping.server.connect().request("POST", &url, &[typed], &whole).status, 204);
    keeping.server.stop();
}

#[test]
fn a_client_that_goes_away_leaves_nothing() {
    let keeping = Keeping::start(|_| {});
    let (typed, whole) = form("text/plain", &[b'x'; 600_000]);
    let url = path(&keeping.new_file("room", "n")["file_upload_request"]["url"]);
    let mut stream = TcpStream::connect(keeping.server.address()).unwrap();
    let head = format!(
        "POST {url} HTTP/1.1\r\nhost: localhost\r\n{}: {}\r\ncontent-length: {}\r\n\r\n",
        typed.0,
        typed.1,
        whole.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&whole[..400_000]).unwrap();
    until("a part is on the disk", || count(&keeping.dir.path().join("incoming")) == 1);
    stream.shutdown(Shutdown::Both).unwrap();
    until("it is gone", || keeping.on_disk() == 0);
    assert_eq!(keeping.list("room", "")["data"], json!([]));
    keeping.server.stop();
}

#[test]
fn what_is_asked_wrongly_is_refused() {
    let keeping = Keeping::start(|_| {});
    let long = json!({ "name": "x".repeat(1025) }).to_string();
    for body in ["", "{}", "{\"name\":1}", "{\"name\":\"\"}", &long] {
        let response = keeping.server.request("POST", URL, body.as_bytes());
        assert_eq!(response.status, 400, "{body}");
        let error = response.json();
        assert_eq!((&error["error"]["code"], &error["error"]["source"]), (&json!(3001), &json!("Files")));
    }
    for query in ["limit=0", "limit=101", "limit=x", "next=x"] {
        let (status, error) = keeping.server.refused(&format!("/v1/files/demo/channels/room/files?{query}"));
        assert_eq!((status, &error["error"]["code"]), (400, &json!(3001)), "{query}");
    }
    keeping.server.stop();
}

#[test]
fn urls_and_files_are_over_in_time() {
    let keeping = Keeping::start(|settings| {
        settings.file_urls_valid = Duration::from_millis(1);
        settings.public_origin = Some("http://localhost".into());
    });
    let new = keeping.new_file("room", "n");
    until("the URL is over", || keeping.upload(&new, b"x").status == 403);
    keeping.server.stop();
    let keeping = Keeping::start(|settings| settings.files_keep = Duration::from_millis(1));
    let (_, path) = keeping.file("room", "n", b"short");
    until("the file is over", || keeping.server.request("GET", &path, b"").status == 404);
    assert_eq!(keeping.list("room", "")["data"], json!([]));
    keeping.server.stop();
}

#[test]
fn what_cannot_be_recorded_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let setup = Setup::new(|settings| settings.files_dir = Some(dir.path().to_owned()));
    let store = StoreSettings { items_max: 1, ..StoreSettings::default() };
    let server = Setup { store: Arc::new(MemoryStore::new(&store).unwrap()), ..setup }.start();
    let keeping = Keeping { server, dir };
    keeping.file("room", "first", b"x");
    let refused = keeping.upload(&keeping.new_file("room", "second"), b"y");
    assert_eq!(refused.status, 507, "{refused:?}");
    assert_eq!(keeping.on_disk(), 1);
    keeping.server.stop();
}

#[test]
fn without_a_directory_there_are_no_files() {
    let server = Running::start();
    for (method, target) in [("POST", URL), ("GET", "/v1/files/demo/channels/room/files")] {
        let response = server.request(method, target, b"{\"name\":\"n\"}");
        assert_eq!((response.status, &response.json()["error"]["code"]), (402, &json!(3005)), "{target}");
    }
    server.stop();
}

#[test]
fn files_outlive_the_server_and_orphans_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let start = || {
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(dir.path(), &StoreSettings::default()).unwrap());
        let setup = Setup::new(|settings| settings.files_dir = Some(dir.path().join("files")));
        Setup { store, ..setup }.start()
    };
    let files = tempfile::tempdir().unwrap();
    let keeping = Keeping { server: start(), dir: files };
    let (_, path) = keeping.file("room", "n", b"kept");
    let unused = keeping.new_file("room", "later");
    keeping.server.stop();
    let kept = dir.path().join("files/kept/00");
    std::fs::create_dir_all(&kept).unwrap();
    std::fs::write(kept.join("01890000-0000-7000-8000-000000000000.0"), "orphan").unwrap();
    std::fs::write(dir.path().join("files/incoming/01890000-0000-7000-8000-000000000000"), "half").unwrap();
    let keeping = Keeping { server: start(), dir: keeping.dir };
    assert_eq!(count(&dir.path().join("files/kept")) + count(&dir.path().join("files/incoming")), 1);
    assert_eq!(keeping.server.request("GET", &keeping.location(&path), b"").body, b"kept");
    // The URL is from before.
    assert_eq!(keeping.upload(&unused, b"later").status, 204);
    keeping.server.stop();
}
