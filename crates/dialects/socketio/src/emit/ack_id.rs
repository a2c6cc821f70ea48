use antiphon_model::Position;

use crate::acks::DIRECT_ACK_IDS;
use crate::wire::packet::AckId;

/// Ids of broadcasts count from the beginning of 2026 on: positions do not fit what a JavaScript number holds exactly, what has
/// passed since then does until 2054.
const EPOCH: Position = Position(17_672_256_000_000_000);

/// The id by which receivers acknowledge the broadcast at `position`. None at a position that the clock cannot have meant:
/// receivers are not asked to acknowledge then.
pub(crate) fn broadcast_ack_id(position: Position) -> Option<AckId> {
    let id = position.0.checked_sub(EPOCH.0)?;
    AckId::new(id).filter(|id| id.value() >= DIRECT_ACK_IDS)
}

/// The position of the broadcast that an acknowledgement is for; none if it is for an event to one socket.
pub(crate) fn broadcast_position(id: AckId) -> Option<Position> {
    (id.value() >= DIRECT_ACK_IDS).then(|| Position(EPOCH.0 + id.value()))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn ids_are_positions_and_fit_a_javascript_number() {
        let autumn = Position(17_951_000_000_000_007);
        let id = broadcast_ack_id(autumn).unwrap();
        assert_eq!(id.value(), 278_744_000_000_007);
        assert_eq!(broadcast_position(id), Some(autumn));
        let last = broadcast_ack_id(Position(EPOCH.0 + AckId::MAX.value())).unwrap();
        assert_eq!(last, AckId::MAX);
    }

    #[test]
    fn ids_of_direct_events_are_no_positions() {
        assert_eq!(broadcast_position(AckId::new(DIRECT_ACK_IDS - 1).unwrap()), None);
        assert_eq!(broadcast_ack_id(Position(EPOCH.0 + DIRECT_ACK_IDS - 1)), None);
        assert_eq!(broadcast_ack_id(Position(5)), None);
        assert_eq!(broadcast_ack_id(Position(EPOCH.0 + AckId::MAX.value() + 1)), None);
    }

    #[test]
    fn the_epoch_is_the_beginning_of_2026() {
        let days_from_1970_to_2026 = 56 * 365 + 14;
        let epoch = UNIX_EPOCH + Duration::from_secs(days_from_1970_to_2026 * 86_400);
        let ticks = epoch.duration_since(UNIX_EPOCH).unwrap().as_nanos() / 100;
        assert_eq!(ticks, u128::from(EPOCH.0));
    }
}
