use std::sync::Arc;

use antiphon_access::Permission;
use antiphon_access::pam::{Bits, Resource};
use antiphon_model::ChannelId;
use antiphon_node::StoreError;
use http::StatusCode;
use serde_json::{Value, json};

use crate::answer::{self, Answer};
use crate::groups::GroupError;
use crate::request::Request;
use crate::wire::error::Refusal;
use crate::wire::names::{PRESENCE_SUFFIX, channel, unique, wildcard_prefix};

/// What stands for every group where they are all asked for: access managers grant it by this name.
const EVERY_GROUP: &str = ":";

/// `GET /v1/channel-registration/sub-key/{sub}/channel-group`
pub(super) async fn list(request: Request) -> Answer {
    request.may([Resource::Group(EVERY_GROUP)], Bits::MANAGE)?;
    let groups = request.shared.groups.names(&request.keyset.org);
    done(Some(json!({ "namespace": "", "groups": groups })))
}

/// `GET …/channel-group/{group}?add=|remove=`: without either, what is in it.
pub(super) async fn group(request: Request) -> Answer {
    let group = name(&request)?;
    let (org, groups) = (&request.keyset.org, &request.shared.groups);
    if let Some(added) = request.query.filled("add") {
        let channels = channels(&request, added)?;
        check_names(&request, &channels)?;
        return change(&request, group, Change::Add(channels)).await;
    }
    if let Some(removed) = request.query.filled("remove") {
        let channels = channels(&request, removed)?;
        return change(&request, group, Change::Remove(channels)).await;
    }
    done(Some(json!({ "channels": groups.channels(org, group), "group": group })))
}

/// `GET …/channel-group/{group}/remove`
pub(super) async fn remove(request: Request) -> Answer {
    let group = name(&request)?;
    change(&request, group, Change::RemoveAll).await
}

/// What happens to a group.
enum Change {
    Add(Vec<Box<str>>),
    Remove(Vec<Box<str>>),
    RemoveAll,
}

/// Changes a group. A change that has begun is made in the store and in memory, also if the client goes away meanwhile.
async fn change(request: &Request, group: &str, change: Change) -> Answer {
    let (shared, node) = (Arc::clone(&request.shared), Arc::clone(request.node()));
    let (org, group) = (request.keyset.org.clone(), Box::<str>::from(group));
    let changing = tokio::task::spawn_local(async move {
        let groups = &shared.groups;
        match &change {
            Change::Add(channels) => groups.add(&node, &org, &group, channels).await,
            Change::Remove(channels) => groups.remove(&node, &org, &group, Some(channels)).await,
            Change::RemoveAll => groups.remove(&node, &org, &group, None).await,
        }
    });
    changing.await.unwrap_or(Err(GroupError::Unavailable(StoreError::Closed)))?;
    done(None)
}

/// The group of the path, if the request may change it and see what is in it.
fn name(request: &Request) -> Result<&str, Refusal> {
    let group = request.path.of("group");
    if is_reserved(group) || channel(group).is_err() {
        return Err(reserved());
    }
    request.may([Resource::Group(group)], Bits::MANAGE)?;
    Ok(group)
}

/// Whether a group cannot be called that: lists and presence could not name it.
fn is_reserved(group: &str) -> bool {
    group.contains([',', '*', '/', '\\']) || group.ends_with(PRESENCE_SUFFIX)
}

fn reserved() -> Refusal {
    Refusal::bad("Reserved character in input parameters.")
}

fn channels(request: &Request, names: &str) -> Result<Vec<Box<str>>, Refusal> {
    let names = unique(names);
    if names.len() > request.settings().names_per_request_max {
        return Err(Refusal::bad("Too many channels"));
    }
    if names.iter().any(|name| channel(name).is_err()) {
        return Err(reserved());
    }
    Ok(names.into_iter().map(Box::from).collect())
}

/// Checks that the names are such as the org's channels may have: who listens to the group could not else.
fn check_names(request: &Request, names: &[Box<str>]) -> Result<(), Refusal> {
    for name in names {
        let name = name.strip_suffix(PRESENCE_SUFFIX).unwrap_or(name);
        let wildcard = wildcard_prefix(name).and_then(ChannelId::wildcard_of);
        let channel = wildcard.map_or_else(|| channel(name), |wildcard| Ok(Arc::new(wildcard)))?;
        request.caller.may(Permission::Subscribe, &channel)?;
    }
    Ok(())
}

/// `{"status":200,"message":"OK","payload"?,"service":"channel-registry","error":false}`
fn done(payload: Option<Value>) -> Answer {
    let mut body = json!({ "status": 200, "message": "OK", "service": "channel-registry", "error": false });
    if let Some(payload) = payload {
        body["payload"] = payload;
    }
    answer::json(&body)
}

impl From<GroupError> for Refusal {
    fn from(error: GroupError) -> Refusal {
        match error {
            GroupError::TooManyGroups | GroupError::TooManyChannels => Refusal::bad(error.to_string()),
            GroupError::Unavailable(_) => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lists_cannot_name_is_no_group() {
        for (group, expected) in [
            ("news", false),
            ("ns:news", false),
            ("a b", false),
            ("a,b", true),
            ("a*", true),
            ("a/b", true),
            ("news-pnpres", true),
        ] {
            assert_eq!(is_reserved(group), expected, "{group}");
        }
    }
}
