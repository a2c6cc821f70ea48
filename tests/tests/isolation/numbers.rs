//! What is told to everybody, and numbers that others' doings could show in.

use antiphon_tests::V1;
use serde_json::json;

use crate::told::Told;
use crate::world::{ACME, GLOBEX, KEPT, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_everybody_may_ask_names_nothing() {
    let world = World::start().await;
    let _listening = V1::connect(&world.admin(ACME), &format!("channel={KEPT}&identity=kept-ann")).await;
    let publish = world.admin(ACME).post(&format!("/v1/channels/{KEPT}?name=kept-event"));
    publish.json(&json!("kept-word")).send().await.expect(201);
    for path in [
        "/metrics",
        "/health/live",
        "/health/ready",
        "/v1/openapi.json",
        "/",
        "/nowhere",
        "/api/devices",
        "/v2/nowhere",
    ] {
        let asked = Told::by(world.server.api().get(path)).await;
        for name in ["acme", "globex", "kept-", "collector", "spare", "ann@example.com"] {
            assert!(!asked.body.contains(name), "{path} names {name}: {asked:?}");
        }
        // Whatever somebody shows, it is the same.
        if path != "/metrics" {
            for token in [ACME.admin(), GLOBEX.admin(), "guessed".to_owned()] {
                assert_eq!(Told::by(world.api(Some(&token)).get(path)).await, asked, "{path}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_org_s_positions_stay_where_they_are_while_others_publish() {
    let world = World::start().await;
    let (acme, globex) = (world.admin(ACME), world.admin(GLOBEX));
    let ask = async || {
        let opened = V1::connect(&globex, "").await.open;
        let page = globex.get(&format!("/v1/channels/{KEPT}?since=1")).send().await.expect(200);
        let text = String::from_utf8(page.body.to_vec()).unwrap();
        (opened["position"].clone(), text, page.header("etag").to_owned())
    };
    let before = ask().await;
    for number in 0..10 {
        acme.post(&format!("/v1/channels/{KEPT}")).json(&json!(number)).send().await.expect(201);
    }
    assert_eq!(ask().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_s_name_does_not_count_those_of_others() {
    let world = World::start().await;
    let mut names = Vec::new();
    for org in [GLOBEX, ACME, ACME, GLOBEX, ACME, GLOBEX, GLOBEX, GLOBEX] {
        let opened = V1::connect(&world.admin(org), "").await.open;
        names.push(opened["session"].as_str().unwrap().parse::<u64>().unwrap());
    }
    names.sort_unstable();
    // Two of eight names of 64 bits are nearer to each other once in a million runs.
    assert!(names.windows(2).all(|pair| pair[1] - pair[0] > u64::MAX >> 26), "{names:?}");
}
