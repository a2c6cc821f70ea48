//! The body of an answer, and what is to be known of it while it is sent.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use crate::addresses::Place;
use crate::heads::{Requests, UnderWay};
use crate::stream;

/// As much as one frame of HTTP/2 has.
const PIECE_BYTES: usize = 16 << 10;

/// How the body of an answer is handed to hyper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pieces {
    /// As it is.
    Whole,
    /// In pieces of a frame: hyper's HTTP/2 takes a piece once its stream has some room, and keeps all of it.
    Frames,
}

/// The body of an answer.
pub(crate) struct Answered<B> {
    body: Pin<Box<B>>,
    pieces: Pieces,
    /// What is left of the last of the body's own.
    rest: Bytes,
    /// The request's place among those of its address, if a proxy brought it and it is not the connection's.
    _place: Option<Place>,
    /// Where it is noted what the body gives, if the answer has the connection to itself.
    alone: Option<Alone>,
    /// The connection's next head may begin when this is dropped.
    _under_way: UnderWay,
}

impl<B: Body<Data = Bytes>> Answered<B> {
    pub(crate) fn new(body: B, pieces: Pieces, place: Option<Place>, under_way: UnderWay) -> Answered<B> {
        let (body, rest) = (Box::pin(body), Bytes::new());
        Answered { body, pieces, rest, _place: place, alone: None, _under_way: under_way }
    }

    /// An answer that has its connection to itself, and can leave hyper with it.
    pub(crate) fn alone(
        body: B,
        place: Option<Place>,
        under_way: UnderWay,
        requests: Arc<Requests>,
    ) -> Answered<B> {
        requests.set_place(place);
        let alone = Some(Alone(requests));
        Answered { alone, ..Answered::new(body, Pieces::Whole, None, under_way) }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if self.rest.is_empty() {
            let mut frame = match ready!(self.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                end => return Poll::Ready(end),
            };
            match frame.data_mut() {
                Some(data) if self.pieces == Pieces::Frames && data.len() > PIECE_BYTES => {
                    self.rest = std::mem::take(data);
                }
                _ => return Poll::Ready(Some(Ok(frame))),
            }
        }
        let piece = self.rest.split_to(self.rest.len().min(PIECE_BYTES));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

impl<B: Body<Data = Bytes>> Body for Answered<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        stream::take_waiting();
        let polled = self.poll_piece(cx);
        if let Some(Alone(requests)) = &self.alone {
            requests.note_body(stream::take_waiting());
        }
        let taken = if matches!(polled, Poll::Ready(Some(_))) { Taken::Piece } else { Taken::Nothing };
        LAST.set(Some(taken));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let own = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(own.lower() + rest);
        if let Some(upper) = own.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

/// The note of an answer, until it is over.
struct Alone(Arc<Requests>);

impl Drop for Alone {
    fn drop(&mut self) {
        self.0.note_answered();
    }
}

/// What a body gave when it was last asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// A piece, which is to be sent.
    Piece,
    /// Nothing: it waits, or is at its end.
    Nothing,
}

thread_local! {
    /// What the body that was asked last on this thread gave, since it was looked at.
    static LAST: Cell<Option<Taken>> = const { Cell::new(None) };
}

/// A stream of HTTP/2 while it is answered: hyper's task for it, which is given up once the peer has given the stream no room for so
/// long. A stream without room is otherwise kept, with its answer, for as long as its connection answers pings.
pub(crate) struct Answering<F> {
    task: Pin<Box<F>>,
    write_timeout: Duration,
    /// While a piece waits for room.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<F> Answering<F> {
    pub(crate) fn new(task: F, write_timeout: Duration) -> Answering<F> {
        Answering { task: Box::pin(task), write_timeout, stalled: None }
    }
}

impl<F: Future> Future for Answering<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        LAST.set(None);
        if self.task.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        match LAST.take() {
            // Its time begins anew with each piece.
            Some(Taken::Piece) => self.stalled = Some(Box::pin(tokio::time::sleep(self.write_timeout))),
            Some(Taken::Nothing) => self.stalled = None,
            // The body was not asked: the last piece waits still, if there is one.
            None => {}
        }
        match &mut self.stalled {
            Some(stalled) => stalled.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}
