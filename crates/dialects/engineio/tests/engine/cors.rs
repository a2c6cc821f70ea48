use antiphon_engineio::{AllowedOrigins, CorsSettings, ServeSettings};

use crate::Setup;

fn with(cors: Option<CorsSettings>) -> Setup {
    let serve = ServeSettings { path: "/engine.io".into(), cors, ..ServeSettings::default() };
    Setup { serve, ..Setup::default() }
}

#[test]
fn all_answers_say_who_may_read_them() {
    let cors = CorsSettings {
        origin: AllowedOrigins::Listed(vec!["https://a.example".into()]),
        credentials: true,
        ..CorsSettings::default()
    };
    let server = with(Some(cors)).start();
    for query in ["EIO=4&transport=polling", "EIO=4&transport=abc", "EIO=4&transport=polling&admit=no"] {
        let answer = server.connect().with("origin", "https://a.example").get(query);
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://a.example"), "{query}");
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"), "{query}");
        assert_eq!(answer.header("vary"), Some("Origin"), "{query}");
        let answer = server.connect().with("origin", "https://b.example").get(query);
        assert_eq!(answer.header("access-control-allow-origin"), None, "{query}");
    }
    let refused = server.connect().with("origin", "https://a.example").upgrade("EIO=4&transport=abc");
    let refused = refused.err().unwrap();
    assert_eq!(refused.header("access-control-allow-origin"), Some("https://a.example"));
}

#[test]
fn preflights_are_answered() {
    let server = with(Some(CorsSettings::default())).start();
    let mut page = server
        .connect()
        .with("origin", "https://a.example")
        .with("access-control-request-method", "POST")
        .with("access-control-request-headers", "content-type");
    let answer = page.request("OPTIONS", "/engine.io/?EIO=4&transport=polling", b"");
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET,HEAD,PUT,PATCH,POST,DELETE"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("content-type"));
}

#[test]
fn without_settings_nothing_is_said() {
    let server = with(None).start();
    let answer = server.connect().with("origin", "https://a.example").get("EIO=4&transport=polling");
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let answer = server.connect().request("OPTIONS", "/engine.io/?EIO=4&transport=polling", b"");
    assert_eq!(answer.status, 400);
}
