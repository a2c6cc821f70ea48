use std::cell::RefCell;
use std::collections::VecDeque;

use super::Output;

/// What a session wants done, in this order. One at rest has no memory for it.
#[derive(Debug, Default)]
pub(super) struct Outputs(Option<Box<Line>>);

#[derive(Debug, Default)]
struct Line(VecDeque<Output>);

/// How many lines that nobody needs are kept for others, and how long they may be: few sessions have something to be done at a time.
const SPARE_LINES: usize = 16;
const SPARE_CAPACITY: usize = 8;

thread_local! {
    // Boxed as sessions have them, so that neither lending nor giving back allocates.
    #[expect(clippy::vec_box, reason = "they go from here into sessions as they are")]
    static SPARE: RefCell<Vec<Box<Line>>> = const { RefCell::new(Vec::new()) };
}

impl Outputs {
    pub(super) fn new(first: Output) -> Outputs {
        let mut outputs = Outputs::default();
        outputs.push_back(first);
        outputs
    }

    pub(super) fn push_back(&mut self, output: Output) {
        let lent = || SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
        self.0.get_or_insert_with(lent).0.push_back(output);
    }

    pub(super) fn pop_front(&mut self) -> Option<Output> {
        let output = self.0.as_mut()?.0.pop_front();
        if let Some(line) = self.0.take_if(|line| line.0.is_empty()) {
            line.give_back();
        }
        output
    }
}

impl Line {
    fn give_back(self: Box<Line>) {
        if self.0.capacity() > SPARE_CAPACITY {
            return;
        }
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < SPARE_LINES {
                spare.push(self);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SocketId;

    #[test]
    fn the_order_is_kept_and_nothing_else() {
        let output = |number| Output::Upgraded(SocketId(number));
        let mut outputs = Outputs::new(output(0));
        outputs.push_back(output(1));
        assert_eq!(outputs.pop_front(), Some(output(0)));
        outputs.push_back(output(2));
        let rest: Vec<_> = std::iter::from_fn(|| outputs.pop_front()).collect();
        assert_eq!(rest, [output(1), output(2)]);
        assert!(outputs.0.is_none());
        let mut another = Outputs::new(output(3));
        assert_eq!(another.pop_front(), Some(output(3)));
        assert_eq!(another.pop_front(), None);
    }
}
