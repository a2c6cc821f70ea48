//! Whom a publication wakes, on the whole way from the publisher's socket.

use antiphon_guard::{Listeners, Stage};
use antiphon_hub::WorkerId;

/// How often each worker has been woken.
fn wakes(stage: &Stage) -> Vec<usize> {
    stage.server().workers().ids().map(|worker| stage.server().wakes(worker)).collect()
}

#[test]
fn a_publication_wakes_every_other_worker_that_listens_once() {
    for listeners in [Listeners::Raw, Listeners::V1, Listeners::SocketIo] {
        for workers in [1, 2, 4, 64] {
            let mut stage = Stage::spread(listeners, workers, 2, 1);
            let before = wakes(&stage);
            // The publisher's own worker is at work, and delivers before it rests.
            let mut expected = vec![1; workers];
            expected[0] = 0;
            stage.publish(1);
            let after = |stage: &Stage| -> Vec<usize> {
                wakes(stage).iter().zip(&before).map(|(after, before)| after - before).collect()
            };
            assert_eq!(after(&stage), expected, "{listeners:?} on {workers} workers");
            stage.publish(10);
            assert_eq!(after(&stage), expected, "who has something to do already is not woken");
            let delivered = stage.deliveries();
            for worker in stage.server().workers().ids().skip(1) {
                stage.server().turn(worker, &[]);
            }
            assert_eq!(stage.deliveries() - delivered, 11 * 2 * (workers as u64 - 1));
            stage.publish(1);
            expected.iter_mut().skip(1).for_each(|wakes| *wakes = 2);
            assert_eq!(after(&stage), expected);
            assert_eq!(stage.server().wakes(WorkerId(0)), before[0]);
        }
    }
}

#[test]
fn messages_that_come_together_wake_as_often_as_one() {
    let mut stage = Stage::spread(Listeners::Raw, 8, 1, 64);
    let before = wakes(&stage);
    stage.publish(1);
    let woken: usize = wakes(&stage).iter().zip(&before).map(|(after, before)| after - before).sum();
    assert_eq!(woken, 7);
}
