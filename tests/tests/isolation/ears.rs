//! Listeners of every dialect, who write down all that they are told.

use antiphon_tests::{Api, Position, Server, V1, WebSocket, position, within};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::exp::{id, session};
use crate::packets::{Packets, Revision, exp_socket};
use crate::world::Org;

/// The channel that has the same name in both orgs.
pub(crate) const CHANNEL: &str = "meeting.room";

/// A listener, with what it is told.
pub(crate) struct Ear {
    pub(crate) name: &'static str,
    pub(crate) org: Org,
    texts: UnboundedReceiver<String>,
    pub(crate) told: Vec<String>,
    listening: JoinHandle<()>,
}

impl Ear {
    /// Reads on until it has been told this.
    pub(crate) async fn until(&mut self, mark: &str) {
        let (name, org) = (self.name, self.org.0);
        let reading = async {
            while !self.told.iter().any(|text| text.contains(mark)) {
                let text = self.texts.recv().await;
                self.told.push(text.unwrap_or_else(|| panic!("{name} of {org} has ended: {:?}", self.told)));
            }
        };
        within(&format!("{name} of {org} is told {mark}"), reading).await;
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// A listener of every dialect in an org. All that they are called has the org's name in it.
pub(crate) async fn all(server: &Server, org: Org) -> Vec<Ear> {
    let mut ears = Vec::new();
    for (name, starting) in [
        ("SSE", stream(server, org, "text/event-stream").await),
        ("NDJSON", stream(server, org, "application/x-ndjson").await),
        ("long poll", long_poll(server, org).await),
        ("raw WebSocket", raw(server, org).await),
        ("antiphon.v1", v1(server, org).await),
        ("Socket.IO", socketio(server, org).await),
        ("EXP", exp(server, org).await),
        ("PubNub", pubnub(server, org, &format!("{CHANNEL},{CHANNEL}-pnpres"), "").await),
        ("PubNub by wildcard", pubnub(server, org, "meeting.*", "").await),
        ("PubNub by group", pubnub(server, org, ",", "&channel-group=meeting").await),
    ] {
        let (texts, listening) = starting;
        ears.push(Ear { name, org, texts, told: Vec::new(), listening });
    }
    ears
}

type Started = (UnboundedReceiver<String>, JoinHandle<()>);

/// Starts a task that hands on what it is told.
fn start<F: Future<Output = ()> + Send + 'static>(
    listen: impl FnOnce(UnboundedSender<String>) -> F,
) -> Started {
    let (sender, receiver) = unbounded_channel();
    (receiver, tokio::spawn(listen(sender)))
}

async fn stream(server: &Server, org: Org, media: &str) -> Started {
    let query = format!("presence=true&join=true&envelope=true&identity=stream.of-{}", org.0);
    let api = server.api().with_token(&org.admin());
    let call = api.get(&format!("/v1/channels/{CHANNEL}?{query}")).header("accept", media);
    let mut stream = call.stream().await;
    start(async move |sender| {
        while let Ok(Some(line)) = stream.next_line().await {
            let _ = sender.send(line);
        }
    })
}

async fn long_poll(server: &Server, org: Org) -> Started {
    let api = server.api().with_token(&org.admin());
    let path = format!("/v1/channels/{CHANNEL}?identity=poll.of-{}&presence=true", org.0);
    let page = api.get(&format!("{path}&since=0")).send().await.expect(200).json();
    let mut since: Position = position(&page["position"]);
    start(async move |sender| {
        while let Ok(answer) = api.get(&format!("{path}&since={since}&wait=20s")).try_send().await {
            since = position(&answer.json()["position"]);
            let _ = sender.send(answer.text());
        }
    })
}

async fn raw(server: &Server, org: Org) -> Started {
    let path = format!(
        "/v1/channels/{CHANNEL}?token={}&identity=raw.of-{}&presence=true&join=true",
        org.admin(),
        org.0
    );
    let mut socket = WebSocket::connect(server.address(), &path, None, &[]).await.unwrap();
    start(async move |sender| {
        while let Ok(frame) = socket.try_next().await {
            let _ = sender.send(frame.text().to_owned());
        }
    })
}

async fn v1(server: &Server, org: Org) -> Started {
    let api = server.api().with_token(&org.admin());
    let mut client = V1::connect(&api, &format!("identity=v1.of-{}", org.0)).await;
    client.subscribe(json!({"channel": CHANNEL, "presence": true, "join": true})).await;
    start(async move |sender| {
        while let Ok(message) = client.try_next().await {
            let _ = sender.send(message.to_string());
        }
    })
}

async fn socketio(server: &Server, org: Org) -> Started {
    let mut client = Packets::open(server.address(), Revision::V4, "").await.unwrap();
    let auth = json!({"token": org.admin(), "identity": format!("io.of-{}", org.0)});
    let answer = client.connect("/", &auth).await;
    assert!(answer.starts_with("40{"), "{answer}");
    client.ask("subscribe", &json!({"channel": CHANNEL, "presence": true, "join": true})).await;
    hand_on(client)
}

async fn exp(server: &Server, org: Org) -> Started {
    let token = session(&server.api(), org).await;
    let mut client = exp_socket(server.address(), &token).await;
    let id = id(org.0, CHANNEL);
    client.send(format!("42{}", json!(["subscribe", [id]]))).await;
    assert_eq!(client.next().await, format!("42{}", json!(["subscribed", [id]])));
    hand_on(client)
}

fn hand_on(mut client: Packets) -> Started {
    start(async move |sender| {
        loop {
            let _ = sender.send(client.wait().await);
        }
    })
}

async fn pubnub(server: &Server, org: Org, channels: &str, query: &str) -> Started {
    let api = server.api();
    let channels = channels.replace(',', "%2C");
    let sub = org.subscribe_key();
    let group = format!("/v1/channel-registration/sub-key/{sub}/channel-group/meeting?add={CHANNEL}");
    api.get(&org.signed_with(&org.secret_key(), "GET", &group, b"")).send().await.expect(200);
    let path = format!("/v2/subscribe/{sub}/{channels}/0?uuid=nub.of-{}{query}", org.0);
    let mut timetoken = subscribe(&api, org, &path, "0").await.1;
    start(async move |sender| {
        loop {
            let (told, next) = subscribe(&api, org, &path, &timetoken).await;
            timetoken = next;
            let _ = sender.send(told);
        }
    })
}

/// The answer to a poll, and its timetoken.
async fn subscribe(api: &Api, org: Org, path: &str, timetoken: &str) -> (String, String) {
    let target = org.signed_with(&org.secret_key(), "GET", &format!("{path}&tt={timetoken}"), b"");
    let answer = api.get(&target).send().await.expect(200);
    let next = answer.json()["t"]["t"].as_str().unwrap().to_owned();
    (answer.text(), next)
}
