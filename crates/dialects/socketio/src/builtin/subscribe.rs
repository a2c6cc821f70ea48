use antiphon_access::Permission;
use antiphon_net::problem::Problem;
use antiphon_net::{Client, Listening};

use super::Request;
use super::answer::Answer;
use super::request::{self, Subscription};
use crate::rooms;

pub(super) async fn subscribe(request: &Request) -> Result<Answer, Problem> {
    let socket = &request.event.socket;
    let subscriptions = request::subscriptions(&request.event.arguments, &request.caller.limits)?;
    for Subscription { asked, .. } in subscriptions.iter().filter(|one| one.asked.join.is_some()) {
        // Before anybody is told of a join that has to be taken back.
        request.caller.may(Permission::Presence, &asked.channel)?;
    }
    let format = request.connection.format();
    let want = |one: &Subscription| one.asked.want(one.asked_since(), format);
    let wants = subscriptions.iter().map(want).collect();
    let listening = request.client.listen(wants).await?;
    if !socket.is_connected() {
        // It left the namespace while the store was read.
        end(&subscriptions, &request.client);
        return Ok(Answer::Done {});
    }
    join(&subscriptions, &request.client)?;
    // Before the answer, and before anything comes live.
    request.client.send_publications(&listening);
    note(request, subscriptions, &listening);
    if let Some(recovery) = request.connection.io().recovery()
        && recovery.store_now(socket)
    {
        // Whoever was told that he listens does so after a crash.
        let _ = request.node().store().flush().await;
    }
    Ok(Answer::subscribed(&listening.channels))
}

/// Counts the client as present where it wants to be; on an error it neither is nor listens anywhere.
fn join(subscriptions: &[Subscription], client: &Client) -> Result<(), Problem> {
    for Subscription { asked, .. } in subscriptions {
        let Some(state) = &asked.join else { continue };
        if let Err(error) = client.join(&asked.channel, state.clone()) {
            end(subscriptions, client);
            return Err(Problem::from(error).with_channel(&asked.channel));
        }
    }
    Ok(())
}

fn end(subscriptions: &[Subscription], client: &Client) {
    for Subscription { asked, .. } in subscriptions {
        client.leave(&asked.channel);
        client.unlisten(&asked.channel);
    }
}

fn note(request: &Request, subscriptions: Vec<Subscription>, listening: &Listening) {
    let begun = subscriptions.into_iter().zip(&listening.channels);
    let begun = begun.map(|(Subscription { asked, since }, on)| {
        let since = since.map(|since| request.node().recover_from(&request.caller, &asked.channel, since));
        (asked, on.position, since)
    });
    rooms::note_listening(&request.event.socket, begun.collect());
}

pub(super) fn unsubscribe(request: &Request) -> Result<Answer, Problem> {
    for channel in request::channels(&request.event.arguments)? {
        request.client.unlisten(&channel);
        request.client.leave(&channel);
        rooms::note_unlistened(&request.event.socket, &channel);
    }
    if let Some(recovery) = request.connection.io().recovery() {
        recovery.store_now(&request.event.socket);
    }
    Ok(Answer::Done {})
}
