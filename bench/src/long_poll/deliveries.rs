use crate::error::Error;
use crate::meter::Phase;

/// Who has got what: each subscriber has to get every message once, and all of them in the same order.
pub(super) struct Deliveries {
    /// How many messages each subscriber has got.
    got: Vec<usize>,
    /// The order, as far as somebody has got.
    order: Vec<u64>,
    /// The message that is due of each publisher.
    due: Vec<u64>,
    total: u64,
    phase: Phase,
    answers: u64,
}

impl Deliveries {
    /// Publishers take the messages in turn.
    pub(super) fn new(subscribers: usize, publishers: usize) -> Deliveries {
        Deliveries {
            got: vec![0; subscribers],
            order: Vec::new(),
            due: (0..publishers as u64).collect(),
            total: 0,
            phase: Phase::WarmUp,
            answers: 0,
        }
    }

    /// Deliveries that are still to come.
    pub(super) fn outstanding(&self, sent: u64) -> u64 {
        sent * self.got.len() as u64 - self.total
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
    }

    /// An answer has come.
    pub(super) fn begin_answer(&mut self) {
        self.answers += u64::from(self.phase == Phase::Measuring);
    }

    /// Answers that came while deliveries were counted.
    pub(super) fn answers(&self) -> u64 {
        self.answers
    }

    /// Takes a message in.
    ///
    /// # Errors
    /// It is not the one that is due.
    pub(super) fn take(&mut self, subscriber: usize, message: u64) -> Result<(), Error> {
        let expected = match self.order.get(self.got[subscriber]) {
            Some(expected) => *expected,
            None => self.next_of_its_publisher(message),
        };
        if message != expected {
            return Err(Error::OutOfOrder { connection: subscriber, expected, found: message });
        }
        self.got[subscriber] += 1;
        self.total += 1;
        Ok(())
    }

    /// Somebody is the first to get as far as this: which message it may be.
    fn next_of_its_publisher(&mut self, message: u64) -> u64 {
        let publishers = self.due.len() as u64;
        let due = &mut self.due[(message % publishers) as usize];
        let expected = *due;
        if message == expected {
            *due += publishers;
            self.order.push(message);
        }
        expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gets_every_message_once_and_in_the_same_order() {
        let mut all = Deliveries::new(2, 2);
        for message in [1, 0, 2] {
            all.take(0, message).unwrap();
        }
        all.take(1, 1).unwrap();
        assert_eq!(all.outstanding(3), 2);
        for (subscriber, message, due) in [(0, 2, 4), (0, 5, 3), (1, 1, 0), (1, 2, 0)] {
            let error = all.take(subscriber, message);
            assert!(matches!(error, Err(Error::OutOfOrder { expected, .. }) if expected == due), "{error:?}");
        }
    }
}
