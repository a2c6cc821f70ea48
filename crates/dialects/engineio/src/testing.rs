//! What the tests of this crate draw from.

use proptest::prelude::*;

use crate::packet::{Packet, Revision};

pub(crate) fn revision() -> impl Strategy<Value = Revision> {
    prop_oneof![Just(Revision::V3), Just(Revision::V4)]
}

pub(crate) fn packet() -> impl Strategy<Value = Packet> {
    prop_oneof![
        any::<String>().prop_map(|text| Packet::Open(text.into())),
        Just(Packet::Close),
        any::<String>().prop_map(|text| Packet::Ping(text.into())),
        any::<String>().prop_map(|text| Packet::Pong(text.into())),
        any::<String>().prop_map(Packet::text),
        any::<Vec<u8>>().prop_map(Packet::binary),
        Just(Packet::Upgrade),
        Just(Packet::Noop),
    ]
}
