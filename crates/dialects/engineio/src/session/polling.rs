//! The session over HTTP long polling: at most one poll and one POST at a time.

use antiphon_model::Monotonic;
use bytes::Bytes;

use super::{Answer, CloseReason, Link, Output, RequestId, Session, State, Then, TransportFault};
use crate::handshake::{Refusal, RefusalCode};
use crate::packet::Packet;
use crate::payload::{BodyForm, PayloadError};

/// A poll that waits for packets.
#[derive(Debug)]
pub(super) struct Poll(RequestId);

impl Session {
    /// Takes a poll, a GET. It is answered once there is something: if that is so already, [`Session::handle_queued`] is to
    /// follow.
    ///
    /// A second one while the first waits ends the session; one after an upgrade is refused and does no harm.
    pub fn handle_poll(&mut self, request: RequestId, now: Monotonic) {
        self.handle_timeout(now);
        match &mut self.link {
            Link::Polling { poll: Some(_), .. } => {
                self.refuse(request, RefusalCode::BadRequest);
                self.close(CloseReason::TransportError(TransportFault::PollOverlap));
            }
            Link::Polling { poll, .. } => {
                *poll = Some(Poll(request));
                match &mut self.state {
                    State::Closing { flushed: true, .. } => self.release_last(CloseReason::ForcedClose),
                    State::Closing { flushed, .. } => {
                        *flushed = true;
                        self.release_queued();
                    }
                    State::Open | State::Closed => self.release_for_probe(now),
                }
            }
            Link::WebSocket { .. } => self.refuse(request, RefusalCode::BadRequest),
            Link::Gone => self.refuse(request, RefusalCode::UnknownSid),
        }
    }

    /// Takes the head of a POST; [`Session::handle_post_body`] is to follow, [`Session::handle_post_too_large`] or
    /// [`Session::handle_request_lost`], unless it is refused at once.
    ///
    /// A second one while the first is read ends the session; one after an upgrade is refused and does no harm.
    pub fn handle_post(&mut self, request: RequestId, now: Monotonic) {
        self.handle_timeout(now);
        match &mut self.link {
            Link::Polling { post: Some(_), .. } => {
                self.refuse(request, RefusalCode::BadRequest);
                self.close(CloseReason::TransportError(TransportFault::PostOverlap));
            }
            Link::Polling { post, .. } => *post = Some(request),
            Link::WebSocket { .. } => self.refuse(request, RefusalCode::BadRequest),
            Link::Gone => self.refuse(request, RefusalCode::UnknownSid),
        }
    }

    /// Takes the body of a POST. Its packets count all or none; what is malformed ends the session.
    pub fn handle_post_body(&mut self, request: RequestId, form: BodyForm, body: Bytes, now: Monotonic) {
        self.handle_timeout(now);
        if !self.take_post(request) {
            return;
        }
        match self.codec.decode(form, body, self.settings.limits()) {
            Ok(packets) => {
                let ended = packets.into_iter().try_for_each(|packet| self.handle_packet(packet, now));
                self.outputs.push_back(Output::Answer { request, answer: Answer::Taken });
                if let Err(reason) = ended {
                    self.close(reason);
                }
            }
            Err(PayloadError::TooLarge { .. }) => self.refuse_too_large(request),
            Err(error) => {
                self.refuse(request, RefusalCode::BadRequest);
                self.close(CloseReason::ParseError(error));
            }
        }
    }

    /// The body of a POST is over `payload_bytes_max`, so whoever reads it has stopped. That ends the session: packets are missing.
    pub fn handle_post_too_large(&mut self, request: RequestId, now: Monotonic) {
        self.handle_timeout(now);
        if self.take_post(request) {
            self.refuse_too_large(request);
        }
    }

    /// The client gave up a request before it was answered. If the session waits on it, it ends: packets may be lost.
    pub fn handle_request_lost(&mut self, request: RequestId, now: Monotonic) {
        self.handle_timeout(now);
        let fault = match &mut self.link {
            Link::Polling { poll, .. } if poll.as_ref().is_some_and(|poll| poll.0 == request) => {
                *poll = None;
                TransportFault::PollLost
            }
            Link::Polling { post, .. } if *post == Some(request) => {
                *post = None;
                TransportFault::PostLost
            }
            _ => return,
        };
        self.close(CloseReason::TransportError(fault));
    }

    pub(super) fn has_waiting_poll(&self) -> bool {
        matches!(self.link, Link::Polling { poll: Some(_), .. })
    }

    /// Lets a poll go with what lies in the outbox.
    pub(super) fn release_queued(&mut self) {
        if let Some(Poll(request)) = self.take_poll() {
            self.outputs.push_back(Output::Release { request, then: Then::More });
        }
    }

    /// Lets a poll go that is the last, and ends the session with it.
    pub(super) fn release_last(&mut self, reason: CloseReason) {
        if let Some(Poll(request)) = self.take_poll() {
            self.outputs.push_back(Output::Release { request, then: Then::Close });
            self.close(reason);
        }
    }

    /// Answers what still waits when polling ends: the poll learns of it, a POST was not taken.
    pub(super) fn dismiss(&mut self, poll: Option<Poll>, post: Option<RequestId>, reason: CloseReason) {
        if let Some(Poll(request)) = poll {
            // A client that has left needs no farewell; its poll is only to end.
            let last = if reason == CloseReason::TransportClose { Packet::Noop } else { Packet::Close };
            self.outputs.push_back(Output::Answer { request, answer: Answer::Packet(last) });
        }
        if let Some(post) = post {
            self.refuse(post, RefusalCode::BadRequest);
        }
    }

    pub(super) fn refuse(&mut self, request: RequestId, code: RefusalCode) {
        let answer = Answer::Refused(Refusal::new(code));
        self.outputs.push_back(Output::Answer { request, answer });
    }

    fn refuse_too_large(&mut self, request: RequestId) {
        self.outputs.push_back(Output::Answer { request, answer: Answer::TooLarge });
        self.close(CloseReason::TransportError(TransportFault::TooLarge));
    }

    fn take_poll(&mut self) -> Option<Poll> {
        match &mut self.link {
            Link::Polling { poll, .. } => poll.take(),
            Link::WebSocket { .. } | Link::Gone => None,
        }
    }

    /// Whether this POST is the one being read; it no longer is.
    fn take_post(&mut self, request: RequestId) -> bool {
        match &mut self.link {
            Link::Polling { post, .. } => post.take_if(|post| *post == request).is_some(),
            Link::WebSocket { .. } | Link::Gone => false,
        }
    }
}
