//! Who may do what, and who wants what.

use std::hint::black_box;
use std::sync::Arc;

use antiphon_access::{Caller, Grant, LimitSettings, Permission, Permissions};
use antiphon_filter::{Filter, find};
use antiphon_model::{ChannelFlags, ChannelId, ChannelPattern, Identity, IdentityKind, OrgId};

use super::HotPath;

const TIMES: u64 = 5000;

pub(super) const PATHS: &[HotPath] = &[
    HotPath {
        name: "permission-everywhere",
        what: "a client that may publish everywhere is let through",
        unit: "check",
        units: 1,
        times: TIMES,
        run: permission_everywhere,
    },
    HotPath {
        name: "permission-by-pattern",
        what: "the last of four patterns lets a client through",
        unit: "check",
        units: 1,
        times: TIMES,
        run: permission_by_pattern,
    },
    HotPath {
        name: "filter",
        what: "a filter of two comparisons is evaluated over 130 bytes of JSON",
        unit: "message",
        units: 1,
        times: TIMES,
        run: filter,
    },
];

fn check(channels: &[&str], times: u64) {
    let permissions: Permissions = [Permission::Publish].into_iter().collect();
    let grants: Vec<_> = channels
        .iter()
        .map(|channels| Grant { channels: vec![ChannelPattern::new(channels)], permissions })
        .collect();
    let identity = Arc::new(Identity::new(IdentityKind::User, "ann"));
    let caller =
        Caller::new(OrgId::new("demo"), identity, grants.into(), None, Arc::new(LimitSettings::default()));
    let channel = ChannelId::new("room.a.b", ChannelFlags::NONE).expect("a name");
    for _ in 0..times {
        black_box(&caller).may(Permission::Publish, black_box(&channel)).expect("it may");
    }
}

fn permission_everywhere(times: u64) {
    check(&["*"], times);
}

fn permission_by_pattern(times: u64) {
    check(&["lobby", "news.*", "*.private", "room.*"], times);
}

fn filter(times: u64) {
    let filter = Filter::parse("data.level > 2 && data.text LIKE \"*urgent*\"").expect("it is one");
    let message = format!(
        "{{\"data\":{{\"level\":3,\"text\":\"this is urgent, as far as anybody can tell\",\"rest\":\"{}\"}}}}",
        "e".repeat(50)
    );
    for _ in 0..times {
        assert!(black_box(&filter).matches(|path| find(black_box(&message), &path.0)));
    }
}
