use serde_json::json;

use crate::{Running, Setup};

const TOKEN: &str = "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789ABCDEF";

#[test]
fn devices_of_each_gateway_have_channels_of_their_own() {
    let server = Running::start();
    let v1 = |gateway: &str, suffix: &str| {
        format!("/v1/push/sub-key/demo/devices/{TOKEN}{suffix}?uuid=ann&type={gateway}")
    };
    let v2 = |environment: &str, suffix: &str| {
        format!(
            "/v2/push/sub-key/demo/devices-apns2/{TOKEN}{suffix}?uuid=ann&topic=app&environment={environment}"
        )
    };
    let kinds = [v1("gcm", ""), v1("apns", ""), v1("mpns", ""), v2("development", ""), v2("production", "")];
    for (number, device) in kinds.iter().enumerate() {
        assert_eq!(server.get(device), json!([]));
        let added = server.get(&format!("{device}&add=a,b%2Fc,a,only-{number}"));
        assert_eq!(added, json!([1, "Modified Channels"]));
        assert_eq!(server.get(device), json!(["a", "b/c", format!("only-{number}")]));
    }
    assert_eq!(server.get(&format!("{}&remove=a,nowhere", kinds[0])), json!([1, "Modified Channels"]));
    assert_eq!(server.get(&kinds[0]), json!(["b/c", "only-0"]));
    for (number, remove) in
        [v1("gcm", "/remove"), v1("apns", "/remove"), v1("mpns", "/remove"), v2("development", "/remove")]
            .iter()
            .enumerate()
    {
        assert_eq!(server.get(remove), json!([1, "Removed Device"]));
        assert_eq!(server.get(&kinds[number]), json!([]));
    }
    assert_eq!(server.get(&kinds[4]), json!(["a", "b/c", "only-4"]));
    assert_eq!(server.get(&kinds[4].replace(TOKEN, &TOKEN.to_lowercase())), json!(["a", "b/c", "only-4"]));
    server.stop();
}

#[test]
fn what_is_no_device_is_refused() {
    let server = Setup::new(|settings| settings.push_channels_per_device_max = 2).start();
    let hex = json!({"error": "Expected 32 or 100 byte hex device token"});
    assert_eq!(server.refused("/v1/push/sub-key/demo/devices/abc?type=apns"), (400, hex.clone()));
    assert_eq!(server.refused("/v2/push/sub-key/demo/devices-apns2/abc?topic=t"), (400, hex));
    for target in [
        "/v1/push/sub-key/demo/devices/abc".to_owned(),
        "/v1/push/sub-key/demo/devices/abc?type=x".into(),
        format!("/v2/push/sub-key/demo/devices-apns2/{TOKEN}"),
        format!("/v2/push/sub-key/demo/devices-apns2/{TOKEN}?topic=t&environment=x"),
        "/v1/push/sub-key/demo/devices/abc?type=gcm&add=a,b,c".into(),
    ] {
        let (status, body) = server.refused(&target);
        assert_eq!((status, body["error"].is_string()), (400, true), "{target}: {body}");
    }
    assert_eq!(
        server.get("/v1/push/sub-key/demo/devices/abc?type=gcm&add=a,b"),
        json!([1, "Modified Channels"])
    );
    assert_eq!(server.refused("/v1/push/sub-key/demo/devices/abc?type=gcm&add=c").0, 400);
    assert_eq!(
        server.get("/v1/push/sub-key/demo/devices/abc?type=gcm&add=b"),
        json!([1, "Modified Channels"])
    );
    server.stop();
}
