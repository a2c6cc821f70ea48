use std::sync::Arc;
use std::time::Duration;

use antiphon_tests::encoded;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::exp::listen;
use super::native::fine;
use super::wire::Way;
use crate::client::Trouble;
use crate::credentials::{ADMIN_KEY, login};
use crate::random::Random;
use crate::world::{Phase, World};

/// How long a revoked device may stay connected.
const REVOKED_WITHIN: Duration = Duration::from_secs(15);

/// Adds devices while the server runs, has them log in and listen, and revokes them, which has to end their connections.
pub(crate) async fn administrate(world: Arc<World>, mut random: Random) {
    let phase = world.phase();
    let mut number = 0;
    while *phase.borrow() == Phase::Talking {
        number += 1;
        let name = format!("passing-{}-{number}", random.below(1_000_000));
        match employ(&world, &name).await {
            Ok(()) => world.count("credentials added and revoked"),
            Err(_) if world.is_excused() => {}
            Err(trouble) => world.fault("administrator", trouble),
        }
        sleep(random.around(Duration::from_secs(2))).await;
    }
}

async fn employ(world: &World, name: &str) -> Result<(), Trouble> {
    let api = world.api.with_token(ADMIN_KEY);
    let body = json!({"kind": "device", "name": name});
    let added = fine(&api.post("/v1/credentials").json(&body).try_send().await?)?;
    let secret = added["secret"].as_str().unwrap_or_default();
    let token = login(&world.api, name, secret).await?;
    let mut wire = listen(world, &token, Way::Socket, &["lobby.0".to_owned()]).await?;
    let subscribed = wire.next().await?;
    if !subscribed.starts_with(r#"2["subscribed""#) {
        return Err(Trouble::Fault(format!("{subscribed} instead of subscribed")));
    }
    fine(&api.delete(&format!("/v1/credentials/device/{}", encoded(name))).try_send().await?)?;
    let ended = async { while wire.next().await.is_ok() {} };
    if timeout(REVOKED_WITHIN, ended).await.is_err() {
        return Err(Trouble::Fault(format!("{name} is revoked and still connected")));
    }
    match login(&world.api, name, secret).await {
        Err(Trouble::Fault(refused)) if refused.contains("401") => Ok(()),
        Err(trouble) => Err(trouble),
        Ok(_) => Err(Trouble::Fault(format!("{name} is revoked and logs in"))),
    }
}
