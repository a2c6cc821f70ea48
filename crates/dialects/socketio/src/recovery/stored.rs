//! Records of sockets that are connected, so that a server that is started after a crash knows who was there.

use std::time::Duration;

use tokio::time::Instant;

use super::{Earlier, Recovery};
use crate::settings::RecoveryStored;
use crate::timers::{self, Due};
use crate::{Io, Socket, home};

/// How often a worker looks for what has changed.
const TICK: Duration = Duration::from_secs(1);

/// At one of so many ticks a record is stored again, changed or not: it expires after two such rounds.
const ROUND: u32 = 600;

/// A worker stores so many records at a tick; others wait for the next.
const RECORDS_PER_TICK: usize = 1000;

/// Begins to store records of this thread's sockets.
pub(crate) fn begin(io: &Io) {
    let stored = io.recovery().map(|recovery| recovery.settings().stored);
    if stored == Some(RecoveryStored::WhileConnected) {
        timers::at(Instant::now() + TICK, Due::Store(io.clone(), 1));
    }
}

/// Stores what has changed, and what has its turn.
pub(crate) fn handle_tick(io: &Io, tick: u32) {
    let Some(recovery) = io.recovery() else { return };
    timers::at(Instant::now() + TICK, Due::Store(io.clone(), tick.wrapping_add(1)));
    let mut left = RECORDS_PER_TICK;
    home::each(|connection| {
        if connection.io() != io {
            return;
        }
        let is_its_turn = connection.key().index() % ROUND == tick % ROUND;
        for socket in connection.sockets() {
            if left > 0 && (socket.take_change() || is_its_turn) {
                left -= 1;
                recovery.store(&socket);
            }
        }
    });
}

impl Recovery {
    /// Stores what a socket could recover without waiting for its turn, if that is stored while it is connected.
    pub(crate) fn store_now(&self, socket: &Socket) -> bool {
        let stores = self.settings.stored == RecoveryStored::WhileConnected && socket.pid().is_some();
        if stores {
            self.store(socket);
        }
        stores
    }

    fn store(&self, socket: &Socket) {
        let Some(pid) = socket.pid() else { return };
        let Some(begun) = self.sessions.lock().live.get(pid).map(|live| live.begun) else { return };
        let lasts = TICK * ROUND * 2 + self.settings.max_disconnection();
        Earlier::of(socket, begun).store(socket.io(), lasts);
    }
}
