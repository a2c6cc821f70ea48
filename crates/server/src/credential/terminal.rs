use std::io::{self, Stdin};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// A terminal that does not show what is typed, until this is dropped.
pub(super) struct NoEcho<'a> {
    stdin: &'a Stdin,
    before: Termios,
}

impl<'a> NoEcho<'a> {
    /// # Errors
    /// Standard input is no terminal.
    pub(super) fn on(stdin: &'a Stdin) -> io::Result<NoEcho<'a>> {
        let before = tcgetattr(stdin)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(stdin, OptionalActions::Flush, &quiet)?;
        Ok(NoEcho { stdin, before })
    }
}

impl Drop for NoEcho<'_> {
    fn drop(&mut self) {
        // There is nobody to tell, and the shell puts its terminal right as well.
        let _ = tcsetattr(self.stdin, OptionalActions::Now, &self.before);
    }
}
