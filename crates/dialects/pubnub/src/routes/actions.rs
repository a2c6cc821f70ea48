//! Actions on messages.

use antiphon_access::pam::Bits;
use antiphon_model::{Kind, Position};
use antiphon_store::{Action, ActionQuery, ActionRange, Added, Removed};
use http::StatusCode;

use super::events::{Teller, change};
use crate::answer::{self, Answer};
use crate::request::Request;
use crate::wire::actions::{self, ActionsAsked, Happened, InvalidAction, NewAction};
use crate::wire::error::Refusal;

/// How many actions at one position are looked at to find one on a certain message.
const AT_ONE_POSITION_MAX: usize = 16;

/// `POST /v1/message-actions/{sub}/channel/{channel}/message/{message}`
pub(super) async fn add(request: Request) -> Answer {
    let name = request.path.of("channel");
    request.may_on([name], Bits::WRITE)?;
    let channel = request.channel("channel")?;
    let publisher = request.needs_uuid()?.into();
    let message = timetoken(&request, "message")?;
    let NewAction { kind, value } = NewAction::parse(&request.body, request.settings().message_bytes_max)?;
    let position = request.shared.ticks.next(request.worker.now().wall);
    let action = Action { message, position, kind, value, publisher };
    let (told, teller) = (action.clone(), Teller::new(&request));
    let on = name.to_owned();
    let tell = move |added: &Added| {
        if *added == Added::New {
            teller.tell(&on, Kind::Action, actions::event(Happened::Added, &told));
        }
    };
    let (store, org) = (request.node().store(), &request.keyset.org);
    let added = change(|done| store.add_action(org, &channel, action.clone(), done), tell).await?;
    match added {
        Added::New => Ok(answer::written(actions::one(&action))),
        Added::Exists => Err(Refusal::new(StatusCode::CONFLICT, "Action Already Added")),
    }
}

/// `GET /v1/message-actions/{sub}/channel/{channel}`
pub(super) async fn list(request: Request) -> Answer {
    request.may_on([request.path.of("channel")], Bits::READ)?;
    let channel = request.channel("channel")?;
    let asked = ActionsAsked::parse(&request.query).map_err(|name| {
        Refusal::bad(format!("Invalid {name}")).with_detail("query", name, "it is no timetoken or number")
    })?;
    let by = ActionRange::ByActions {
        start: asked.start.unwrap_or(Position(u64::MAX)),
        end: asked.end.unwrap_or(Position::ZERO),
    };
    let query = ActionQuery { by, limit: asked.limit };
    let page = request.node().store().actions(&request.keyset.org, &channel, query).await?;
    let more_at = page.more.then(|| request.head.uri.path());
    Ok(answer::written(actions::list(&page.actions, asked, more_at)))
}

/// `DELETE /v1/message-actions/{sub}/channel/{channel}/message/{message}/action/{action}`
pub(super) async fn remove(request: Request) -> Answer {
    let name = request.path.of("channel");
    request.may_on([name], Bits::DELETE)?;
    let channel = request.channel("channel")?;
    let publisher = request.needs_uuid()?;
    let (message, position) = (timetoken(&request, "message")?, timetoken(&request, "action")?);
    let (store, org) = (request.node().store(), &request.keyset.org);
    // Subscribers are told what it said.
    let by = ActionRange::ByActions { start: Position(position.0.saturating_add(1)), end: position };
    let query = ActionQuery { by, limit: AT_ONE_POSITION_MAX };
    let found = store.actions(org, &channel, query).await?.actions;
    let Some(action) = found.into_iter().find(|action| action.message == message) else {
        return Err(Refusal::bad("No matching message actions to delete"));
    };
    let (on, teller) = (name.to_owned(), Teller::new(&request));
    let tell = move |removed: &Removed| {
        if *removed == Removed::Yes {
            teller.tell(&on, Kind::Action, actions::event(Happened::Removed, &action));
        }
    };
    let remove = |done| store.remove_action(org, &channel, message, position, publisher, done);
    match change(remove, tell).await? {
        Removed::Yes => Ok(answer::written(actions::REMOVED)),
        Removed::NoSuch => Err(Refusal::bad("No matching message actions to delete")),
        Removed::OtherPublisher => Err(Refusal::bad("Not deleting message action: wrong uuid specified")),
    }
}

fn timetoken(request: &Request, name: &'static str) -> Result<Position, Refusal> {
    let position: Option<Position> = request.path.of(name).parse().ok();
    let position = position.filter(|position| *position > Position::ZERO);
    position.ok_or_else(|| Refusal::bad(format!("Invalid {name} timetoken")))
}

impl From<InvalidAction> for Refusal {
    fn from(error: InvalidAction) -> Refusal {
        Refusal::bad(error.to_string())
    }
}
