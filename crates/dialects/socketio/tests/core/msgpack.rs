use std::sync::Arc;

use antiphon_socketio::{
    Body, DataBuilder, Limits, Message, NamespaceName, Packet, Parser, Version, msgpack,
};
use bytes::Bytes;

use crate::{Setup, echo};

fn packed(body: Body, attachments: Vec<Bytes>) -> Vec<u8> {
    let packet = Packet { namespace: NamespaceName::root(), body };
    msgpack::encode(&Message { packet, attachments }).unwrap().to_vec()
}

fn unpacked(bytes: Vec<u8>) -> Message {
    msgpack::decode(&bytes.into(), Version::V5, &Limits::default()).unwrap()
}

#[test]
fn clients_of_the_other_parser_are_served() {
    let running = Setup::new(|settings| settings.parser = Parser::Msgpack).start();
    running.io.root().on("echo", Arc::new(echo));
    let mut client = running.client();
    client.send_binary(&packed(Body::Connect { query: None, payload: None }, vec![]));
    let granted = unpacked(client.next_binary());
    assert!(matches!(granted.packet.body, Body::Connect { payload: Some(_), .. }));
    let (data, attachments) = DataBuilder::event("echo")
        .unwrap()
        .text("x")
        .binary(Bytes::from_static(b"\x00\x01"))
        .into_event()
        .unwrap();
    let ack = antiphon_socketio::AckId::new(9);
    let event = Body::BinaryEvent { attachments: 1, ack, data };
    client.send_binary(&packed(event, attachments));
    let answer = unpacked(client.next_binary());
    let Body::BinaryAck { ack, data, .. } = answer.packet.body else { panic!("{answer:?}") };
    assert_eq!(ack.value(), 9);
    assert_eq!(data.json().as_str(), r#"["x",{"_placeholder":true,"num":0}]"#);
    assert_eq!(answer.attachments, [Bytes::from_static(b"\x00\x01")]);
    client.send_binary(b"\xc1");
    client.expect_end();
}
