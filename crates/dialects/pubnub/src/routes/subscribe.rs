//! Listening: a request waits until there is something, and is answered with all that came at that moment.
//!
//! The timetoken of an answer is a complete cursor over all channels, since an org has one order: a client that comes back with it gets
//! what it missed, once and in order, whichever channels it names then.

mod catch_up;
pub(crate) mod filter;
mod page;
mod wanted;

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use antiphon_hub::{Filter, Since};
use antiphon_model::Position;
use antiphon_net::{Close, Stream, StreamOptions, Worker};
use antiphon_node::Begins;
use bytes::Bytes;
use futures_util::future::select_all;
use tokio::sync::futures::Notified;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use self::page::Page;
use self::wanted::Wanted;
use super::asked::{Asked, States};
use super::heartbeat::{beat, is_new};
use crate::answer::{self, Answer};
use crate::cursors::Waiting;
use crate::endpoint::Local;
use crate::request::Request;
use crate::wire::error::Refusal;
use crate::wire::names::PRESENCE_SUFFIX;

/// `GET /v2/subscribe/{sub}/{channels}/0?tt&tr&channel-group&filter-expr&heartbeat&state`
pub(super) async fn subscribe(request: Request) -> Answer {
    let asked = Asked::of(&request)?;
    asked.may_read(&request)?;
    let filter = request.query.filled("filter-expr").map(filter::parse).transpose()?;
    let states = States::of(&request)?;
    let page = match timetoken(&request)? {
        Position::ZERO => Page::empty(handshake(&request, &asked, &states).await?),
        since => {
            let (shared, org) = (&request.shared, &request.keyset.org);
            let uuid = request.uuid.as_deref();
            let _waiting = uuid.map(|uuid| Waiting::begin(shared, &request.worker, org, uuid, since));
            let page = poll(&request, &asked, &states, filter.as_ref(), since).await?;
            still_admitted(&request)?;
            page
        }
    };
    Ok(answer::written(page.into_answer(&request.local)))
}

/// Checks that the request's token has not ended while it waited: what came since then is not for whoever has it.
fn still_admitted(request: &Request) -> Result<(), Refusal> {
    match request.caller.has_expired(request.worker.now().wall) {
        true => Err(Refusal::forbidden("Token is expired or revoked.")),
        false => Ok(()),
    }
}

/// Where the client wants to go on; zero if it only begins.
fn timetoken(request: &Request) -> Result<Position, Refusal> {
    match request.query.filled("tt") {
        None => Ok(Position::ZERO),
        Some(text) => text.parse().map_err(|_| Refusal::bad("Invalid timetoken")),
    }
}

/// Answers at once with where to begin. From there on everything is kept for the client, also what is kept for nobody else; and
/// only then is it said to be present, so that it hears of itself.
async fn handshake(request: &Request, asked: &Asked, states: &States) -> Result<Position, Refusal> {
    // Looked up together: who is present somewhere listens there too.
    let (wanted, places) = (Wanted::of(request, asked), asked.places(request));
    keep(request, &wanted, Begins::Anew).await?;
    let position = request.hub().delivered();
    beat(request, &places, states)?;
    Ok(left_off(request).map_or(position, |left_off| left_off.min(position)))
}

/// Has everything kept from here on, for a while, also what is kept for nobody else: presence events, and what comes by wildcards.
async fn keep(request: &Request, wanted: &Wanted, begins: Begins) -> Result<(), Refusal> {
    let stream = open(request, begins)?;
    stream.listen(wanted.wants(Since::Now, None)).await?;
    stream.depart();
    Ok(())
}

/// Where a client was that begins anew while it is subscribed. It is one if it knows a region already; where it goes on from, it says
/// itself if it remembers.
fn left_off(request: &Request) -> Option<Position> {
    request.query.number("tr").filter(|region| *region > 0)?;
    let now = request.worker.now().monotonic;
    request.shared.cursors.last(&request.keyset.org, request.uuid.as_deref()?, now)
}

/// Answers with what came after a timetoken, or waits until something does.
async fn poll(
    request: &Request,
    asked: &Asked,
    states: &States,
    filter: Option<&Filter>,
    mut since: Position,
) -> Result<Page, Refusal> {
    let came = Instant::now();
    let deadline = came + request.settings().subscribe_wait_max;
    let _paced = Paced::begin(&request.local);
    loop {
        let from = since;
        // Made before the groups are looked at: no change in between is overlooked.
        let mut changes = Changes::of(request, asked);
        let (wanted, places) = (Wanted::of(request, asked), asked.places(request));
        let missed = catch_up::read(request, &wanted, filter, since).await?;
        if let Some(at) = passed_over(request, asked, &wanted, &missed) {
            since = if missed.is_empty() { at.max(from) } else { from };
            continue;
        }
        if !missed.is_empty() || missed.more {
            if request.uuid.is_some() && is_new(request, &places)? {
                keep(request, &wanted, Begins::Again).await?;
            }
            beat(request, &places, states)?;
            return Ok(missed);
        }
        since = missed.position;
        let mut stream = open(request, Begins::Again)?;
        let listening = stream.listen(wanted.wants(Since::After(since), filter)).await?;
        let begun = listening.channels.iter().map(|on| on.position).min().unwrap_or(since).max(since);
        stream.send_publications(&listening);
        // Once it listens: it hears of itself on channels that a group has got meanwhile.
        beat(request, &places, states)?;
        let pieces = stream.queued();
        let page = match pieces.is_empty() {
            false => Page::of(pieces, begun, request.settings()),
            true => match wait(request, asked, &wanted, &mut stream, &mut changes, deadline).await {
                Woken::Ready => {
                    hold(request, came).await;
                    Page::of(stream.queued(), begun, request.settings())
                }
                Woken::TimeIsUp => settle(request, &mut stream, begun).await,
                Woken::GroupsChanged => {
                    let page = settle(request, &mut stream, begun).await;
                    if page.is_empty() && passed_over(request, asked, &wanted, &page).is_none() {
                        since = page.position;
                        continue;
                    }
                    page
                }
            },
        };
        // Nothing is awaited from the taking of the page to here: what is gained later is behind it.
        let Some(at) = passed_over(request, asked, &wanted, &page) else { return Ok(page) };
        since = if page.is_empty() { at.max(from) } else { from };
        stream.depart();
    }
}

/// Where to read again, if groups have got channels since they were looked at, and before the end of a page: what came on these is not in
/// it, and would be passed over with its timetoken.
fn passed_over(request: &Request, asked: &Asked, wanted: &Wanted, page: &Page) -> Option<Position> {
    if asked.groups.is_empty() {
        return None;
    }
    Wanted::of(request, asked).more_than(wanted).filter(|at| *at < page.position)
}

/// Why a wait is over.
enum Woken {
    /// Something came, or the session was ended.
    Ready,
    TimeIsUp,
    GroupsChanged,
}

async fn wait<'a>(
    request: &'a Request,
    asked: &Asked,
    wanted: &Wanted,
    stream: &mut Stream,
    changes: &mut Changes<'a>,
    deadline: Instant,
) -> Woken {
    loop {
        tokio::select! {
            biased;
            () = poll_fn(|cx| stream.poll_ready(cx)) => return Woken::Ready,
            () = changes.next() => {
                *changes = Changes::of(request, asked);
                // Others' groups ring the same bells.
                if !Wanted::of(request, asked).is(wanted) {
                    return Woken::GroupsChanged;
                }
            }
            () = sleep_until(deadline) => return Woken::TimeIsUp,
        }
    }
}

/// Lets a poll wait for more, if the worker is busy with answers.
async fn hold(request: &Request, came: Instant) {
    let max = request.settings().answer_hold_max;
    let time = request.local.pace.borrow_mut().answer(request.worker.now().monotonic, max);
    if !time.is_zero() {
        sleep_until(came + time).await;
    }
}

/// Counts a poll among those that wait on its worker, until it is dropped.
struct Paced(Rc<Local>);

impl Paced {
    fn begin(local: &Rc<Local>) -> Paced {
        local.pace.borrow_mut().begin();
        Paced(Rc::clone(local))
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        self.0.pace.borrow_mut().end();
    }
}

/// Waits until all that was delivered up to a position is in the stream, and takes it.
async fn settle(request: &Request, stream: &mut Stream, begun: Position) -> Page {
    let position = request.hub().delivered().max(begun);
    turn(&request.worker).await;
    Page::of(stream.queued(), position, request.settings())
}

/// Waits until this worker has handed out what was delivered to it before.
async fn turn(worker: &Worker) {
    let (sender, receiver) = oneshot::channel();
    worker.workers().run(worker.id(), move |_| _ = sender.send(()));
    // Without an answer the worker has stopped.
    let _ = receiver.await;
}

fn open(request: &Request, begins: Begins) -> Result<Stream, Refusal> {
    let farewell = |_: &Close| Bytes::new();
    let options = StreamOptions { protocol: "pubnub", begins, heartbeat: None, farewell };
    Ok(request.worker.open_stream(Some(Arc::clone(&request.caller)), options)?)
}

/// That a group of the client's may have changed.
struct Changes<'a>(Vec<Pin<Box<Notified<'a>>>>);

impl<'a> Changes<'a> {
    fn of(request: &'a Request, asked: &Asked) -> Changes<'a> {
        let (groups, org) = (&request.shared.groups, &request.keyset.org);
        let base = |group: &'_ str| group.strip_suffix(PRESENCE_SUFFIX).unwrap_or(group).to_owned();
        Changes(asked.groups.iter().map(|group| Box::pin(groups.changed(org, &base(group)))).collect())
    }

    /// Done when one may have; never if there are no groups.
    async fn next(&mut self) {
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        select_all(self.0.iter_mut()).await;
    }
}
