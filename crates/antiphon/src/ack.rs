use antiphon_socketio as core;
use antiphon_socketio::UnserializableArguments;
use serde::Serialize;

/// Answers the client who sent an event and awaits an acknowledgement.
///
/// Every handler may ask for it: where the client awaits nothing, sending does nothing. It may be kept and used after the
/// handler is done; dropped unused, nothing is sent. The first answer counts.
///
/// ```no_run
/// # use antiphon::{Ack, Data, Io};
/// # let io = Io::new();
/// io.root().on("update", |Data(argument): Data<String>, ack: Ack| async move {
///     println!("{argument}");
///     ack.send(&serde_json::json!({ "status": "ok" }))
/// });
/// ```
#[derive(Debug)]
pub struct Ack(Option<core::Ack>);

/// The name of [`Ack`] in other libraries.
pub type AckSender = Ack;

impl Ack {
    pub(crate) fn new(ack: Option<core::Ack>) -> Ack {
        Ack(ack)
    }

    /// Whether the client awaits an answer.
    pub fn is_awaited(&self) -> bool {
        self.0.is_some()
    }

    /// Answers with these arguments: a tuple is several.
    ///
    /// # Errors
    /// They have no form in JSON. Nothing happens if the socket is disconnected.
    pub fn send(self, arguments: impl Serialize) -> Result<(), UnserializableArguments> {
        match self.0 {
            Some(ack) => ack.send(&arguments),
            None => Ok(()),
        }
    }
}
