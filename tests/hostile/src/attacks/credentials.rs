//! Credentials that are none, in numbers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::attack::{Attack, Round, storm};
use crate::attacks::{JSON, V1, answered, close_of, get, post};
use crate::config::{CLOSED_ORG, ORG, USER};
use crate::foe::{Foe, PATIENCE};
use crate::frame;
use crate::ground::Ground;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "jwt-flood",
        what: "JWTs that are malformed in every way, at every door",
        run: |ground| storm(ground, 8, 1, jwt),
    },
    Attack {
        name: "login-flood",
        what: "logins with wrong passwords, of users that there are and that there are not",
        run: |ground| {
            let foes = ground.pick(12, 60);
            storm(ground, foes, 5, login)
        },
    },
    Attack {
        name: "login-garbage",
        what: "logins that are no logins",
        run: |ground| storm(ground, 10, 2, login_garbage),
    },
];

fn token(header: &str, claims: &str, signature: &[u8]) -> String {
    [header.as_bytes(), claims.as_bytes(), signature].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
}

fn malformed(number: usize) -> (&'static str, String) {
    const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
    const CLAIMS: &str = r#"{"sub":"root","exp":99999999999}"#;
    let deep = "[".repeat(5000);
    match number % 18 {
        0 => ("alg none", token(r#"{"alg":"none"}"#, CLAIMS, b"")),
        1 => ("alg nOnE", token(r#"{"alg":"nOnE"}"#, CLAIMS, b"")),
        2 => ("a wrong signature", token(HS256, CLAIMS, &[7; 32])),
        3 => ("no signature", token(HS256, CLAIMS, b"")),
        4 => ("two parts", token(HS256, CLAIMS, b"").trim_end_matches('.').to_owned()),
        5 => ("four parts", format!("{}.AAAA", token(HS256, CLAIMS, &[7; 32]))),
        6 => ("dots", "...".to_owned()),
        7 => ("no base64", "!!!.???.###".to_owned()),
        8 => ("a deep header", token(&deep, CLAIMS, &[7; 32])),
        9 => ("deep claims", token(HS256, &deep, &[7; 32])),
        10 => ("a long one", token(HS256, &"x".repeat(12_000), &[7; 32])),
        11 => ("another algorithm", token(r#"{"alg":"RS256"}"#, CLAIMS, &[7; 256])),
        12 => {
            ("the server's own kid", token(r#"{"alg":"HS256","kid":"antiphon-session"}"#, CLAIMS, &[7; 32]))
        }
        13 => (
            "a key that it brings",
            token(r#"{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}"#, CLAIMS, &[7; 32]),
        ),
        14 => {
            ("a URL of keys", token(r#"{"alg":"RS256","jku":"http://127.0.0.1:1/keys"}"#, CLAIMS, &[7; 256]))
        }
        15 => ("a critical header", token(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, CLAIMS, &[7; 32])),
        16 => {
            ("a path for a kid", token(r#"{"alg":"HS256","kid":"../../../../dev/null"}"#, CLAIMS, &[7; 32]))
        }
        _ => ("words", "let me in".to_owned()),
    }
}

async fn jwt(ground: Ground, number: usize) -> Round {
    let (what, token) = malformed(number / 7);
    let refused: &[u16] = &[400, 401, 403, 429];
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let query: String = token.replace('#', "%23").replace('?', "%3F").replace(' ', "%20");
    let what = |door: &str| format!("{what} at {door}");
    let mut foe = Foe::connect(ground.address).await?;
    match number % 7 {
        0 => answered(&what("the native door"), foe.ask(&get("/v1/channels/room", &bearer)).await, refused),
        1 => {
            let path = format!("/v1/channels/room?token={query}");
            answered(&what("the native door, in the query"), foe.ask(&get(&path, "")).await, refused)
        }
        2 => {
            let upgraded = foe.upgrade("/v1/events", &format!("{V1}{bearer}")).await;
            match upgraded {
                Ok(()) => Err(what("the WebSocket")),
                Err(refusal) => Ok(refusal),
            }
        }
        3 => {
            let request =
                post("/api/networks/current/broadcasts?timeout=1", &format!("{JSON}{bearer}"), b"{}");
            answered(&what("EXP"), foe.ask(&request).await, refused)
        }
        4 => {
            let body = serde_json::json!({"token": token}).to_string();
            answered(
                &what("the login"),
                foe.ask(&post("/api/auth/login", JSON, body.as_bytes())).await,
                refused,
            )
        }
        5 => {
            foe.upgrade("/socket.io/?EIO=4&transport=websocket", "").await?;
            foe.text_with("0{").await?;
            foe.send(&frame::text(&format!("40{}", serde_json::json!({"token": token})))).await;
            match foe.text().await {
                Ok(text) if text.starts_with("44") => Ok("connect_error".to_owned()),
                Ok(text) => Err(format!("{}: {text}", what("Socket.IO"))),
                Err(_) => close_of(&what("Socket.IO"), &foe.end().await, &[0, 1000, 1005, 1008, 1009]),
            }
        }
        _ => {
            foe.upgrade("/v1/events", V1).await?;
            let message = serde_json::json!({"type": "authenticate", "id": 1, "token": token});
            foe.send(&frame::text(&message.to_string())).await;
            let answer = foe.text_with(r#""id":1"#).await?;
            if answer.contains(r#""type":"error""#) {
                Ok("error".to_owned())
            } else {
                Err(what("authenticate"))
            }
        }
    }
}

async fn login(ground: Ground, number: usize) -> Round {
    // Who is nobody costs the server as much as who is somebody, where there are passwords.
    let (name, org) = match number % 3 {
        0 => (USER.to_owned(), ORG),
        1 => (USER.to_owned(), CLOSED_ORG),
        _ => (format!("nobody-{number}"), CLOSED_ORG),
    };
    let body =
        serde_json::json!({"username": name, "password": format!("guess {number}"), "organization": org});
    let mut foe = Foe::connect(ground.address).await?;
    foe.send(&post("/api/auth/login", JSON, body.to_string().as_bytes())).await;
    let answer = tokio::time::timeout(2 * PATIENCE, foe.answer())
        .await
        .unwrap_or_else(|_| Err("no answer".to_owned()));
    answered("a wrong password", answer, &[401, 429, 503])
}

async fn login_garbage(ground: Ground, number: usize) -> Round {
    let long = "p".repeat(50_000);
    let body: Vec<u8> = match number % 10 {
        0 => b"".to_vec(),
        1 => b"{}".to_vec(),
        2 => b"[1,2,3]".to_vec(),
        3 => b"\xff\xfe".to_vec(),
        4 => br#"{"token":1}"#.to_vec(),
        5 => br#"{"username":"\u0000","password":"\u0000"}"#.to_vec(),
        6 => format!(r#"{{"username":"{USER}","password":"{long}"}}"#).into_bytes(),
        7 => format!(r#"{{"username":"{long}","password":"guess"}}"#).into_bytes(),
        8 => br#"{"username":"a","username":"b","password":"c"}"#.to_vec(),
        _ => super::bytes::noise(number, 2000),
    };
    let mut foe = Foe::connect(ground.address).await?;
    let answer = foe.ask(&post("/api/auth/login", JSON, &body)).await;
    answered(&format!("login {}", number % 10), answer, &[400, 401, 413, 429, 503])
}
