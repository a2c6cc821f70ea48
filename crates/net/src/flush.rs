use antiphon_model::Monotonic;

use crate::connection::{Connection, ConnectionKey, Phase};
use crate::outbox::Flushed;
use crate::session::{Link, SessionKey};
use crate::websocket::{self, CloseCode};
use crate::worker::{Farewell, State};
use crate::{Client, Worker};

/// What is left to do after a session's outbox was flushed.
enum After {
    Nothing,
    /// The connection failed.
    Broken(ConnectionKey),
    /// It is to be closed, and its outbox is empty.
    Close(ConnectionKey, SessionKey),
}

impl Worker {
    /// Writes every outbox that has something, each with one write if the socket takes it.
    pub(crate) fn flush(&self) {
        let mut buffers = self.0.buffers.borrow_mut();
        let mut ended = Vec::new();
        let mut written = 0;
        {
            let mut state = self.0.state.borrow_mut();
            let mut dirty = std::mem::take(&mut state.dirty);
            let now = self.0.now.get().monotonic;
            for key in dirty.drain(..) {
                match state.flush(key, &mut buffers.write, now, &mut written) {
                    After::Nothing => {}
                    after => ended.push(after),
                }
            }
            // Nothing marks a session while it is flushed, so the list can be used again.
            state.dirty = dirty;
        }
        drop(buffers);
        let metrics = self.node().metrics();
        metrics.outbox_bytes.dec_by(written as i64);
        metrics.written_bytes.inc_by(written as u64);
        for after in ended {
            match after {
                After::Nothing => {}
                After::Broken(connection) => self.close_connection(connection),
                After::Close(connection, session) => self.say_goodbye(connection, session),
            }
        }
    }

    /// Sends the close frame of a connection that is to be closed, or ends it if that is done.
    fn say_goodbye(&self, key: ConnectionKey, session: SessionKey) {
        if self.end_streaming(key, session) {
            return;
        }
        let mut open = {
            let mut state = self.0.state.borrow_mut();
            let Some(Connection { phase: Phase::Open(open), .. }) = state.connections.get_mut(key.0 as usize)
            else {
                return;
            };
            let Some(taken) = open.take() else { return };
            taken
        };
        let Some(client) = self.client_on(key).filter(|client| client.key == session) else { return };
        let first = open.close.send();
        if first {
            self.send_close_frame(&client, &mut open);
        }
        {
            let mut state = self.0.state.borrow_mut();
            let Some(connection) = state.connections.get_mut(key.0 as usize) else { return };
            if first {
                connection.phase = Phase::Open(Some(open));
                return;
            }
            // Ours is written, and nothing may follow it; theirs may still come.
            connection.socket.finish();
            let until = self.0.now.get().monotonic + self.0.settings.close_timeout;
            connection.phase = Phase::Closing { until };
            connection.session = None;
        }
        open.handler.handle_ended();
        self.end_session(client.key, client.id, Farewell::Lost);
    }

    fn send_close_frame(&self, client: &Client, open: &mut crate::connection::Open) {
        let closing = self.with_session(client.key, client.id, |session, _| session.closing.take());
        let Some(Some(closing)) = closing else { return };
        let close = &closing.close;
        // The dialect's last words go through the outbox like any others, so the session is open once more.
        self.0.last_words.set(true);
        open.handler.handle_closing(close, client);
        self.0.last_words.set(false);
        let mut frame = Vec::new();
        websocket::close_frame(CloseCode::new(close.code), &close.reason, &mut frame);
        client.send_last(frame);
        self.with_session(client.key, client.id, |session, _| session.closing = Some(closing));
    }
}

impl State {
    fn flush(
        &mut self,
        key: SessionKey,
        scratch: &mut Vec<u8>,
        now: Monotonic,
        written: &mut usize,
    ) -> After {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else { return After::Nothing };
        session.dirty = false;
        let connection = match &mut session.link {
            Link::Socket { connection, .. } => *connection,
            Link::Stream(stream) => {
                if let Some(waker) = stream.waker.take() {
                    waker.wake();
                }
                return After::Nothing;
            }
        };
        let Some(socket) = self.connections.get_mut(connection.0 as usize) else { return After::Nothing };
        let before = session.outbox.bytes();
        let flushed = match socket.socket.as_plain() {
            Some(tcp) => session.outbox.flush(tcp, scratch),
            None => session.outbox.flush(&mut socket.socket, scratch),
        };
        *written += before - session.outbox.bytes();
        session.last_sent = now;
        if let Link::Socket { blocked, .. } = &mut session.link {
            *blocked = matches!(flushed, Ok(Flushed::Blocked));
        }
        match flushed {
            Ok(Flushed::Empty) if session.is_closing() => After::Close(connection, key),
            Ok(_) => After::Nothing,
            Err(_) => After::Broken(connection),
        }
    }
}
