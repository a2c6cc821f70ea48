//! The query of a signed request, in the form that is signed.
//!
//! Every parameter but the signature, sorted by name, each value encoded anew: all but `A-Z a-z 0-9 - _ .` as `%XX`. SDKs
//! do not all do what they say, so there is more than one way to write values.

/// What a query says about its signature, and the parameters that it covers.
#[derive(Debug)]
pub(super) struct SignedQuery<'a> {
    pub(super) signature: Option<Vec<u8>>,
    /// Whether there is more than one, so that it is unclear what is to be checked.
    pub(super) has_two_signatures: bool,
    pub(super) timestamps: Vec<Vec<u8>>,
    /// Names and values as they came, sorted by name; the same names in the order in which they came.
    parameters: Vec<(&'a str, &'a str)>,
}

/// How values were written for signing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Encoded once.
    Once,
    /// `filter-expr` and `channel-group` encoded a second time, as the Python SDK does.
    FiltersTwice,
    /// `state` and `meta` a second time, as it does in a heartbeat and when it publishes a file.
    JsonTwice,
}

impl Written {
    /// The ways in which values may be written.
    pub(super) const ALL: [Written; 3] = [Written::Once, Written::FiltersTwice, Written::JsonTwice];

    fn is_twice(self, name: &str) -> bool {
        let names: &[&str] = match self {
            Written::Once => &[],
            Written::FiltersTwice => &["filter-expr", "channel-group"],
            Written::JsonTwice => &["state", "meta"],
        };
        names.contains(&name)
    }
}

impl<'a> SignedQuery<'a> {
    pub(super) fn parse(raw: &'a str) -> SignedQuery<'a> {
        let mut query = SignedQuery {
            signature: None,
            has_two_signatures: false,
            timestamps: Vec::new(),
            parameters: Vec::new(),
        };
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "signature" => {
                    query.has_two_signatures |= query.signature.replace(decoded(value)).is_some();
                    continue;
                }
                "timestamp" => query.timestamps.push(decoded(value)),
                _ => {}
            }
            query.parameters.push((name, value));
        }
        query.parameters.sort_by_key(|(name, _)| *name);
        query
    }

    /// The ways in which values may be written that make a difference here.
    pub(super) fn ways(&self) -> impl Iterator<Item = Written> {
        let differs = |written: Written| {
            let mut twice = self.parameters.iter().filter(|(name, _)| written.is_twice(name));
            twice.any(|(_, value)| decoded(value) != value.as_bytes())
        };
        Written::ALL.into_iter().filter(move |written| *written == Written::Once || differs(*written))
    }

    /// Appends the text that is signed. The values of a name that is repeated are one, with commas between them, as the
    /// JavaScript SDK signs a list that it sends so.
    pub(super) fn write(&self, written: Written, out: &mut Vec<u8>) {
        let mut before: Option<&str> = None;
        for (name, value) in &self.parameters {
            if before == Some(name) {
                out.extend_from_slice(b"%2C");
            } else {
                if before.is_some() {
                    out.push(b'&');
                }
                out.extend_from_slice(name.as_bytes());
                out.push(b'=');
            }
            before = Some(name);
            if written.is_twice(name) {
                encode(value.as_bytes(), out);
            } else {
                encode(&decoded(value), out);
            }
        }
    }
}

/// The bytes behind percent-encoding. What is no `%XX` stands for itself, `+` too.
pub(super) fn decoded(text: &str) -> Vec<u8> {
    let hex = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped = hex(bytes.get(at + 1)).zip(hex(bytes.get(at + 2))).filter(|_| *byte == b'%');
        match escaped.and_then(|(high, low)| u8::try_from(high * 16 + low).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(byte) {
            out.push(*byte);
        } else {
            out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(raw: &str, written: Written) -> String {
        let mut out = Vec::new();
        SignedQuery::parse(raw).write(written, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn parameters_are_sorted_and_encoded_anew() {
        for (raw, expected) in [
            ("", ""),
            ("uuid=u", "uuid=u"),
            ("uuid=u&auth=a%2Fb&signature=v2.x", "auth=a%2Fb&uuid=u"),
            ("b=%7e*!%27()&a=x+y%20z", "a=x%2By%20z&b=%7E%2A%21%27%28%29"),
            ("a=%C3%BC&a-b=1&a=2", "a=%C3%BC%2C2&a-b=1"),
            ("empty=&none", "empty=&none="),
            ("bad=%&worse=%4&worst=%zz", "bad=%25&worse=%254&worst=%25zz"),
            ("a=b=c&&d", "a=b%3Dc&d="),
        ] {
            assert_eq!(written(raw, Written::Once), expected, "{raw}");
        }
    }

    #[test]
    fn repeated_values_are_joined_in_their_order() {
        let raw = "sort=name%3Aasc&uuid=u&sort=updated%3Adesc";
        assert_eq!(written(raw, Written::Once), "sort=name%3Aasc%2Cupdated%3Adesc&uuid=u");
    }

    #[test]
    fn filters_are_encoded_twice_where_python_does() {
        let raw = "filter-expr=a%20%3D%3D%201&uuid=a%20b";
        assert_eq!(written(raw, Written::FiltersTwice), "filter-expr=a%2520%253D%253D%25201&uuid=a%20b");
        let json = "meta=%7B%7D&state=%7B%7D&channel-group=%C3%BC";
        assert_eq!(written(json, Written::FiltersTwice), "channel-group=%25C3%25BC&meta=%7B%7D&state=%7B%7D");
        assert_eq!(
            written(json, Written::JsonTwice),
            "channel-group=%C3%BC&meta=%257B%257D&state=%257B%257D"
        );
    }

    #[test]
    fn only_what_makes_a_difference_is_tried() {
        use Written::{FiltersTwice, JsonTwice, Once};
        for (raw, expected) in [
            ("channel-group=g&uuid=a%20b", &[Once][..]),
            ("channel-group=%20", &[Once, FiltersTwice]),
            ("channel-group=%20&state=1", &[Once, FiltersTwice]),
            ("channel-group=g&state=%7B", &[Once, JsonTwice]),
            ("channel-group=%20&meta=%7B", &[Once, FiltersTwice, JsonTwice]),
        ] {
            assert_eq!(SignedQuery::parse(raw).ways().collect::<Vec<_>>(), expected, "{raw}");
        }
    }

    #[test]
    fn signature_and_timestamp_are_found() {
        let query = SignedQuery::parse("timestamp=12&signature=v2.a%3D");
        assert_eq!(query.signature.as_deref(), Some(&b"v2.a="[..]));
        assert_eq!(query.timestamps, [b"12"]);
        assert!(!query.has_two_signatures);
        assert!(SignedQuery::parse("signature=&signature=").has_two_signatures);
    }
}
