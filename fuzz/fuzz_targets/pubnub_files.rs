//! Files, push registrations and grants: queries, headers, tickets, and the body of a grant.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_pubnub::fuzzing::files(data));
