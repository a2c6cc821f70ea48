use std::cell::Cell;
use std::sync::mpsc;
use std::thread;

use super::*;

/// Of `12345test`, by cheap parameters.
const HASH: &str = "$argon2id$v=19$m=64,t=1,p=1$YW50aXBob24gdGVzdHM$";

thread_local! {
    static HASHES: Cell<u32> = const { Cell::new(0) };
}

pub(crate) fn note_hash() {
    HASHES.set(HASHES.get() + 1);
}

/// How many hashes this thread has computed.
pub(crate) fn hashes() -> u32 {
    HASHES.get()
}

fn cheap_hash(password: &str, algorithm: Algorithm, (m, t, p): (u32, u32, u32)) -> String {
    let salt = SaltString::encode_b64(b"antiphon tests").unwrap();
    let argon2 = Argon2::new(algorithm, Version::V0x13, Params::new(m, t, p, None).unwrap());
    argon2.hash_password(password.as_bytes(), &salt).unwrap().to_string()
}

#[test]
fn a_password_is_known_by_its_hash() {
    let password = Secret::new("12345test");
    let (hash, another) = (PasswordHash::of(&password).unwrap(), PasswordHash::of(&password).unwrap());
    assert_ne!(hash.as_str(), another.as_str());
    assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
    assert!(!format!("{hash:?}").contains("argon2"));
    let proof = Proof::PasswordHash(PasswordHash::parse(hash.as_str()).unwrap());
    for (password, expected) in
        [("12345test", true), ("12345Test", false), ("", false), ("12345test ", false)]
    {
        assert_eq!(check(password, Some(&proof)), Ok(expected), "{password:?}");
        assert_eq!(check(password, None), Ok(false), "{password:?}");
    }
}

#[test]
fn hashes_of_other_makers_are_taken() {
    for (algorithm, costs) in [
        (Algorithm::Argon2id, (64, 1, 1)),
        (Algorithm::Argon2i, (64, 2, 2)),
        (Algorithm::Argon2d, (64, 1, 1)),
    ] {
        let hash = cheap_hash("12345test", algorithm, costs);
        let proof = Proof::PasswordHash(PasswordHash::parse(&hash).unwrap());
        assert_eq!(check("12345test", Some(&proof)), Ok(true), "{hash}");
        assert_eq!(check("12345tesT", Some(&proof)), Ok(false), "{hash}");
    }
}

#[test]
fn a_password_in_the_clear_is_known_too() {
    let proof = Proof::password(Secret::new("12345test")).unwrap();
    for (password, expected) in [("12345test", true), ("12345tesT", false), ("", false)] {
        assert_eq!(check(password, Some(&proof)), Ok(expected), "{password:?}");
    }
    assert_eq!(check(&"x".repeat(BYTES_MAX + 1), Some(&proof)), Ok(false));
    // Too long is not empty.
    assert_eq!(check(&"x".repeat(BYTES_MAX + 1), Some(&Proof::Password(Secret::new("")))), Ok(false));
}

#[test]
fn what_is_no_hash_or_costs_too_much_is_refused() {
    let good = cheap_hash("12345test", Algorithm::Argon2id, (64, 1, 1));
    assert!(good.starts_with(HASH), "{good}");
    assert!(PasswordHash::parse(&good).is_ok());
    for (from, to, expected) in [
        ("$argon2id", "argon2id", HashError::Format),
        ("argon2id", "scrypt", HashError::Algorithm),
        ("v=19", "v=18", HashError::Format),
        ("m=64", "m=1", HashError::Format),
        ("m=64", "m=262145", HashError::TooDear),
        ("m=64,t=1", "m=65536,t=5", HashError::TooDear),
        ("m=64,t=1", "m=4294967295,t=4294967295", HashError::TooDear),
        ("m=64,t=1,p=1", "m=1024,t=1,p=17", HashError::TooDear),
    ] {
        assert_eq!(PasswordHash::parse(&good.replace(from, to)), Err(expected), "{to}");
    }
    for text in ["", "12345test", "$2b$12$abcdefghijklmnopqrstuv", HASH.trim_end_matches('$')] {
        assert_eq!(PasswordHash::parse(text), Err(HashError::Format), "{text}");
    }
}

#[test]
fn hashes_of_all_sizes_are_computed_in_the_same_memory() {
    let checks = Checks::new(1, 1);
    let costs = [(256, 2, 1), (64, 1, 1), (64, 2, 4), (256, 2, 1)];
    let hashes = costs.map(|costs| cheap_hash("12345test", Algorithm::Argon2id, costs));
    for hash in &hashes {
        let hash = PasswordHash::parse(hash).unwrap();
        for (password, expected) in [("12345test", true), ("12345tesT", false)] {
            let mut turn = checks.turn().unwrap();
            assert_eq!(hash.is_of(password.as_bytes(), &mut turn.memory), expected, "{}", hash.as_str());
        }
    }
    let memories = &checks.state.lock().memories;
    assert_eq!(memories.iter().map(Vec::len).collect::<Vec<_>>(), [256]);
}

#[test]
fn only_so_many_are_checked_and_only_so_many_wait() {
    let checks = Checks::new(1, 1);
    let running = checks.turn().unwrap();
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        let checks = &checks;
        scope.spawn(move || {
            let _turn = checks.turn().unwrap();
            sender.send(()).unwrap();
        });
        while checks.state.lock().waiting == 0 {
            thread::yield_now();
        }
        assert_eq!(checks.turn().err(), Some(Busy));
        assert!(receiver.try_recv().is_err());
        drop(running);
        receiver.recv().unwrap();
    });
    assert!(checks.turn().is_ok());
}
