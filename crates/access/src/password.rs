//! Passwords and their hashes (argon2, RFC 9106).
//!
//! Each login by password costs the same, whether the user exists or not: one hash with our parameters. It is dear by
//! intention, so only a few are computed at once, and only so many more may wait.

use std::sync::LazyLock;

use argon2::password_hash::{self, Output, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, PasswordHasher, Version};
use parking_lot::{Condvar, Mutex};
use sha2::{Digest, Sha256};

use crate::credentials::proof::Proof;
use crate::{InvalidCredential, Secret};

/// The longest password.
pub(crate) const BYTES_MAX: usize = 512;

/// Memory in KiB times passes of a hash that we did not make: 256 MiB once takes some tenths of a second.
const COST_MAX: u64 = 256 * 1024;
const LANES_MAX: u32 = 16;
/// Each that is computed takes 19 MiB.
const RUNNING_MAX: usize = 4;
/// Each that waits holds a thread.
const WAITING_MAX: usize = 64;

static CHECKS: LazyLock<Checks> = LazyLock::new(|| {
    // Half of the cores stay with those who are logged in already.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Checks::new((cores / 2).clamp(1, RUNNING_MAX), WAITING_MAX)
});

/// A hash cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Not in the PHC string format.
    #[error("it is not in the PHC string format, $argon2id$v=19$m=19456,t=2,p=1$salt$hash")]
    Format,
    /// Another function.
    #[error("it is not one of argon2")]
    Algorithm,
    /// A login with it would take too long.
    #[error("it costs too much: m times t is at most {COST_MAX}, p at most {LANES_MAX}")]
    TooDear,
}

/// As many passwords as can be are being checked, and as many more wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Busy;

/// The argon2 hash of a password, in the PHC string format.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PasswordHash(Box<str>);

impl PasswordHash {
    /// Hashes a password: argon2id, 19 MiB, two passes, one lane.
    pub(crate) fn of(password: &Secret) -> Result<PasswordHash, InvalidCredential> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| InvalidCredential::NoRandomness)?;
        let salt = SaltString::encode_b64(&random).expect("16 bytes are a salt");
        let hash = argon2().hash_password(password.expose().as_bytes(), &salt);
        Ok(PasswordHash(hash.expect("a password of 512 bytes can be hashed").to_string().into()))
    }

    /// Reads a hash that somebody made.
    pub(crate) fn parse(text: &str) -> Result<PasswordHash, HashError> {
        let hash = password_hash::PasswordHash::new(text).map_err(|_| HashError::Format)?;
        Algorithm::try_from(hash.algorithm).map_err(|_| HashError::Algorithm)?;
        let params = Params::try_from(&hash).map_err(|_| HashError::Format)?;
        let version = hash.version.map(Version::try_from);
        if hash.hash.is_none() || hash.salt.is_none() || matches!(version, Some(Err(_))) {
            return Err(HashError::Format);
        }
        if u64::from(params.m_cost()) * u64::from(params.t_cost()) > COST_MAX || params.p_cost() > LANES_MAX {
            return Err(HashError::TooDear);
        }
        Ok(PasswordHash(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn is_of(&self, password: &[u8], memory: &mut Vec<Block>) -> bool {
        let hash = password_hash::PasswordHash::new(&self.0).expect("it was read when it came");
        verify(&hash, password, memory).is_ok_and(|fits| fits)
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Whether `password` is the one of `proof`; without one, of nobody. Blocks until there is room, and takes tens of
/// milliseconds then.
pub(crate) fn check(password: &str, proof: Option<&Proof>) -> Result<bool, Busy> {
    let mut turn = CHECKS.turn()?;
    // Nobody has a longer one, and what is hashed has a limit.
    let too_long = password.len() > BYTES_MAX;
    let password = if too_long { "" } else { password }.as_bytes();
    let fits = match proof {
        Some(Proof::PasswordHash(hash)) => hash.is_of(password, &mut turn.memory),
        Some(Proof::Password(expected)) => {
            burn(password, &mut turn.memory);
            is_equal(password, expected.expose().as_bytes())
        }
        Some(Proof::Secret(_)) | None => {
            burn(password, &mut turn.memory);
            false
        }
    };
    Ok(fits && !too_long)
}

/// Takes as long as a hash does.
fn burn(password: &[u8], memory: &mut Vec<Block>) {
    let mut hash = [0; Params::DEFAULT_OUTPUT_LEN];
    let outcome = hash_into(&argon2(), password, b"a salt of nobody", &mut hash, memory);
    std::hint::black_box((outcome.is_ok(), hash));
}

/// Whether a password has a hash, by the parameters of that. They are compared in constant time.
fn verify(
    hash: &password_hash::PasswordHash<'_>,
    password: &[u8],
    memory: &mut Vec<Block>,
) -> password_hash::Result<bool> {
    let (Some(salt), Some(expected)) = (hash.salt, hash.hash) else { return Ok(false) };
    let algorithm = Algorithm::try_from(hash.algorithm)?;
    let version = hash.version.map_or(Ok(Version::default()), Version::try_from)?;
    let argon2 = Argon2::new(algorithm, version, Params::try_from(hash)?);
    let mut bytes = [0; password_hash::Salt::MAX_LENGTH];
    let salt = salt.decode_b64(&mut bytes)?;
    let output =
        Output::init_with(expected.len(), |out| Ok(hash_into(&argon2, password, salt, out, memory)?))?;
    Ok(output == expected)
}

/// Computes a hash in memory that is kept: taken and given back each time, it would be spread over the arenas of the allocator, and
/// stay with them.
fn hash_into(
    argon2: &Argon2<'_>,
    password: &[u8],
    salt: &[u8],
    out: &mut [u8],
    memory: &mut Vec<Block>,
) -> argon2::Result<()> {
    #[cfg(test)]
    tests::note_hash();
    let blocks = argon2.params().block_count();
    if blocks > memory.len() {
        memory.resize(blocks, Block::default());
    }
    argon2.hash_password_into_with_memory(password, salt, out, &mut memory[..blocks])
}

/// Compares in a time that says nothing about where two texts differ, nor about their lengths.
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    let (a, b) = (Sha256::digest(a), Sha256::digest(b));
    std::hint::black_box(a.iter().zip(b.iter()).fold(0, |different, (a, b)| different | (a ^ b))) == 0
}

fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

/// How many passwords are checked at once.
struct Checks {
    running_max: usize,
    waiting_max: usize,
    state: Mutex<CheckState>,
    ended: Condvar,
}

#[derive(Default)]
struct CheckState {
    running: usize,
    waiting: usize,
    /// Of turns that are over. There are as many as ran at once, of the size of the dearest hash.
    memories: Vec<Vec<Block>>,
}

/// The right to compute one hash, and the memory for it.
struct Turn<'a> {
    checks: &'a Checks,
    memory: Vec<Block>,
}

impl Checks {
    fn new(running_max: usize, waiting_max: usize) -> Checks {
        Checks { running_max, waiting_max, state: Mutex::default(), ended: Condvar::new() }
    }

    fn turn(&self) -> Result<Turn<'_>, Busy> {
        let mut state = self.state.lock();
        if state.running >= self.running_max {
            if state.waiting >= self.waiting_max {
                return Err(Busy);
            }
            state.waiting += 1;
            self.ended.wait_while(&mut state, |state| state.running >= self.running_max);
            state.waiting -= 1;
        }
        state.running += 1;
        Ok(Turn { checks: self, memory: state.memories.pop().unwrap_or_default() })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.checks.state.lock();
        state.running -= 1;
        state.memories.push(std::mem::take(&mut self.memory));
        drop(state);
        self.checks.ended.notify_one();
    }
}

#[cfg(test)]
pub(crate) mod tests;
