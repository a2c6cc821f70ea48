//! How much of what waits an answer to a poll takes.

use antiphon_net::Stream;
use bytes::Bytes;

use super::Headers;
use crate::encode::{self, PollForm};

/// How many packets an answer may have at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Portion {
    /// All that there are.
    All,
    /// So many.
    Packets(usize),
}

/// What python-engineio takes; at one more it gives up its session.
const PYTHON_PACKETS_MAX: usize = 16;

impl Portion {
    /// What a client takes. The one that does not take all is known by the libraries that it polls with.
    pub(super) fn of(headers: &Headers) -> Portion {
        let agent = headers.get("user-agent").unwrap_or_default();
        if agent.starts_with("python-requests/") || agent.contains(" aiohttp/") {
            Portion::Packets(PYTHON_PACKETS_MAX)
        } else {
            Portion::All
        }
    }

    /// Takes it.
    pub(super) fn take(self, form: PollForm, stream: &mut Stream) -> Vec<Bytes> {
        match self {
            Portion::All => stream.queued(),
            Portion::Packets(mut left) => stream.queued_up_to(|piece| {
                let (count, bytes) = encode::first_packets(form, piece, left);
                left -= count;
                bytes
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    #[test]
    fn clients_that_take_little_are_known() {
        for (agent, expected) in [
            ("python-requests/2.32.3", Portion::Packets(16)),
            ("Python/3.12 aiohttp/3.10.5", Portion::Packets(16)),
            ("node-XMLHttpRequest", Portion::All),
            ("Mozilla/5.0 (X11; Linux x86_64)", Portion::All),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("user-agent", HeaderValue::from_static(agent));
            assert_eq!(Portion::of(&Headers::new(&headers)), expected, "{agent}");
        }
        assert_eq!(Portion::of(&Headers::new(&HeaderMap::new())), Portion::All);
    }
}
