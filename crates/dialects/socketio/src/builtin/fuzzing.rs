//! The requests of the built-in events, as a fuzz target takes them.

use std::time::Duration;

use antiphon_access::LimitSettings;

use super::request::{self, Bounds};
use crate::EventArguments;

/// Takes arguments for those of each event in turn.
pub(crate) fn requests(arguments: &EventArguments) {
    let limits = LimitSettings::default();
    let bounds = Bounds { history_limit_max: 100, broadcast_timeout_max: Duration::from_secs(60) };
    if let Ok(subscriptions) = request::subscriptions(arguments, &limits) {
        assert!((1..=1000).contains(&subscriptions.len()));
        for one in subscriptions {
            let events = &one.asked.events;
            assert!(
                events.len() <= 100 && events.iter().all(|name| name.len() <= limits.event_name_bytes_max)
            );
        }
    }
    if let Ok(channels) = request::channels(arguments) {
        assert!((1..=1000).contains(&channels.len()));
    }
    let _ = request::channel(arguments);
    if let Ok(past) = request::past(arguments, &bounds) {
        assert!((1..=bounds.history_limit_max).contains(&past.limit));
    }
    let _ = request::publish(arguments, &limits);
    if let Ok(broadcast) = request::broadcast(arguments, &limits, &bounds) {
        assert!(broadcast.timeout <= bounds.broadcast_timeout_max);
    }
}
