use super::*;
use proptest::prelude::*;

fn addresses(settings: AddressSettings) -> Arc<Addresses> {
    Arc::new(Addresses::new(settings))
}

fn network(last: u32) -> Network {
    Network::of(IpAddr::V4((0x0a00_0000 + last).into()), Ipv6Prefix::default())
}

fn at(millis: u64) -> Monotonic {
    Monotonic(Duration::from_millis(millis))
}

fn len(addresses: &Addresses) -> usize {
    addresses.shards.iter().map(|shard| shard.lock().entries.len()).sum()
}

#[test]
fn an_address_has_so_many_connections_and_room_again_once_one_ends() {
    let addresses = addresses(AddressSettings { connections_max: 2, ..AddressSettings::default() });
    let enter = |last| addresses.enter(network(last), Counts::Beginning, at(0));
    let first = enter(1).unwrap();
    let second = enter(1).unwrap();
    assert_eq!(enter(1).unwrap_err(), TooMany::Connections);
    let other = enter(2).unwrap();
    drop(first);
    let third = enter(1).unwrap();
    drop((second, third, other));
    assert_eq!(len(&addresses), 0, "nothing is remembered where there is no rate");
}

#[test]
fn connections_of_one_address_come_at_its_rate_and_requests_are_not_connections() {
    let rate = Rate::new(1.0, 2).unwrap();
    let addresses = addresses(AddressSettings { connect_rate: Some(rate), ..AddressSettings::default() });
    let enter = |last, counts, millis| addresses.enter(network(last), counts, at(millis)).map(drop);
    assert_eq!(enter(1, Counts::Beginning, 0), Ok(()));
    assert_eq!(enter(1, Counts::Beginning, 0), Ok(()));
    assert_eq!(enter(1, Counts::Beginning, 100), Err(TooMany::Rate(Duration::from_millis(900))));
    assert_eq!(enter(1, Counts::Request, 100), Ok(()));
    assert_eq!(enter(2, Counts::Beginning, 100), Ok(()));
    assert_eq!(enter(1, Counts::Beginning, 1000), Ok(()));
}

#[test]
fn a_flood_of_addresses_is_remembered_up_to_the_limit_and_shares_a_rate_beyond() {
    let settings = AddressSettings {
        connect_rate: Some(Rate::new(1.0, 1).unwrap()),
        remembered_max: SHARDS,
        ..AddressSettings::default()
    };
    let addresses = addresses(settings);
    let mut taken = 0;
    for last in 0..10_000 {
        taken += usize::from(addresses.enter(network(last), Counts::Beginning, at(0)).is_ok());
    }
    // One for each address that is remembered, and one for all the others of its part.
    assert!(taken <= 2 * SHARDS, "{taken}");
    assert!(len(&addresses) <= SHARDS);
    // They have waited long enough: each is as good as new, and forgotten once somebody needs the room.
    let fresh =
        (20_000..20_100).filter(|last| addresses.enter(network(*last), Counts::Beginning, at(5000)).is_ok());
    assert!(fresh.count() >= 60);
    assert!(len(&addresses) <= SHARDS);
}

#[test]
fn loopback_has_no_limits_unless_told() {
    let settings = AddressSettings::default();
    assert_eq!(settings.network([127, 0, 0, 1].into()), None);
    assert_eq!(settings.network("::1".parse().unwrap()), None);
    assert!(settings.network([192, 0, 2, 1].into()).is_some());
    let told = AddressSettings { exempt: Vec::new(), ..AddressSettings::default() };
    assert!(told.network([127, 0, 0, 1].into()).is_some());
}

#[test]
fn threads_count_together() {
    let addresses = addresses(AddressSettings { connections_max: 100, ..AddressSettings::default() });
    let places = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    if let Ok(place) = addresses.enter(network(1), Counts::Beginning, at(0)) {
                        places.lock().push(place);
                    }
                }
            });
        }
    });
    assert_eq!(places.lock().len(), 100);
    drop(places);
    assert_eq!(len(&addresses), 0);
}

proptest! {
    #[test]
    fn the_count_is_that_of_the_places(steps in prop::collection::vec((0_u32..4, any::<bool>()), 0..200)) {
        let max = 3;
        let addresses = addresses(AddressSettings { connections_max: max, ..AddressSettings::default() });
        let mut places: Vec<Vec<Place>> = (0..4).map(|_| Vec::new()).collect();
        for (last, comes) in steps {
            let held = &mut places[last as usize];
            if comes {
                let entered = addresses.enter(network(last), Counts::Beginning, at(0));
                prop_assert_eq!(entered.is_ok(), held.len() < max);
                held.extend(entered.ok());
            } else {
                held.pop();
            }
        }
        prop_assert_eq!(len(&addresses), places.iter().filter(|held| !held.is_empty()).count());
    }
}
