//! Who is woken by a publication: each worker that listens, once, and only if it has nothing to do already.

#![allow(clippy::unwrap_used)] // All of it is a test.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread;

use antiphon_hub::{Hold, Hub, HubSettings, Inbox, Org, Rule, Rules, Since, WorkerId};
use antiphon_model::{ChannelFlags, ChannelId, Draft, Monotonic, Now, OrgId, Payload, Position, Timestamp};

const NOW: Now = Now { wall: Timestamp(1_000), monotonic: Monotonic(std::time::Duration::ZERO) };

fn id(name: &str) -> Arc<ChannelId> {
    Arc::new(ChannelId::new(name, ChannelFlags::NONE).unwrap())
}

fn publish(org: &Org, name: &str) {
    org.publish(Draft::new(id(name), Payload::Text("x".into())), Hold::No, NOW).unwrap();
}

struct Workers {
    hub: Hub,
    org: Arc<Org>,
    wakes: Arc<[AtomicUsize]>,
}

impl Workers {
    fn new(count: usize, then: impl Fn(usize) + Clone + Send + Sync + 'static) -> Workers {
        let wakes: Arc<[AtomicUsize]> = (0..count).map(|_| AtomicUsize::new(0)).collect();
        let inboxes = (0..count).map(|worker| {
            let (wakes, then) = (Arc::clone(&wakes), then.clone());
            Arc::new(Inbox::new(Box::new(move || {
                wakes[worker].fetch_add(1, Ordering::Relaxed);
                then(worker);
            })))
        });
        let hub = Hub::new(HubSettings::default(), inboxes, Box::new(|| {}));
        let rule = Rule { persist: false, presence: false, ..Rule::default() };
        let org = hub.add_org(OrgId::new("a"), Rules::new([rule]), Position::ZERO);
        Workers { hub, org, wakes }
    }

    fn listen(&self, worker: usize, name: &str) {
        self.org.subscribe(WorkerId(worker as u16), &id(name), Since::Now, NOW).unwrap();
    }

    fn drain(&self, worker: usize) -> usize {
        let mut batch = Vec::new();
        self.hub.inbox(WorkerId(worker as u16)).drain(&mut batch);
        batch.len()
    }

    fn wakes(&self) -> Vec<usize> {
        self.wakes.iter().map(|wakes| wakes.load(Ordering::Relaxed)).collect()
    }
}

#[test]
fn a_publication_wakes_each_worker_that_listens_once() {
    for count in [1, 2, 4, 64] {
        let workers = Workers::new(count, |_| {});
        for worker in 0..count {
            // However many of its subscribers listen, the worker listens once.
            workers.listen(worker, "all");
            workers.listen(worker, "all");
        }
        workers.listen(0, "first");
        publish(&workers.org, "nobody");
        assert_eq!(workers.wakes(), vec![0; count]);
        publish(&workers.org, "all");
        assert_eq!(workers.wakes(), vec![1; count]);
        for _ in 0..100 {
            publish(&workers.org, "all");
        }
        assert_eq!(workers.wakes(), vec![1; count], "who has something to do is not woken");
        for worker in 0..count {
            assert_eq!(workers.drain(worker), 101);
        }
        publish(&workers.org, "first");
        let mut expected = vec![1; count];
        expected[0] = 2;
        assert_eq!(workers.wakes(), expected, "who does not listen is not woken");
    }
}

/// What a worker's thread waits for.
enum Wake {
    Signal,
    Finished,
}

#[test]
fn many_publishers_wake_no_worker_more_often_than_they_publish() {
    const WORKERS: usize = 64;
    const PUBLISHERS: usize = 4;
    const EACH: usize = 100;
    let (wakers, waits): (Vec<Sender<Wake>>, Vec<Receiver<Wake>>) = (0..WORKERS).map(|_| channel()).unzip();
    let signals = wakers.clone();
    // A worker that has got everything is gone.
    let workers = &Workers::new(WORKERS, move |worker| _ = signals[worker].send(Wake::Signal));
    (0..WORKERS).for_each(|worker| workers.listen(worker, "all"));
    let begin = &Barrier::new(WORKERS + PUBLISHERS);
    let got: Vec<usize> = thread::scope(|scope| {
        let drained: Vec<_> = waits
            .into_iter()
            .enumerate()
            .map(|(worker, wait)| {
                scope.spawn(move || {
                    begin.wait();
                    let mut got = 0;
                    while let Wake::Signal = wait.recv().unwrap() {
                        got += workers.drain(worker);
                    }
                    got
                })
            })
            .collect();
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|_| {
                scope.spawn(move || {
                    begin.wait();
                    (0..EACH).for_each(|_| publish(&workers.org, "all"));
                })
            })
            .collect();
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
        wakers.iter().for_each(|waker| waker.send(Wake::Finished).unwrap());
        drained.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    assert_eq!(got, vec![PUBLISHERS * EACH; WORKERS], "a wake that is spared loses nothing");
    for wakes in workers.wakes() {
        assert!((1..=PUBLISHERS * EACH).contains(&wakes), "{wakes}");
    }
}
