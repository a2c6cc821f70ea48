use std::time::Duration;

use antiphon_model::Monotonic;

use crate::packet::Revision;
use crate::settings::EngineSettings;

/// How late a deadline is noticed in the ordinary course.
const DELAY_MAX: Duration = Duration::from_millis(20);

/// A deadline that is noticed later than by this was missed by the server: it stood still, and has not read what came meanwhile.
const STANDSTILL: Duration = Duration::from_secs(1);

/// Who has to be heard next, and by when.
#[derive(Clone, Copy, Debug)]
pub(super) enum Heartbeat {
    /// Revision 4, at rest: the server pings at this time. The first ping is due after an interval too.
    PingAt(Monotonic),
    /// Revision 4, pinged: the client answers before the first time. The second is when the next ping is due then.
    PongBy(Monotonic, Monotonic),
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
            Heartbeat::PingAt(at) | Heartbeat::PongBy(at, _) | Heartbeat::HeardBy(at) => at,
        }
    }

    /// What is due by `now`.
    ///
    /// The next deadline counts from when the last was due, so that small delays do not add up; but what delays the server for longer
    /// is not the client's fault.
    pub(super) fn handle_timeout(&mut self, settings: &EngineSettings, now: Monotonic) -> Option<Due> {
        let due = self.deadline();
        if now < due {
            return None;
        }
        let stood_still = now.since(due) > STANDSTILL;
        match self {
            Heartbeat::PongBy(answered, _) | Heartbeat::HeardBy(answered) if stood_still => {
                *answered = now + settings.ping_timeout();
                None
            }
            Heartbeat::PingAt(_) => {
                let pinged = due.max(Monotonic(now.0.saturating_sub(DELAY_MAX)));
                let (answered, next) = (pinged + settings.ping_timeout(), pinged + settings.ping_interval());
                *self = Heartbeat::PongBy(answered, next);
                Some(Due::Ping)
            }
            Heartbeat::PongBy(..) | Heartbeat::HeardBy(_) => Some(Due::Lost),
        }
    }

    /// Some packet came. In revision 3 that is sign enough of life.
    pub(super) fn handle_packet(&mut self, settings: &EngineSettings, now: Monotonic) {
        if let Heartbeat::HeardBy(_) = self {
            *self = Heartbeat::HeardBy(now + settings.ping_interval() + settings.ping_timeout());
        }
    }

    /// The pong of revision 4 came. One that nobody asked for puts nothing off.
    pub(super) fn handle_pong(&mut self, now: Monotonic) {
        if let Heartbeat::PongBy(_, next) = *self {
            *self = Heartbeat::PingAt(next.max(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_could_not_be_heard_while_the_server_stood_still_is_not_lost() {
        let settings = EngineSettings::default();
        let mut now = Monotonic::default();
        let mut heartbeat = Heartbeat::new(Revision::V4, &settings, now);
        now = now + settings.ping_interval();
        assert_eq!(heartbeat.handle_timeout(&settings, now), Some(Due::Ping));
        // Looked at long after the answer was due: it may be there, unread.
        now = now + settings.ping_timeout() + STANDSTILL * 2;
        assert_eq!(heartbeat.handle_timeout(&settings, now), None);
        assert_eq!(heartbeat.deadline(), now + settings.ping_timeout());
        // It was not.
        now = now + settings.ping_timeout();
        assert_eq!(heartbeat.handle_timeout(&settings, now), Some(Due::Lost));
    }
}
