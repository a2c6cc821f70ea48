use proptest::prelude::*;

use super::*;

const KEPT_FOR: Duration = Duration::from_secs(120);

fn resume(kept_max: usize, bytes_max: usize) -> Resume {
    Resume::new(&ExpSettings {
        subscriptions_kept_for: KEPT_FOR,
        subscriptions_kept_max: kept_max,
        subscription_bytes_max: bytes_max,
        ..ExpSettings::default()
    })
}

fn at(seconds: u64) -> Monotonic {
    Monotonic(Duration::from_secs(seconds))
}

fn connection(number: u8) -> ConnectionId {
    ConnectionId::new(&number.to_string())
}

fn ids<const N: usize>(ids: [&str; N]) -> Ids {
    ids.into_iter().map(Arc::from).collect()
}

#[test]
fn what_a_connection_listens_to_outlives_its_socket() {
    let resume = resume(10, 100);
    let one = connection(1);
    assert_eq!(resume.enter(&one, at(0)), None, "the store may know more");
    assert_eq!(resume.handle_read(&one, Ids::new()), ids([]));
    assert_eq!(resume.note(&one, &ids(["b", "a"])), Some(ids(["a", "b"])));
    assert_eq!(resume.note(&one, &ids(["a"])), None, "nothing new");
    assert_eq!(resume.leave(&one, at(10)), Some(ids(["a", "b"])));
    assert_eq!(resume.enter(&one, at(129)), Some(ids(["a", "b"])));
    assert_eq!(resume.leave(&one, at(200)), Some(ids(["a", "b"])));
    assert_eq!(resume.enter(&one, at(320)), None, "its time is up");
    assert_eq!(resume.enter(&connection(2), at(0)), None, "another's");
}

#[test]
fn the_store_is_not_overwritten_before_it_has_been_read() {
    let resume = resume(10, 100);
    let one = connection(1);
    assert_eq!(resume.enter(&one, at(0)), None);
    assert_eq!(resume.note(&one, &ids(["b"])), None);
    assert_eq!(resume.enter(&one, at(0)), None, "nor is what is not whole given to another socket");
    assert_eq!(resume.leave(&one, at(0)), None);
    assert_eq!(resume.handle_read(&one, ids(["a"])), ids(["a", "b"]));
    assert_eq!(resume.enter(&one, at(0)), Some(ids(["a", "b"])));
}

#[test]
fn several_sockets_of_a_connection_share_what_they_listen_to() {
    let resume = resume(10, 100);
    let one = connection(1);
    resume.enter(&one, at(0));
    resume.handle_read(&one, Ids::new());
    resume.note(&one, &ids(["a"]));
    assert_eq!(resume.enter(&one, at(1)), Some(ids(["a"])));
    resume.note(&one, &ids(["b"]));
    assert_eq!(resume.leave(&one, at(2)), None, "one is there still");
    assert_eq!(resume.enter(&one, at(1000)), Some(ids(["a", "b"])));
}

#[test]
fn those_who_listened_to_nothing_leave_nothing() {
    let resume = resume(10, 100);
    let one = connection(1);
    resume.enter(&one, at(0));
    resume.handle_read(&one, Ids::new());
    assert_eq!(resume.leave(&one, at(0)), None);
    assert!(resume.connections.lock().known.is_empty());
}

#[test]
fn beyond_the_limit_the_oldest_are_forgotten() {
    let resume = resume(2, 100);
    for number in 0..4 {
        let one = connection(number);
        resume.enter(&one, at(0));
        resume.handle_read(&one, ids(["a"]));
        resume.leave(&one, at(number.into()));
    }
    let known = |number| resume.enter(&connection(number), at(5)).is_some();
    assert_eq!([0, 1, 2, 3].map(known), [false, false, true, true]);
}

#[test]
fn no_more_bytes_are_remembered_than_may_be() {
    let resume = resume(10, 5);
    let one = connection(1);
    resume.enter(&one, at(0));
    assert_eq!(resume.handle_read(&one, ids(["aaa", "bbb", "cc", "d"])), ids(["aaa", "cc"]));
}

proptest! {
    /// Whatever comes and goes: what is kept without a socket is counted and limited, and what has one is not forgotten.
    #[test]
    fn any_order(steps in prop::collection::vec((0..5_u8, any::<bool>(), 0..100_u64), 0..100)) {
        let resume = resume(2, 100);
        let (mut now, mut sockets) = (0, [0_usize; 5]);
        for (number, enters, later) in steps {
            now += later;
            let one = connection(number);
            let sockets = &mut sockets[usize::from(number)];
            if enters {
                *sockets += 1;
                if resume.enter(&one, at(now)).is_none() {
                    resume.handle_read(&one, Ids::new());
                    resume.note(&one, &ids(["a"]));
                }
            } else if *sockets > 0 {
                *sockets -= 1;
                let stored = resume.leave(&one, at(now));
                prop_assert_eq!(stored.is_some(), *sockets == 0);
            }
            let connections = resume.connections.lock();
            let kept = connections.known.values().filter(|known| known.until.is_some()).count();
            prop_assert_eq!(kept, connections.kept);
            prop_assert!(kept <= 2 && connections.order.len() <= 4);
            prop_assert!(connections.known.values().all(|known| (known.sockets == 0) == known.until.is_some()));
        }
        for (number, sockets) in sockets.into_iter().enumerate() {
            if sockets > 0 {
                prop_assert_eq!(resume.enter(&connection(number as u8), at(now)), Some(ids(["a"])));
            }
        }
    }
}
