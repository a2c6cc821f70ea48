//! The session over HTTP long polling: at most one poll and one POST at a time.

use antiphon_model::Monotonic;
use bytes::Bytes;

use super::{Answer, CloseReason, Link, Output, RequestId, Session, State, TransportFault};
use crate::handshake::{Refusal, RefusalCode};
use crate::packet::Packet;
use crate::payload::{BodyForm, Codec, JsonpIndex, PayloadError, jsonp_script};

/// A poll that waits for packets.
#[derive(Debug)]
pub(super) struct Poll {
    request: RequestId,
    jsonp: Option<JsonpIndex>,
    pub(super) release: Release,
}

/// When a poll is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Release {
    /// When there is a packet.
    WithPackets,
    /// At once, with a noop if there is none.
    AtOnce,
}

impl Poll {
    pub(super) fn new(request: RequestId, jsonp: Option<JsonpIndex>) -> Poll {
        Poll { request, jsonp, release: Release::WithPackets }
    }

    pub(super) fn answer(&self, codec: &Codec, packets: &[Packet]) -> Output {
        let answer = match self.jsonp {
            Some(index) => Answer::Script(jsonp_script(index, &codec.encode_text(packets))),
            None => Answer::Payload(codec.encode(packets)),
        };
        Output::Answer { request: self.request, answer }
    }
}

impl Session {
    /// Takes a poll, a GET. It is answered once there are packets.
    ///
    /// A second one while the first waits ends the session; one after an upgrade is refused and does no harm.
    pub fn handle_poll(&mut self, request: RequestId, jsonp: Option<JsonpIndex>, now: Monotonic) {
        self.handle_timeout(now);
        match &mut self.link {
            Link::Polling { poll: Some(_), .. } => {
                self.refuse(request, RefusalCode::BadRequest);
                self.close(CloseReason::TransportError(TransportFault::PollOverlap));
            }
            Link::Polling { poll, .. } => {
                *poll = Some(Poll::new(request, jsonp));
                self.release_for_probe(now);
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
            Link::Polling { poll, .. } if poll.as_ref().is_some_and(|poll| poll.request == request) => {
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
        matches!(&self.link, Link::Polling { poll: Some(poll), .. } if poll.release == Release::WithPackets)
    }

    pub(super) fn flush_polling(&mut self) {
        let is_closing = matches!(self.state, State::Closing { .. });
        let Link::Polling { poll, .. } = &mut self.link else { return };
        let is_due =
            |poll: &mut Poll| is_closing || poll.release == Release::AtOnce || !self.outbox.is_empty();
        let Some(poll) = poll.take_if(is_due) else { return };
        let mut packets = self.outbox.take_all();
        if is_closing {
            packets.push(Packet::Close);
        } else if packets.is_empty() {
            packets.push(Packet::Noop);
        }
        self.outputs.push_back(poll.answer(&self.codec, &packets));
        if is_closing {
            self.close(CloseReason::ForcedClose);
        }
    }

    /// Answers what still waits when polling ends: the poll learns of it, a POST was not taken.
    pub(super) fn dismiss(&mut self, poll: Option<Poll>, post: Option<RequestId>, reason: CloseReason) {
        if let Some(poll) = poll {
            // A client that has left needs no farewell; its poll is only to end.
            let last = if reason == CloseReason::TransportClose { Packet::Noop } else { Packet::Close };
            self.outputs.push_back(poll.answer(&self.codec, &[last]));
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

    /// Whether this POST is the one being read; it no longer is.
    fn take_post(&mut self, request: RequestId) -> bool {
        match &mut self.link {
            Link::Polling { post, .. } => post.take_if(|post| *post == request).is_some(),
            Link::WebSocket { .. } | Link::Gone => false,
        }
    }
}
