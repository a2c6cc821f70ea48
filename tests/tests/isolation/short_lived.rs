//! What is good for a second or two: session tokens, and URLs of files. Elsewhere the server's clock is not waited for.

use antiphon_tests::{Server, encoded, eventually};
use serde_json::json;

use crate::exp::login;
use crate::packets::{Packets, Revision, exp_socket};
use crate::pubnub_world::ticket_of;
use crate::told::Told;
use crate::world::{ACME, KEPT};

const CONFIG: &str = "
[exp]
token_lifetime = \"2s\"
[pubnub]
file_urls_valid = \"1s\"
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_expired_is_good_for_nothing() {
    let server = Server::start(&[CONFIG, &ACME.config()].concat()).await;
    let api = server.api();
    let logged_in = login(&api, ACME).await;
    let token = logged_in["token"].as_str().unwrap();
    let mut socket = exp_socket(server.address(), token).await;
    let generate = format!("/v1/files/sub-acme/channels/{KEPT}/generate-upload-url");
    let body = json!({"name": "late.txt"}).to_string();
    let target = ACME.signed_with(&ACME.secret_key(), "POST", &generate, body.as_bytes());
    let new = api.post(&target).body("application/json", body).send().await.expect(200).json();
    let upload = ticket_of(new["file_upload_request"]["url"].as_str().unwrap());

    let with = api.with_token(token);
    eventually("the token ends", async || {
        (with.get(&format!("/v1/channels/{KEPT}")).send().await.status == 401).then_some(())
    })
    .await;
    let broadcast = json!({"channel": {"name": KEPT}, "payload": 1});
    for call in [
        with.post("/api/auth/token"),
        with.post("/api/networks/current/broadcasts?timeout=1").json(&broadcast),
        with.post("/api/networks/current/responses").json(&json!({"id": "1", "channel": {"name": KEPT}})),
    ] {
        let told = Told::by(call).await;
        assert_eq!((told.status, &told.json()["code"]), (401, &json!("unauthorized")), "{told:?}");
        assert!(!told.body.contains(token), "{told:?}");
    }
    let problem = with.get("/v1/credentials").send().await.problem(401);
    assert_eq!(problem["type"], "urn:antiphon:problem:unauthorized");
    let query = format!("&token={}", encoded(token));
    let refused = Packets::open(server.address(), Revision::V3, &query).await.err().unwrap();
    assert_eq!(refused.status.map(|status| status.as_u16()), Some(401));
    // The socket that had begun has ended with it, without a word.
    assert_eq!(socket.closed().await, Vec::<String>::new());

    let form =
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\nlate\r\n--b--\r\n";
    let told = eventually("the URL ends", async || {
        let call = api.post(&upload).body("multipart/form-data; boundary=b", form);
        Some(Told::by(call).await).filter(|told| told.status == 403)
    })
    .await;
    assert!(told.body.contains("The URL has expired."), "{told:?}");
}
