//! The channels of a user, and the users of a channel: the same memberships from their two sides.

use antiphon_access::pam::{Bits, Resource};
use antiphon_model::Kind;
use antiphon_store::{ListQuery, Listed, MembershipChange, MembershipsChanged, Of};

use super::{id, of_store};
use crate::answer::{self, Answer};
use crate::request::Request;
use crate::routes::events::{Teller, change};
use crate::wire::error::Refusal;
use crate::wire::objects::patch::{self, Relations};
use crate::wire::objects::write::{self, Happened, Page};
use crate::wire::objects::{Include, Related, list};

/// `GET /v2/objects/{sub}/uuids/{id}/channels`
pub(in crate::routes) async fn channels_of(request: Request) -> Answer {
    request.may([Resource::Uuid(id(&request)?)], Bits::GET)?;
    let query = list::parse(&request.query, Listed::ChannelsOfUser)?;
    listed(&request, Related::Channel, query).await
}

/// `GET /v2/objects/{sub}/channels/{id}/uuids`
pub(in crate::routes) async fn members_of(request: Request) -> Answer {
    request.may([Resource::Channel(id(&request)?)], Bits::GET)?;
    let query = list::parse(&request.query, Listed::UsersOfChannel)?;
    listed(&request, Related::User, query).await
}

/// `PATCH /v2/objects/{sub}/uuids/{id}/channels`
pub(in crate::routes) async fn set_channels_of(request: Request) -> Answer {
    request.may([Resource::Uuid(id(&request)?)], Bits::UPDATE)?;
    let relations = relations(&request, Related::Channel)?;
    request.may(relations.ids().map(Resource::Channel), Bits::JOIN)?;
    let query = list::parse(&request.query, Listed::ChannelsOfUser)?;
    set(&request, Related::Channel, relations).await?;
    listed(&request, Related::Channel, query).await
}

/// `PATCH /v2/objects/{sub}/channels/{id}/uuids`
pub(in crate::routes) async fn set_members_of(request: Request) -> Answer {
    request.may([Resource::Channel(id(&request)?)], Bits::MANAGE)?;
    let relations = relations(&request, Related::User)?;
    let query = list::parse(&request.query, Listed::UsersOfChannel)?;
    set(&request, Related::User, relations).await?;
    listed(&request, Related::User, query).await
}

fn relations(request: &Request, related: Related) -> Result<Relations, Refusal> {
    Ok(patch::relations(&request.body, related, request.settings().memberships_per_request_max)?)
}

impl Relations {
    fn ids(&self) -> impl Iterator<Item = &str> {
        self.set.iter().map(|(id, _)| &**id).chain(self.delete.iter().map(|id| &**id))
    }
}

/// Answers with a page of the memberships, as they are by then.
async fn listed(request: &Request, related: Related, query: ListQuery) -> Answer {
    let include = Include::parse(&request.query, Some(related));
    let (offset, count) = (query.offset, query.count);
    let id = id(request)?.into();
    let of = match related {
        Related::Channel => Of::User(id),
        Related::User => Of::Channel(id),
    };
    let listed =
        request.node().store().memberships(&request.keyset.org, of, query).await.map_err(of_store)?;
    let page = Page { offset, more: listed.more, total: listed.total.filter(|_| count) };
    Ok(answer::written(write::memberships(related, &listed.memberships, include, page)))
}

/// Changes memberships, and tells their users and channels.
async fn set(request: &Request, related: Related, relations: Relations) -> Result<(), Refusal> {
    let one: &str = id(request)?;
    let sides = |other: Box<str>| -> (Box<str>, Box<str>) {
        match related {
            Related::Channel => (one.into(), other),
            Related::User => (other, one.into()),
        }
    };
    let set = relations.set.into_iter().map(|(other, patch)| {
        let (user, channel) = sides(other);
        MembershipChange::Set { user, channel, patch }
    });
    let removed = relations.delete.into_iter().map(|other| {
        let (user, channel) = sides(other);
        MembershipChange::Remove { user, channel }
    });
    let changes: Vec<MembershipChange> = set.chain(removed).collect();
    if changes.is_empty() {
        return Ok(());
    }
    let teller = Teller::new(request);
    let tell = move |changed: &MembershipsChanged| {
        for (happened, memberships) in [(Happened::Set, &changed.set), (Happened::Deleted, &changed.removed)]
        {
            for membership in memberships {
                let event = write::membership_event(happened, membership);
                teller.tell(&membership.user, Kind::Object, event.clone());
                if membership.channel != membership.user {
                    teller.tell(&membership.channel, Kind::Object, event);
                }
            }
        }
    };
    let now = request.worker.now().wall;
    let (store, org) = (request.node().store(), &request.keyset.org);
    change(|done| store.set_memberships(org, changes, now, done), tell).await.map_err(of_store)?;
    Ok(())
}
