use std::collections::BTreeMap;
use std::sync::Arc;

use antiphon_model::{Identity, Now, RawJson};

use super::Happened;

/// Who came and went on a crowded channel since that was told last.
///
/// Who came and went again, or went and came back, is left out: whoever adds those that joined to the members that he knows of,
/// and takes away the others, has the members of this moment.
#[derive(Debug, Default)]
pub(crate) struct Interval {
    changes: BTreeMap<Arc<Identity>, Happened>,
    bytes: usize,
    /// There was more than is told: whoever wants to know asks who is here.
    too_long: bool,
}

impl Interval {
    /// Notes that somebody came or went, unless the names would take more than `bytes_max` bytes of JSON.
    pub(crate) fn note(&mut self, identity: &Arc<Identity>, happened: Happened, bytes_max: usize) {
        if self.too_long {
            return;
        }
        let came = |happened| happened == Happened::Join;
        let bytes = json_bytes(&identity.id);
        if self.changes.get(identity).is_some_and(|before| came(*before) != came(happened)) {
            self.changes.remove(identity);
            self.bytes -= bytes;
        } else if self.changes.insert(Arc::clone(identity), happened).is_none() {
            self.bytes += bytes;
        }
        if self.bytes > bytes_max {
            *self = Interval { too_long: true, ..Interval::default() };
        }
    }

    /// The JSON that onlookers get: `{"occupancy","timestamp","join","leave","timeout"}`, or `"here_now_refresh":true` instead of the
    /// lists where they are too long. None if all is as it was.
    pub(crate) fn payload(&self, occupancy: usize, now: Now) -> Option<RawJson> {
        if self.changes.is_empty() && !self.too_long {
            return None;
        }
        let head = format!("{{\"occupancy\":{occupancy},\"timestamp\":{}", now.wall.as_secs());
        let [join, leave, timeout] =
            [Happened::Join, Happened::Leave, Happened::Timeout].map(|one| self.list(one));
        Some(RawJson::from_serializer(if self.too_long {
            head + ",\"here_now_refresh\":true}"
        } else {
            format!("{head},\"join\":{join},\"leave\":{leave},\"timeout\":{timeout}}}")
        }))
    }

    fn list(&self, happened: Happened) -> serde_json::Value {
        let names = self.changes.iter().filter(|(_, one)| **one == happened);
        names.map(|(identity, _)| serde_json::Value::from(&*identity.id)).collect()
    }
}

/// How many bytes a name takes in a list, at most: quoted, escaped, and with the comma.
fn json_bytes(name: &str) -> usize {
    let escaped = name.bytes().map(|byte| match byte {
        b'"' | b'\\' => 2,
        0..0x20 => 6,
        _ => 1,
    });
    escaped.sum::<usize>() + 3
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_model::{IdentityKind, Timestamp};

    const NOW: Now =
        Now { wall: Timestamp(70_000_000), monotonic: antiphon_model::Monotonic(std::time::Duration::ZERO) };

    fn told(changes: &[(&str, Happened)], bytes_max: usize) -> Option<String> {
        let mut interval = Interval::default();
        for (name, happened) in changes {
            interval.note(&Arc::new(Identity::new(IdentityKind::User, name)), *happened, bytes_max);
        }
        interval.payload(5, NOW).map(|payload| payload.as_str().to_owned())
    }

    #[test]
    fn who_came_and_who_went_is_told_in_one_event() {
        use Happened::{Join, Leave, Timeout};
        let changes = [("bob", Join), ("an\"n", Join), ("cem", Leave), ("dan", Timeout)];
        assert_eq!(
            told(&changes, 100).as_deref(),
            Some(
                "{\"occupancy\":5,\"timestamp\":7,\"join\":[\"an\\\"n\",\"bob\"],\"leave\":[\"cem\"],\"timeout\":[\"dan\"]}"
            )
        );
    }

    #[test]
    fn what_came_to_nothing_is_not_told() {
        use Happened::{Join, Leave, Timeout};
        assert_eq!(told(&[("ann", Join), ("ann", Timeout)], 100), None);
        assert_eq!(told(&[("ann", Leave), ("ann", Join)], 100), None);
        let back = told(&[("ann", Leave), ("ann", Join), ("ann", Timeout)], 100).unwrap();
        assert!(back.contains("\"leave\":[],\"timeout\":[\"ann\"]"), "{back}");
    }

    #[test]
    fn too_many_are_not_named() {
        use Happened::{Join, Leave};
        let refresh = Some("{\"occupancy\":5,\"timestamp\":7,\"here_now_refresh\":true}");
        let changes = [("ann", Join), ("bob", Join), ("cem", Join), ("ann", Leave)];
        assert_eq!(told(&changes, 17).as_deref(), refresh);
        assert!(told(&changes, 18).unwrap().contains("[\"bob\",\"cem\"]"));
        assert_eq!(told(&[("\u{1}", Join)], 8).as_deref(), refresh);
        assert!(told(&[("\u{1}", Join)], 9).unwrap().contains("[\"\\u0001\"]"));
    }
}
