//! What HTTP/2 lets a client do that HTTP/1.1 does not: streams by the hundred, windows of its choice, frames without end.

use antiphon_tests::Server;

use crate::bytes::Bytes;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;

/// The document of the API: long enough not to fit into a packet.
const LONG: &str = "/v1/openapi.json";

#[derive(Debug, PartialEq, Eq)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn setting(id: u16, value: u32) -> Vec<u8> {
    [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()
}

/// The head of a `GET`, as one block without compression.
fn get(path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x04, path.len() as u8];
    block.extend(path.as_bytes());
    block.extend([0x01, 9]);
    block.extend(b"localhost");
    block.extend(field("accept", if path == LONG { "*/*" } else { "text/event-stream" }));
    block
}

fn field(name: &str, value: &str) -> Vec<u8> {
    [&[0, name.len() as u8], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
}

fn request(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &get(path))
}

/// A connection that has begun, with these settings.
async fn connect(server: &Server, settings: &[u8]) -> Bytes {
    let mut bytes = Bytes::connect(server.address()).await;
    bytes.send(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(SETTINGS, 0, 0, settings)[..]].concat()).await;
    bytes.send(&frame(SETTINGS, ACK, 0, &[])).await;
    bytes
}

async fn next(bytes: &mut Bytes) -> Frame {
    let head = bytes.exactly(9).await;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Frame { kind: head[3], flags: head[4], stream, payload: bytes.exactly(length).await }
}

/// The next frame of a kind, on a stream.
async fn next_of(bytes: &mut Bytes, kind: u8, stream: u32) -> Frame {
    loop {
        let frame = next(bytes).await;
        assert_ne!(frame.kind, GOAWAY, "{frame:?}");
        if frame.kind == kind && frame.stream == stream {
            return frame;
        }
    }
}

/// All others are served while one of them misbehaves.
async fn serves(server: &Server) {
    server.api().over_http2().get("/health/live").send().await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_given_no_room_is_cut_and_the_others_go_on() {
    let server = Server::start("[timeouts]\nwrite = \"500ms\"\n").await;
    let mut bytes = connect(&server, &setting(INITIAL_WINDOW_SIZE, 0)).await;
    bytes.send(&frame(WINDOW_UPDATE, 0, 0, &10_000_000_u32.to_be_bytes())).await;
    // A listener that waits for messages is not one that does not read.
    bytes.send(&request(1, "/v1/channels/room")).await;
    bytes.send(&frame(WINDOW_UPDATE, 0, 1, &100_000_u32.to_be_bytes())).await;
    next_of(&mut bytes, HEADERS, 1).await;
    for (stream, room) in [(3, None), (5, Some(1_u32)), (7, Some(20_000))] {
        bytes.send(&request(stream, LONG)).await;
        if let Some(room) = room {
            bytes.send(&frame(WINDOW_UPDATE, 0, stream, &room.to_be_bytes())).await;
        }
        next_of(&mut bytes, RST_STREAM, stream).await;
    }
    // With room, a stream of the same connection gets all.
    bytes.send(&request(9, LONG)).await;
    bytes.send(&frame(WINDOW_UPDATE, 0, 9, &1_000_000_u32.to_be_bytes())).await;
    while next_of(&mut bytes, DATA, 9).await.flags & END_STREAM == 0 {}
    server.api().post("/v1/channels/room").text("still there").send().await.expect(201);
    while !String::from_utf8_lossy(&next_of(&mut bytes, DATA, 1).await.payload).contains("still there") {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_has_so_many_streams() {
    let server = Server::start("[limits]\nhttp2_streams_max = 5\n").await;
    let mut bytes = connect(&server, &[]).await;
    let announced = next_of(&mut bytes, SETTINGS, 0).await.payload;
    assert!(announced.windows(6).any(|one| one == setting(MAX_CONCURRENT_STREAMS, 5)), "{announced:?}");
    for stream in 0..6 {
        bytes.send(&request(2 * stream + 1, "/v1/channels/room")).await;
    }
    let refused = next_of(&mut bytes, RST_STREAM, 11).await;
    assert_eq!(refused.payload, [0, 0, 0, 7], "REFUSED_STREAM");
    serves(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_are_reset_as_soon_as_they_begin_cost_little() {
    let server = Server::start("").await;
    serves(&server).await;
    let before = server.memory("VmHWM");
    for _ in 0..4 {
        let mut bytes = connect(&server, &[]).await;
        let mut reset = Vec::new();
        for stream in 0..10_000_u32 {
            reset.extend(request(2 * stream + 1, "/v1/channels/room"));
            reset.extend(frame(RST_STREAM, 0, 2 * stream + 1, &[0, 0, 0, 8]));
        }
        // It may be closed on the way.
        bytes.flood(&reset, reset.len()).await;
        serves(&server).await;
    }
    let grown = server.memory("VmHWM") - before;
    assert!(grown < 32 << 20, "{grown} bytes more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_without_end_are_cut_off() {
    let server = Server::start("").await;
    serves(&server).await;
    let before = server.memory("VmHWM");
    let more: Vec<u8> = (0..100).flat_map(|_| field("x-more", &"y".repeat(100))).collect();
    for more in [more, Vec::new()] {
        let mut bytes = connect(&server, &[]).await;
        bytes.send(&frame(HEADERS, 0, 1, &get(LONG))).await;
        let flood = frame(CONTINUATION, 0, 1, &more).repeat(100);
        let sent = bytes.flood(&flood, 128 << 20).await;
        assert!(sent < 16 << 20, "{sent} bytes were taken");
        serves(&server).await;
    }
    let grown = server.memory("VmHWM") - before;
    assert!(grown < 16 << 20, "{grown} bytes more");

    // One that ends, and is too long, is answered.
    let mut bytes = connect(&server, &[]).await;
    bytes.send(&frame(HEADERS, END_STREAM, 1, &get(LONG))).await;
    let more: Vec<u8> = (0..120).flat_map(|_| field("x-more", &"y".repeat(120))).collect();
    for last in [0, 0, 0, 0, END_HEADERS] {
        bytes.send(&frame(CONTINUATION, last, 1, &more)).await;
    }
    let answer = next_of(&mut bytes, HEADERS, 1).await;
    // `:status`, by its place in the table, and 431 in the code of Huffman's that HTTP/2 has.
    assert_eq!(answer.payload, [0x48, 0x83, 0x69, 0x90, 0xff]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_to_be_answered_and_is_not_read_does_not_pile_up() {
    let server = Server::start("[timeouts]\nwrite = \"500ms\"\n").await;
    serves(&server).await;
    let before = server.memory("VmHWM");
    for flood in [frame(PING, 0, 0, &[7; 8]), frame(SETTINGS, 0, 0, &setting(INITIAL_WINDOW_SIZE, 1))] {
        let mut bytes = Bytes::connect_narrow(server.address()).await;
        bytes.send(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(SETTINGS, 0, 0, &[])[..]].concat()).await;
        bytes.flood(&flood.repeat(5000), 64 << 20).await;
        serves(&server).await;
    }
    let grown = server.memory("VmHWM") - before;
    assert!(grown < 16 << 20, "{grown} bytes more");
}
