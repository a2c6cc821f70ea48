use super::*;

const ENABLED: DeflateSettings = DeflateSettings { enabled: true, threshold_bytes: 0 };

/// The request of RFC 6455 section 1.2, changed by `change`.
fn request(change: impl FnOnce(&mut HeaderMap)) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "server.example.com"),
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("origin", "http://example.com"),
        ("sec-websocket-protocol", "chat, superchat"),
        ("sec-websocket-version", "13"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    change(&mut headers);
    headers
}

fn read(headers: &HeaderMap) -> Result<Option<Upgrade>, BadUpgrade> {
    Upgrade::from_request(&Method::GET, Version::HTTP_11, headers, &ENABLED)
}

#[test]
fn the_handshake_of_rfc_6455_section_1_3() {
    let upgrade = read(&request(|_| {})).expect("valid").expect("an upgrade");
    assert_eq!(upgrade.subprotocols, ["chat", "superchat"]);
    assert_eq!(upgrade.select(&["superchat", "chat"]), Some("chat"));
    assert_eq!(upgrade.select(&["Chat"]), None);

    let headers = upgrade.response_headers(Some("chat"));
    assert_eq!(headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(headers["sec-websocket-protocol"], "chat");
    assert_eq!(headers["upgrade"], "websocket");
    assert_eq!(headers["connection"], "Upgrade");
    assert_eq!(headers.len(), 4);
}

#[test]
fn a_subprotocol_that_was_not_offered_is_not_sent() {
    let upgrade = read(&request(|_| {})).expect("valid").expect("an upgrade");
    assert!(!upgrade.response_headers(Some("mqtt")).contains_key("sec-websocket-protocol"));
    assert!(!upgrade.response_headers(None).contains_key("sec-websocket-protocol"));
}

#[test]
fn other_requests_are_none_of_ours() {
    assert_eq!(read(&request(|headers| drop(headers.remove("upgrade")))), Ok(None));
    let h2c = request(|headers| drop(headers.insert("upgrade", HeaderValue::from_static("h2c"))));
    assert_eq!(read(&h2c), Ok(None));
}

#[test]
fn lists_may_be_long_mixed_in_case_and_over_several_headers() {
    let headers = request(|headers| {
        headers.insert("connection", HeaderValue::from_static("keep-alive, UPGRADE"));
        headers.insert("upgrade", HeaderValue::from_static("h2c"));
        headers.append("upgrade", HeaderValue::from_static("WebSocket"));
        headers.append("sec-websocket-protocol", HeaderValue::from_static("antiphon.v1"));
    });
    let upgrade = read(&headers).expect("valid").expect("an upgrade");
    assert_eq!(upgrade.subprotocols, ["chat", "superchat", "antiphon.v1"]);
}

#[test]
fn what_is_wrong_with_a_request_is_said() {
    for (name, value, error) in [
        ("connection", "keep-alive", BadUpgrade::Connection),
        ("sec-websocket-version", "8", BadUpgrade::UnsupportedVersion),
        ("sec-websocket-version", "13, 8", BadUpgrade::UnsupportedVersion),
        ("sec-websocket-key", "", BadUpgrade::Key),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ", BadUpgrade::Key),
        ("sec-websocket-key", "c2hvcnQ=", BadUpgrade::Key),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZSB0b28gbG9uZw==", BadUpgrade::Key),
        ("sec-websocket-protocol", "chat,", BadUpgrade::Subprotocols),
        ("sec-websocket-protocol", "super chat", BadUpgrade::Subprotocols),
        ("sec-websocket-extensions", "permessage-deflate;", BadUpgrade::Extensions),
    ] {
        let headers = request(|headers| drop(headers.insert(name, HeaderValue::from_static(value))));
        assert_eq!(read(&headers), Err(error), "{name}: {value}");
    }

    for (name, error) in
        [("sec-websocket-version", BadUpgrade::MissingVersion), ("sec-websocket-key", BadUpgrade::Key)]
    {
        assert_eq!(read(&request(|headers| drop(headers.remove(name)))), Err(error), "no {name}");
    }

    let twice = request(|headers| {
        headers.append("sec-websocket-key", HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
    });
    assert_eq!(read(&twice), Err(BadUpgrade::Key));

    let headers = request(|_| {});
    let read = |method, version| Upgrade::from_request(&method, version, &headers, &ENABLED);
    assert_eq!(read(Method::POST, Version::HTTP_11), Err(BadUpgrade::Method));
    assert_eq!(read(Method::GET, Version::HTTP_10), Err(BadUpgrade::HttpVersion));
}

#[test]
fn another_version_is_told_ours() {
    assert_eq!(BadUpgrade::UnsupportedVersion.status(), StatusCode::UPGRADE_REQUIRED);
    assert_eq!(BadUpgrade::UnsupportedVersion.headers()["sec-websocket-version"], "13");
    assert_eq!(BadUpgrade::Key.status(), StatusCode::BAD_REQUEST);
    assert!(BadUpgrade::Key.headers().is_empty());
}

#[test]
fn a_key_with_stray_bits_is_a_key() {
    let headers = request(|headers| {
        headers.insert("sec-websocket-key", HeaderValue::from_static("abcdefghijklmnopqrstuv=="));
    });
    assert!(read(&headers).expect("valid").is_some());
}

#[test]
fn compression_is_agreed_on_only_if_enabled() {
    let headers = request(|headers| {
        headers.insert("sec-websocket-extensions", HeaderValue::from_static("permessage-deflate"));
    });
    let upgrade = read(&headers).expect("valid").expect("an upgrade");
    assert_eq!(
        upgrade.response_headers(None)["sec-websocket-extensions"],
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    );

    let disabled = DeflateSettings::default();
    let upgrade = Upgrade::from_request(&Method::GET, Version::HTTP_11, &headers, &disabled);
    let upgrade = upgrade.expect("valid").expect("an upgrade");
    assert_eq!(upgrade.deflate, None);
    assert!(!upgrade.response_headers(None).contains_key("sec-websocket-extensions"));
}
