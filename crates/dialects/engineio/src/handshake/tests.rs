use proptest::prelude::*;

use super::*;

const SID: &str = "lv_VI97HAXpY6yYWAAAC";

fn parse(kind: RequestKind, query: &str) -> Result<Request, u8> {
    Request::parse(kind, query, &EngineSettings::default()).map_err(|refusal| refusal.code().number())
}

fn sid() -> Sid {
    Sid::parse(SID).unwrap()
}

#[test]
fn requests_are_told_apart() {
    let open = |revision, binary, via| Ok(Request::Open { revision, binary, via });
    let (native, base64) = (BinarySupport::Native, BinarySupport::Base64);
    let polling = OpenVia::Polling { jsonp: None };
    let index = JsonpIndex::parse("7");
    let with_sid = |query: &str| format!("{query}&sid={SID}");
    assert_eq!(parse(RequestKind::Get, "EIO=4&transport=polling&t=x"), open(Revision::V4, native, polling));
    assert_eq!(parse(RequestKind::Get, "EIO=3&transport=polling&b64=1"), open(Revision::V3, base64, polling));
    assert_eq!(
        parse(RequestKind::Get, "EIO=3&transport=polling&j=7&sid="),
        open(Revision::V3, native, OpenVia::Polling { jsonp: index })
    );
    assert_eq!(
        parse(RequestKind::WebSocket, "EIO=4&transport=websocket"),
        open(Revision::V4, native, OpenVia::WebSocket)
    );
    let query = with_sid("EIO=4&transport=polling");
    assert_eq!(parse(RequestKind::Get, &query), Ok(Request::Poll { sid: sid(), jsonp: None }));
    assert_eq!(parse(RequestKind::Post, &query), Ok(Request::Post { sid: sid(), jsonp: None }));
    let query = with_sid("EIO=3&transport=websocket&b64=1");
    assert_eq!(parse(RequestKind::WebSocket, &query), Ok(Request::Upgrade { sid: sid(), binary: base64 }));
}

#[test]
fn refusals_have_the_numbers_that_clients_know() {
    for (kind, query, code) in [
        (RequestKind::Get, "EIO=4", 0),
        (RequestKind::Get, "EIO=4&transport=abc", 0),
        (RequestKind::Get, "EIO=4&transport=polling&sid=short", 1),
        (RequestKind::Get, "EIO=4&transport=polling&sid=lv_VI97HAXpY6yYWAAA%c3%a9", 1),
        (RequestKind::Post, "EIO=4&transport=polling", 2),
        (RequestKind::Other, "EIO=4&transport=polling", 2),
        (RequestKind::Get, "EIO=4&transport=websocket", 3),
        (RequestKind::WebSocket, "EIO=4&transport=polling", 3),
        (RequestKind::Other, "EIO=4&transport=polling&sid=lv_VI97HAXpY6yYWAAAC", 3),
        (RequestKind::Get, "EIO=4&transport=polling&j=alert(1)", 3),
        (RequestKind::Get, "EIO=4&transport=%ff", 3),
        (RequestKind::Get, "transport=polling", 5),
        (RequestKind::Get, "EIO=abc&transport=polling", 5),
        (RequestKind::Get, "EIO=2&transport=polling&sid=lv_VI97HAXpY6yYWAAAC", 5),
    ] {
        assert_eq!(parse(kind, query), Err(code), "{query}");
    }
    let settings =
        EngineSettings { allow_v3: false, transports: vec![Transport::Polling], ..EngineSettings::default() };
    let code = |kind, query| Request::parse(kind, query, &settings).unwrap_err().code();
    assert_eq!(code(RequestKind::Get, "EIO=3&transport=polling"), RefusalCode::UnsupportedRevision);
    assert_eq!(code(RequestKind::WebSocket, "EIO=4&transport=websocket"), RefusalCode::UnknownTransport);
}

#[test]
fn refusals_are_json() {
    let refusal = Refusal::new(RefusalCode::UnsupportedRevision);
    assert_eq!(refusal.body(), r#"{"code":5,"message":"Unsupported protocol version"}"#);
    assert_eq!(refusal.status(), 400);
    let refusal = Refusal::forbidden("not \"you\"");
    assert_eq!(refusal.body(), r#"{"code":4,"message":"not \"you\""}"#);
    assert_eq!(refusal.status(), 403);
}

#[test]
fn the_open_packet_says_what_there_is() {
    let settings = EngineSettings::default();
    let rest = r#""pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    let polling = format!(r#"{{"sid":"{SID}","upgrades":["websocket"],{rest}"#);
    assert_eq!(open_packet(&sid(), Transport::Polling, &settings), polling);
    let websocket = format!(r#"{{"sid":"{SID}","upgrades":[],{rest}"#);
    assert_eq!(open_packet(&sid(), Transport::WebSocket, &settings), websocket);
    let settings = EngineSettings { allow_upgrades: false, ..settings };
    assert_eq!(open_packet(&sid(), Transport::Polling, &settings), websocket);
}

#[test]
fn ids_are_twenty_characters_and_no_log_shows_them() {
    let sid = Sid::new(u16::MAX, [255; Sid::RANDOM_BYTES]);
    assert_eq!(sid.as_str(), "_".repeat(20));
    assert_eq!(Sid::parse(sid.as_str()), Some(sid));
    for worker in [0, 1, 255, 256, u16::MAX] {
        assert_eq!(Sid::new(worker, [7; Sid::RANDOM_BYTES]).worker(), worker);
    }
    assert_eq!(format!("{sid:?}"), "Sid(____…)");
}

proptest! {
    #[test]
    fn garbage_is_survived(query: String) {
        for kind in [RequestKind::Get, RequestKind::Post, RequestKind::WebSocket, RequestKind::Other] {
            let _ = parse(kind, &query);
            let _ = parse(kind, &format!("EIO=4&transport=polling&{query}"));
        }
    }
}
