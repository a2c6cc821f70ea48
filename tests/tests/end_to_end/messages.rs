//! A message is the same message whatever it is published and heard by.

use antiphon_tests::{Api, EventReader, Frame, Server, V1, WebSocket, eventually, position};
use serde_json::{Value, json};

const ROOM: &str = "/v1/channels/room";

/// One client of each sort, live on one channel.
struct Clients {
    raw: WebSocket,
    v1: V1,
    events: EventReader,
    envelopes: EventReader,
    lines: antiphon_tests::Stream,
}

impl Clients {
    async fn listening(api: &Api) -> Clients {
        let mut v1 = V1::connect(api, "").await;
        v1.subscribe(json!("room")).await;
        let sse = |path: &str| api.get(path).header("accept", "text/event-stream").stream();
        let mut lines = api.get(ROOM).header("accept", "application/x-ndjson").stream().await;
        assert_eq!(lines.json().await["type"], "open");
        Clients {
            raw: WebSocket::connect(api.address(), ROOM, None, &[]).await.unwrap(),
            v1,
            events: EventReader::new(sse(ROOM).await),
            envelopes: EventReader::new(sse("/v1/events?channel=room").await),
            lines,
        }
    }

    /// Everybody hears this message, and a poll finds it.
    async fn expect(&mut self, api: &Api, message: &Value, raw: Frame, data: &str) {
        assert_eq!(self.lines.json().await, *message);
        let mut said = self.v1.next().await;
        assert_eq!(said.as_object_mut().unwrap().remove("type"), Some(json!("message")));
        assert_eq!(said, *message);
        assert_eq!(self.raw.next().await, raw);
        let event = self.events.next().await;
        assert_eq!((event.data.as_str(), &json!(event.id)), (data, &message["position"]));
        assert_eq!(event.name, message["name"]);
        assert_eq!(self.envelopes.next().await.json(), *message);
        let page = api.get(&format!("{ROOM}?limit=1")).send().await.expect(200).json();
        assert_eq!(page["messages"], json!([message]));
        assert!(position(&page["position"]) >= position(&message["position"]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payloads_arrive_as_they_were_published() {
    let server = Server::start("").await;
    let api = server.api();
    let mut clients = Clients::listening(&api).await;
    let text = |text: &str| Frame::Text(text.to_owned());

    let call = api.post(&format!("{ROOM}?identity=ann&name=note")).header("x-antiphon-meta", "{\"a\": [1]}");
    let receipt =
        call.body("application/json", "{\"z\": 1e2, \"ä\":\"\\u00e4\"}").send().await.expect(201).json();
    assert_eq!(receipt["stored"], true);
    let message = json!({"position": receipt["position"], "channel": "room", "name": "note",
        "payload": {"z": 1e2, "ä": "ä"}, "meta": {"a": [1]}, "publisher": "ann"});
    // The JSON is passed on as it was written.
    let written = "{\"z\": 1e2, \"ä\":\"\\u00e4\"}";
    clients.expect(&api, &message, text(written), written).await;

    let lines = "one\ntwo\n\u{1F980}";
    let receipt = api.post(&format!("{ROOM}?identity=ann")).text(lines).send().await.expect(201).json();
    let message = json!({"position": receipt["position"], "channel": "room", "name": "message", "payload": lines,
        "publisher": "ann"});
    clients.expect(&api, &message, text(lines), lines).await;

    let bytes = &b"\x00\xff\r\n"[..];
    let call = api.post(&format!("{ROOM}?identity=ann")).body("image/png", bytes);
    let receipt = call.send().await.expect(201).json();
    let message = json!({"position": receipt["position"], "channel": "room", "name": "message", "payload": "AP8NCg==",
        "encoding": "base64", "publisher": "ann"});
    clients.expect(&api, &message, Frame::Binary(bytes.into()), "AP8NCg==").await;

    let mut ben = V1::connect(&api, "identity=ben").await;
    let publish =
        json!({"type": "publish", "channel": "room", "name": "n", "payload": [null, "x"], "meta": 7});
    let receipt = ben.ask(publish).await;
    let message = json!({"position": receipt["position"], "channel": "room", "name": "n", "payload": [null, "x"],
        "meta": 7, "publisher": "ben"});
    clients.expect(&api, &message, text("[null,\"x\"]"), "[null,\"x\"]").await;

    let mut cat = WebSocket::connect(api.address(), &format!("{ROOM}?identity=cat&echo=false"), None, &[])
        .await
        .unwrap();
    for (sent, payload, data) in [("no JSON", json!("no JSON"), "no JSON"), (" {} ", json!({}), "{}")] {
        cat.send_text(sent).await.unwrap();
        let heard = clients.lines.json().await;
        assert_eq!((&heard["payload"], &heard["publisher"]), (&payload, &json!("cat")));
        assert_eq!(clients.events.next().await.data.trim(), data);
    }
    let mut both = V1::connect(&api, "").await;
    both.subscribe(json!("room")).await;
    let publish = |payload: &str, echo: bool| json!({"type": "publish", "channel": "room", "payload": payload, "echo": echo});
    both.ask(publish("not for me", false)).await;
    both.ask(publish("for me too", true)).await;
    assert_eq!(both.next().await["payload"], "for me too");
    // Nor did cat get what she sent.
    for payload in ["\"not for me\"", "\"for me too\""] {
        assert_eq!(cat.next().await, text(payload));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_makes_a_retry_the_same_publication() {
    let mut server = Server::start("").await;
    let api = server.api();
    let publish = |api: &Api, query: &str, payload: u32| {
        let call = api.post(&format!("{ROOM}?{query}")).header("idempotency-key", "k-1");
        call.json(&json!(payload)).send()
    };
    let mut client = V1::connect(&api, "identity=ann").await;
    client.subscribe(json!("room")).await;
    let first = publish(&api, "identity=ann", 1).await.expect(201).json();
    assert_eq!(publish(&api, "identity=ann", 2).await.expect(201).json(), first);
    let answer = client
        .ask(json!({"type": "publish", "channel": "room", "payload": 3, "idempotency_key": "k-1"}))
        .await;
    assert_eq!(answer["position"], first["position"]);
    let batch = json!([{"channel": "room", "payload": 4, "idempotency_key": "k-1"}]);
    let answer = api.post("/v1/publications?identity=ann").json(&batch).send().await.expect(200).json();
    assert_eq!(answer["results"], json!([first]));
    // Keys belong to a publisher and a channel.
    let other = publish(&api, "identity=ben", 5).await.expect(201).json();
    assert!(position(&other["position"]) > position(&first["position"]));
    // Nobody in particular could not be told from anybody else.
    let problem = publish(&api, "", 0).await.problem(400);
    assert_eq!(
        (&problem["type"], &problem["parameter"]),
        (&json!("urn:antiphon:problem:invalid-parameter"), &json!("identity"))
    );
    let problem = api.post("/v1/publications").json(&batch).send().await.problem(400);
    assert_eq!(problem["parameter"], "identity", "{problem}");
    // What is not stored is remembered as well.
    let unstored = |payload: u32| {
        let call = api.post(&format!("{ROOM}?identity=ann&store=false")).header("idempotency-key", "k-2");
        call.json(&json!(payload)).send()
    };
    let signal = unstored(6).await.expect(201).json();
    assert_eq!(signal["stored"], false);
    assert_eq!(unstored(7).await.expect(201).json(), signal);
    for payload in [1, 5, 6] {
        assert_eq!(client.next().await["payload"], payload);
    }
    server.kill9().await;
    server.start_again().await;
    assert_eq!(publish(&server.api(), "identity=ann", 8).await.expect(201).json(), first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_says_when_there_is_nothing_new() {
    let server = Server::start("").await;
    let api = server.api();
    api.post(ROOM).json(&json!(1)).send().await.expect(201);
    let first = api.get(ROOM).send().await.expect(200);
    let tag = first.header("etag").to_owned();
    assert!(!tag.is_empty());
    let again = api.get(ROOM).header("if-none-match", &tag).send().await.expect(304);
    assert_eq!((again.header("etag"), again.body.len()), (tag.as_str(), 0));
    let since = first.json()["position"].as_str().unwrap().to_owned();
    let empty = api.get(&format!("{ROOM}?since={since}&wait=1ms")).send().await.expect(200).json();
    assert_eq!(empty, json!({"messages": [], "position": since, "gap": false}));
    // A long poll ends with the first message, and at once if there is one.
    let waiting = tokio::spawn(api.get(&format!("{ROOM}?since={since}&wait=60s")).send());
    eventually("it waits", async || {
        let scrape = antiphon_tests::Metrics::scrape(&api).await;
        (scrape.family("antiphon_sessions")?.samples.iter().any(|(.., open)| *open == 1.0)).then_some(())
    })
    .await;
    api.post(ROOM).json(&json!(2)).send().await.expect(201);
    let polled = antiphon_tests::within("the poll", waiting).await.unwrap().expect(200).json();
    assert_eq!(polled["messages"][0]["payload"], 2);
    let at_once = api.get(&format!("{ROOM}?since={since}&wait=60s")).send().await.expect(200).json();
    assert_eq!(at_once, polled);
    let changed = api.get(ROOM).header("if-none-match", &tag).send().await.expect(200);
    assert_ne!(changed.header("etag"), tag);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_flags_and_times_are_heeded() {
    let server = Server::start(
        "[[org]]\nname = \"acme\"\n[[org.key]]\nkey = \"acme-admin-key\"\nallow = [\"admin\"]\n",
    )
    .await;
    let api = server.api().with_token("acme-admin-key");
    let post = |query: &str, payload: &str| api.post(&format!("{ROOM}?{query}")).json(&json!(payload)).send();
    let filtered =
        api.get(&format!("{ROOM}?event=a&event=b")).header("accept", "text/event-stream").stream().await;
    let mut filtered = EventReader::new(filtered);
    for (name, payload) in [("c", "1"), ("a", "2"), ("message", "3"), ("b", "4")] {
        post(&format!("name={name}"), payload).await.expect(201);
    }
    for (name, data) in [("a", "\"2\""), ("b", "\"4\"")] {
        let event = filtered.next().await;
        assert_eq!((event.name.as_str(), event.data.as_str()), (name, data));
    }

    // Same name, other flags: another channel.
    let mut client = V1::connect(&api, "").await;
    client.subscribe(json!({"channel": "room", "system": true})).await;
    client.subscribe(json!({"channel": "room", "consumer": true})).await;
    post("", "plain").await.expect(201);
    post("system=true", "system").await.expect(201);
    post("consumer=true", "consumer").await.expect(201);
    for flag in ["system", "consumer"] {
        let heard = client.next().await;
        assert_eq!((&heard["payload"], &heard[flag]), (&json!(flag), &json!(true)), "{heard}");
        let page = api.get(&format!("{ROOM}?{flag}=true")).send().await.expect(200).json();
        assert_eq!(page["messages"].as_array().unwrap().len(), 1, "{page}");
    }

    let late = json!("gone soon");
    let receipt = post("ttl=300ms", "gone soon").await.expect(201).json();
    let kept = async || {
        let page = api.get(ROOM).send().await.expect(200).json();
        page["messages"].as_array().unwrap().iter().any(|message| message["payload"] == late)
    };
    assert_eq!(receipt["stored"], true);
    eventually("its time is up", async || (!kept().await).then_some(())).await;
    let signal = post("kind=signal", "signal").await.expect(201).json();
    assert_eq!(signal["stored"], false);
}
