//! Devices that want to be told of messages while their app is not running: kept, for who delivers to them.

use std::sync::Arc;

use antiphon_access::pam::{Bits, Resource};
use antiphon_node::StoreError;
use antiphon_store::{Done, Store};
use bytes::Bytes;
use futures_util::future::join_all;
use tokio::sync::oneshot;

use crate::answer::{self, Answer};
use crate::request::Request;
use crate::wire::error::Refusal;
use crate::wire::names::{channel, unique};
use crate::wire::push::Device;

/// What registrations are called in the store; a key is a device, and behind it a channel.
const COLLECTION: &str = "pubnub.push";

/// How many registrations are read at once.
const PAGE: usize = 500;

/// `GET /v1/push/sub-key/{sub}/devices/{device}?type&add&remove`
pub(super) async fn device(request: Request) -> Answer {
    let device = Device::of_type(request.path.of("device"), &request.query)?;
    change(&request, &device).await
}

/// `GET /v1/push/sub-key/{sub}/devices/{device}/remove?type`
pub(super) async fn remove(request: Request) -> Answer {
    let device = Device::of_type(request.path.of("device"), &request.query)?;
    remove_all(&request, &device).await
}

/// `GET /v2/push/sub-key/{sub}/devices-apns2/{device}?environment&topic&add&remove`
pub(super) async fn apns2(request: Request) -> Answer {
    let device = Device::of_apns2(request.path.of("device"), &request.query)?;
    change(&request, &device).await
}

/// `GET /v2/push/sub-key/{sub}/devices-apns2/{device}/remove?environment&topic`
pub(super) async fn remove_apns2(request: Request) -> Answer {
    let device = Device::of_apns2(request.path.of("device"), &request.query)?;
    remove_all(&request, &device).await
}

/// Adds channels to a device and removes some from it; without either, says which it has.
async fn change(request: &Request, device: &Device) -> Answer {
    let (added, removed) = (request.query.filled("add"), request.query.filled("remove"));
    if added.is_none() && removed.is_none() {
        return answer::json(&readable(request, device).await?);
    }
    let (added, removed) = (names(request, added)?, names(request, removed)?);
    request.may_on(added.iter().chain(&removed).copied(), Bits::READ)?;
    if !added.is_empty() {
        let there = registered(request, device).await?;
        let new = added.iter().filter(|name| !there.iter().any(|other| **other == ***name)).count();
        if there.len() + new > request.settings().push_channels_per_device_max {
            return Err(Refusal::bad("Too many channels for this device"));
        }
    }
    let (store, org) = (request.node().store(), &request.keyset.org);
    let add = |name: &str, done| store.put_item(org, COLLECTION, &device.key(name), Bytes::new(), None, done);
    let (adding, removing) = (begin(&added, add), begin_removing(request, device, &removed));
    all(adding).await?;
    all(removing).await?;
    Ok(answer::written(r#"[1,"Modified Channels"]"#))
}

async fn remove_all(request: &Request, device: &Device) -> Answer {
    let channels = readable(request, device).await?;
    let channels: Vec<&str> = channels.iter().map(|name| &**name).collect();
    all(begin_removing(request, device, &channels)).await?;
    Ok(answer::written(r#"[1,"Removed Device"]"#))
}

fn begin_removing(request: &Request, device: &Device, channels: &[&str]) -> Vec<Changing> {
    let (store, org) = (request.node().store(), &request.keyset.org);
    begin(channels, |name, done| {
        store.remove_item(org, COLLECTION, &device.key(name), Box::new(|removed| done(removed.map(|_| ()))));
    })
}

/// The channels that a device is registered for and the client may read. Of others it is not told, not even that there are any: a refusal would
/// name what it did not.
async fn readable(request: &Request, device: &Device) -> Result<Vec<Box<str>>, Refusal> {
    let mut channels = registered(request, device).await?;
    channels.retain(|name| request.permit.check(Resource::Channel(name), Bits::READ).is_ok());
    Ok(channels)
}

/// The channels that a device is registered for.
async fn registered(request: &Request, device: &Device) -> Result<Vec<Box<str>>, Refusal> {
    let store: Arc<dyn Store> = Arc::clone(request.node().store());
    let (prefix, mut channels, mut after) = (device.prefix(), Vec::new(), None::<Box<str>>);
    loop {
        let page = store.items(&request.keyset.org, COLLECTION, after.as_deref(), &prefix, PAGE).await?;
        channels.extend(page.items.iter().filter_map(|item| item.key.strip_prefix(&*prefix)).map(Box::from));
        after = page.items.last().map(|item| item.key.clone());
        if !page.more || after.is_none() {
            return Ok(channels);
        }
    }
}

fn names<'a>(request: &Request, list: Option<&'a str>) -> Result<Vec<&'a str>, Refusal> {
    let names = unique(list.unwrap_or_default());
    if names.len() > request.settings().names_per_request_max {
        return Err(Refusal::bad("Too many channels"));
    }
    match names.iter().find_map(|name| channel(name).err()) {
        Some(error) => Err(error.into()),
        None => Ok(names),
    }
}

/// A change that the store has been told of.
type Changing = oneshot::Receiver<Result<(), StoreError>>;

/// Has the store change something for each of several names. It goes on though nobody waits.
fn begin(names: &[&str], change: impl Fn(&str, Done)) -> Vec<Changing> {
    let each = names.iter().map(|name| {
        let (sender, receiver) = oneshot::channel();
        // Whoever asked may have gone.
        change(name, Box::new(move |outcome| _ = sender.send(outcome)));
        receiver
    });
    each.collect()
}

async fn all(changing: Vec<Changing>) -> Result<(), StoreError> {
    for outcome in join_all(changing).await {
        outcome.unwrap_or(Err(StoreError::Closed))?;
    }
    Ok(())
}
