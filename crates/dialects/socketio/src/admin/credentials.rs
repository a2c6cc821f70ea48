use std::collections::VecDeque;
use std::sync::Arc;

use antiphon_net::aside;
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::settings::{AdminAuth, InvalidAdminSettings};
use crate::connect::random_id;
use crate::{ConnectRefused, Outcome, Socket};

/// How many sessions are remembered: a dashboard that comes back names one, in place of a password.
const SESSIONS_MAX: usize = 1000;
/// How many attempts may wait for their turn.
const ATTEMPTS_MAX: usize = 16;

/// Who may connect to the dashboard's namespace.
#[derive(Clone)]
pub(super) struct Credentials(Option<Arc<Inner>>);

struct Inner {
    username: String,
    password_hash: String,
    sessions: Mutex<VecDeque<String>>,
    /// bcrypt is slow on purpose: guesses are looked at one by one, on a thread of their own.
    turn: Semaphore,
    waiting: Semaphore,
}

/// A dashboard has given the password: it need not do so again with this.
pub(super) struct Admitted {
    pub(super) session: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Given {
    session_id: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

impl Credentials {
    pub(super) fn new(auth: &AdminAuth) -> Result<Credentials, InvalidAdminSettings> {
        if auth.none {
            return Ok(Credentials(None));
        }
        if auth.username.is_empty() || auth.password_hash.is_empty() {
            return Err(InvalidAdminSettings::NoCredentials);
        }
        let parts: Result<bcrypt::HashParts, _> = auth.password_hash.parse();
        parts.map_err(|_| InvalidAdminSettings::Hash)?;
        Ok(Credentials(Some(Arc::new(Inner {
            username: auth.username.clone(),
            password_hash: auth.password_hash.clone(),
            sessions: Mutex::default(),
            turn: Semaphore::new(1),
            waiting: Semaphore::new(ATTEMPTS_MAX),
        }))))
    }

    /// Lets a socket in that names a session or knows the password; the latter gets a session.
    pub(super) fn check(&self, socket: Socket) -> Outcome<Result<(), ConnectRefused>> {
        let Some(inner) = self.0.clone() else { return Outcome::Ready(Ok(())) };
        let given: Given = socket.handshake().auth_as().unwrap_or_default();
        if given.session_id.is_some_and(|session| inner.sessions.lock().contains(&session)) {
            return Outcome::Ready(Ok(()));
        }
        Outcome::pending(async move {
            if !inner.knows(given.username.unwrap_or_default(), given.password.unwrap_or_default()).await {
                return Err(ConnectRefused::new("invalid credentials"));
            }
            // Told once it is connected.
            socket.extensions().insert(Admitted { session: inner.begin_session() });
            Ok(())
        })
    }
}

impl Inner {
    async fn knows(self: &Arc<Self>, username: String, password: String) -> bool {
        let Ok(_place) = self.waiting.try_acquire() else { return false };
        let Ok(_turn) = self.turn.acquire().await else { return false };
        let inner = Arc::clone(self);
        // Looked at whatever the name is, so that the time it takes does not tell which names there are.
        let verified = aside(move || {
            bcrypt::verify(password, &inner.password_hash).unwrap_or(false) && username == inner.username
        });
        verified.await.unwrap_or(false)
    }

    fn begin_session(&self) -> String {
        let session = random_id().to_string();
        let mut sessions = self.sessions.lock();
        if sessions.len() >= SESSIONS_MAX {
            sessions.pop_front();
        }
        sessions.push_back(session.clone());
        session
    }
}
