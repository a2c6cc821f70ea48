use std::sync::Arc;

use antiphon_engineio::{self as engineio, Headers, Revision, Sid, Transport};
use antiphon_model::{OrgId, RawJson, Timestamp};
use antiphon_net::Peer;
use bytes::Bytes;
use http::{Extensions, HeaderMap};
use serde_json::{Map, Value};

use crate::connect::{Handshake, auth_of_query};
use crate::recovery::{Claim, Earlier, Pid};

/// What a client says as it connects to a namespace. In the first line the query that version 4 has there; the rest is an object,
/// which is also taken for what the store has of somebody who comes back.
pub fn connect(data: &[u8]) {
    let line = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (query, rest) = data.split_at(line);
    let rest = rest.get(1..).unwrap_or_default();
    let auth = auth_of_query(&String::from_utf8_lossy(query));
    serde_json::from_str::<Map<String, Value>>(auth.as_str()).expect("an object");
    claim(auth);
    if let Ok(auth) = RawJson::new(Bytes::copy_from_slice(rest)) {
        claim(auth);
    }
    let _ = Earlier::read(rest, &OrgId::new("demo"), &Pid::random());
}

fn claim(auth: RawJson) {
    let address = ([127, 0, 0, 1], 1).into();
    let engine = engineio::Handshake {
        sid: Sid::new(0, [0; Sid::RANDOM_BYTES]),
        revision: Revision::V4,
        transport: Transport::Polling,
        target: "/socket.io/".into(),
        headers: Headers::new(&HeaderMap::new()),
        extensions: Extensions::new(),
        peer: Peer::plain(address, address),
        issued: Timestamp(0),
    };
    let _ = Claim::of(&Handshake::new(Arc::new(engine), Some(auth)));
}
