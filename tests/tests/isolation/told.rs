//! What an answer tells, as far as it can tell something: to be compared with another.

use antiphon_tests::{Answer, Call, Refused, WebSocket, within};
use http::header::ETAG;
use http::{HeaderMap, HeaderName};
use serde_json::Value;

/// Runs of so many digits are times and positions.
const DIGITS_OF_A_TIME: usize = 10;

/// A date has at least as many bytes as `2026-01-02T03:04:05Z`.
const DATE_BYTES: usize = 20;

/// All that somebody was told, byte for byte, but for the time at which it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Told {
    /// The whole answer to a request.
    pub(crate) async fn by(call: Call) -> Told {
        Told::of(&call.send().await)
    }

    pub(crate) fn of(answer: &Answer) -> Told {
        Told { status: answer.status.as_u16(), headers: headers(&answer.headers), body: answer.text() }
    }

    /// The first line of an answer that goes on, or all of the one that there is instead.
    pub(crate) async fn by_first_line(call: Call, instead: Call) -> Told {
        match call.try_stream().await {
            Ok(mut stream) => {
                let line = within("a first line", stream.next_line()).await.unwrap();
                Told { status: 200, headers: headers(&stream.headers), body: line.unwrap_or_default() }
            }
            Err(_) => Told::by(instead).await,
        }
    }

    /// A message of a socket, which has neither status nor headers.
    pub(crate) fn message(message: &Value) -> Told {
        Told { status: 0, headers: Vec::new(), body: message.to_string() }
    }

    /// What became of a WebSocket's handshake.
    pub(crate) fn handshake(outcome: Result<WebSocket, Refused>) -> Told {
        let (status, body) = match outcome {
            Ok(_) => (101, String::new()),
            Err(refused) => (refused.status.map_or(0, |status| status.as_u16()), refused.problem.to_string()),
        };
        Told { status, headers: Vec::new(), body }
    }

    /// The problem that it is, whoever's document it has; null if there is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The same without the texts in it, for what is made up at random each time.
    pub(crate) fn shape(mut self) -> Told {
        fn empty(value: &mut Value) {
            match value {
                Value::String(text) => text.clear(),
                Value::Array(values) => values.iter_mut().for_each(empty),
                Value::Object(members) => members.values_mut().for_each(empty),
                _ => {}
            }
        }
        let mut json = self.json();
        empty(&mut json);
        self.body = json.to_string();
        self
    }

    /// The same without the names that the asker said, and without times: what is left has to be the same for all names.
    pub(crate) fn without(mut self, names: &[&str]) -> Told {
        let clean = |text: &str| {
            without_times(&names.iter().fold(text.to_owned(), |text, name| text.replace(name, "…")))
        };
        self.body = clean(&self.body);
        for (_, value) in &mut self.headers {
            *value = clean(value);
        }
        self
    }
}

fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let told = headers.iter().filter(|(name, _)| *name != "date");
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    // A tag is made of what it is of, the asker's names included.
    let value = |name: &HeaderName, value: &[u8]| if *name == ETAG { String::new() } else { text(value) };
    let mut told: Vec<_> =
        told.map(|(name, bytes)| (name.to_string(), value(name, bytes.as_bytes()))).collect();
    told.sort();
    told
}

/// The text with a sign in place of each position, and of each date like `2026-01-02T03:04:05.678Z`.
fn without_times(text: &str) -> String {
    let of_a_time = |char: char| char.is_ascii_digit() || "-:.TZ".contains(char);
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|char| !of_a_time(char)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        let is_date = run.len() >= DATE_BYTES && run.contains('T') && run.ends_with('Z');
        let mut digits = run.split(|char: char| !char.is_ascii_digit());
        let is_position = digits.any(|digits| digits.len() >= DIGITS_OF_A_TIME);
        out.push_str(if is_date || is_position { "#" } else { run });
        let other = after.chars().next().map_or(0, char::len_utf8);
        out.push_str(&after[..other]);
        rest = &after[other..];
    }
    out
}

/// Holds the two answers against each other, one about what is there and one about what is not.
#[track_caller]
pub(crate) fn assert_same(what: &str, there: (Told, &[&str]), not_there: (Told, &[&str])) {
    let (there, not_there) = (there.0.without(there.1), not_there.0.without(not_there.1));
    assert_eq!(there, not_there, "{what}: what is there is answered in another way than what is not");
}
