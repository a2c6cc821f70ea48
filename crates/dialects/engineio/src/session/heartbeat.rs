use antiphon_model::Monotonic;

use crate::packet::Revision;
use crate::settings::EngineSettings;

/// Who has to be heard next, and by when.
#[derive(Clone, Copy, Debug)]
pub(super) enum Heartbeat {
    /// Revision 4, at rest: the server pings at this time. The first ping is due after an interval too.
    PingAt(Monotonic),
    /// Revision 4, pinged: the client answers before this time.
    PongBy(Monotonic),
    /// Revision 3: the client is heard of before this time.
    HeardBy(Monotonic),
}

/// What a heartbeat's deadline asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A ping is to be sent.
    Ping,
    /// The client is gone.
    Lost,
}

impl Heartbeat {
    pub(super) fn new(revision: Revision, settings: &EngineSettings, now: Monotonic) -> Heartbeat {
        match revision {
            Revision::V4 => Heartbeat::PingAt(now + settings.ping_interval()),
            Revision::V3 => Heartbeat::HeardBy(now + settings.ping_interval() + settings.ping_timeout()),
        }
    }

    pub(super) fn deadline(self) -> Monotonic {
        match self {
            Heartbeat::PingAt(at) | Heartbeat::PongBy(at) | Heartbeat::HeardBy(at) => at,
        }
    }

    /// A ping's answer is awaited from `now` on, not from when the ping was due: what delays the server is not the client's fault.
    pub(super) fn handle_timeout(&mut self, settings: &EngineSettings, now: Monotonic) -> Option<Due> {
        if now < self.deadline() {
            return None;
        }
        match self {
            Heartbeat::PingAt(_) => {
                *self = Heartbeat::PongBy(now + settings.ping_timeout());
                Some(Due::Ping)
            }
            Heartbeat::PongBy(_) | Heartbeat::HeardBy(_) => Some(Due::Lost),
        }
    }

    /// Some packet came. In revision 3 that is sign enough of life.
    pub(super) fn handle_packet(&mut self, settings: &EngineSettings, now: Monotonic) {
        if let Heartbeat::HeardBy(_) = self {
            *self = Heartbeat::HeardBy(now + settings.ping_interval() + settings.ping_timeout());
        }
    }

    /// The pong of revision 4 came.
    pub(super) fn handle_pong(&mut self, settings: &EngineSettings, now: Monotonic) {
        *self = Heartbeat::PingAt(now + settings.ping_interval());
    }
}
