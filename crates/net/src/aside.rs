//! What is dear by intention, like the hash of a password: it waits for a core that nobody else wants.

use std::{io, thread};

use tokio::sync::oneshot;

/// The lowest priority: those who are being served have sixty times the share of a core that this has.
const NICENESS: i32 = 19;

/// Does `work` on a thread of its own, of the lowest priority. It is done also if nobody waits for it any more.
///
/// # Errors
/// There can be no further thread, or `work` has panicked.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (sender, done) = oneshot::channel();
    thread::Builder::new().name("aside".into()).spawn(move || {
        // Linux keeps a priority for each thread. Where there is none to lower, the work is done all the same.
        let _ = rustix::process::setpriority_process(None, NICENESS);
        let _ = sender.send(work());
    })?;
    done.await.map_err(|_| io::Error::other("the work has panicked"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn is_done_at_the_lowest_priority_and_leaves_the_others_theirs() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let before = priority();
        assert_eq!(aside(priority).await.unwrap(), NICENESS);
        assert_eq!(priority(), before);
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        assert!(aside(|| panic!("as the test wants")).await.is_err());
    }
}
