//! What the values of options may be.

use std::time::Duration;

use crate::message::MESSAGE_BYTES_MIN;

/// The largest message the load generator sends.
pub(crate) const MESSAGE_BYTES_MAX: usize = 16 << 20;

pub(super) fn message_bytes(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(bytes) if (MESSAGE_BYTES_MIN..=MESSAGE_BYTES_MAX).contains(&bytes) => Ok(bytes),
        _ => Err(format!("give a number of bytes from {MESSAGE_BYTES_MIN} to {MESSAGE_BYTES_MAX}")),
    }
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    text.trim_end_matches('s')
        .parse::<f64>()
        .ok()
        .filter(|seconds| *seconds <= 86_400.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "give seconds, at most a day of them".to_owned())
}

pub(super) fn millis(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(millis) if (1..=60_000).contains(&millis) => Ok(Duration::from_millis(millis)),
        _ => Err("give milliseconds, from 1 to 60000".to_owned()),
    }
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.001..=100_000_000.0).contains(&rate) => Ok(rate),
        _ => Err("give messages a second, from 0.001 to 100000000".to_owned()),
    }
}

pub(super) fn runs(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(runs) if (1..=1000).contains(&runs) => Ok(runs),
        _ => Err("give a number of runs, from 1 to 1000".to_owned()),
    }
}
