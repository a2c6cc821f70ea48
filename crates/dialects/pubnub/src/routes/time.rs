use antiphon_net::Worker;

use crate::answer::{self, Answer};

/// `GET /time/0`: a number, while timetokens elsewhere are strings.
pub(super) fn time(worker: &Worker) -> Answer {
    Ok(answer::written(format!("[{}]", worker.now().wall.0)))
}
