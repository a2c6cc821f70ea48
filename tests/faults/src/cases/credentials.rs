//! Tokens end by the wall clock, whatever it does.

use std::time::{SystemTime, UNIX_EPOCH};

use antiphon_tests::{Api, V1};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

use crate::cases::Context;
use crate::server::Server;

const FAULT: &str = "the wall clock steps, and tokens end";
const SECRET: &str = "a secret that is long enough for HS256, and for a test";
const CONFIG: &str = "allow_demo = true\n[[org]]\nname = \"acme\"\n\
    [[org.jwt]]\nalgorithm = \"HS256\"\nsecret = \"a secret that is long enough for HS256, and for a test\"\n";
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

pub(super) async fn run(context: Context) {
    let server = Server::start(&context.shim, CONFIG).await;
    let demo = V1::connect(&server.api(), "identity=demo").await;
    let (soon, later, over) =
        (client(&server, 2 * HOUR), client(&server, 30 * DAY), client(&server, -HOUR / 2));
    let mut with_soon = V1::connect(&soon, "").await;
    let mut with_later = V1::connect(&later, "").await;
    assert_eq!(status(&over).await, 401);

    server.control.step_clock(-HOUR);
    assert_eq!((status(&soon).await, status(&over).await), (200, 200), "it goes by the clock that there is");
    server.control.step_clock(DAY);
    let (said, closed) = with_soon.closed().await;
    assert_eq!(closed.code, Some(4001), "{said}");
    assert_eq!((status(&soon).await, status(&later).await), (401, 200));
    server.control.step_clock(0);
    assert_eq!((status(&soon).await, status(&over).await), (200, 401));
    // Those who have no end, or one that has not come, are where they were.
    with_later.ask(json!({"type": "publish", "channel": "room", "payload": 1})).await;
    let mut demo = demo;
    demo.ask(json!({"type": "publish", "channel": "room", "payload": 1})).await;
    let seen = |who, what| context.seen.row(FAULT, who, what);
    seen(
        "holders of a token that is over by the clock",
        "401, and connections end with 4001; both by the clock as it is, and 200 again once it is taken back",
    );
    seen(
        "holders of one that is not, and of credentials without an end",
        "no difference, on the same connection",
    );
}

/// A client whose token ends so many seconds from here.
fn client(server: &Server, seconds: i64) -> Api {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
    let claims = json!({"sub": "somebody", "exp": since_epoch.as_secs().cast_signed() + seconds,
        "permissions": [{"channels": ["*"], "allow": ["publish", "subscribe", "history"]}]});
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    server.api().with_token(&encode(&Header::default(), &claims, &key).expect("claims can be signed"))
}

async fn status(api: &Api) -> u16 {
    api.get("/v1/channels/room?limit=1").send().await.status.as_u16()
}
