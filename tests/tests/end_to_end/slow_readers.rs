//! Who does not read is disconnected, and costs nobody else anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use antiphon_tests::{Frame, Metrics, Server, WebSocket, eventually, within};
use tokio::sync::Notify;

use crate::bytes::Bytes;

const CONFIG: &str = "[[rule]]\npersist = false\nring_size = 4\n\n[limits]\noutbox_bytes_max = 1048576\n\n[timeouts]\nkeep_alive = \"1s\"\n";

const MESSAGES: usize = 800;
const MESSAGE_BYTES: usize = 64 << 10;
const READERS: usize = 20;
/// How far the publisher may be ahead of the slowest who reads: half an outbox.
const AHEAD: usize = 8;
/// What the server may take more than before: what waits for the few that read at most, the slow ones, and slack.
const GROWTH_MAX: u64 = 120 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_is_disconnected_and_nobody_else() {
    let server = Server::start(CONFIG).await;
    let api = server.api();
    let path = "/v1/channels/flood";
    let mut slow_socket = Bytes::connect_narrow(api.address()).await;
    slow_socket.upgrade(path).await;
    let mut slow_stream = Bytes::connect_narrow(api.address()).await;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n\r\n", api.address());
    slow_stream.send(request.as_bytes()).await;
    assert!(slow_stream.head().await.starts_with("HTTP/1.1 200"));

    let counts: Arc<Vec<AtomicUsize>> = Arc::new((0..READERS).map(|_| AtomicUsize::new(0)).collect());
    let progress = Arc::new(Notify::new());
    let mut readers = Vec::new();
    for at in 0..READERS {
        let mut socket = WebSocket::connect(api.address(), path, None, &[]).await.unwrap();
        let (counts, progress) = (Arc::clone(&counts), Arc::clone(&progress));
        readers.push(tokio::spawn(async move {
            for number in 0..MESSAGES {
                let Frame::Binary(bytes) = socket.next().await else { panic!("text") };
                assert_eq!((number_in(&bytes), bytes.len()), (number, MESSAGE_BYTES), "reader {at}");
                counts[at].store(number + 1, Ordering::Release);
                progress.notify_one();
            }
        }));
    }

    let before = server.memory("VmHWM");
    let mut publisher =
        WebSocket::connect(api.address(), &format!("{path}?echo=false"), None, &[]).await.unwrap();
    for number in 0..MESSAGES {
        let slowest = || counts.iter().map(|count| count.load(Ordering::Acquire)).min().unwrap();
        within("everybody who reads gets everything", async {
            while number > slowest() + AHEAD {
                progress.notified().await;
            }
        })
        .await;
        let mut message = vec![b'x'; MESSAGE_BYTES];
        message[..8].copy_from_slice(&number.to_be_bytes());
        publisher.send_binary(message).await.unwrap();
    }
    for reader in readers {
        within("the last message", reader).await.unwrap();
    }
    let grown = server.memory("VmHWM") - before;
    assert!(grown < GROWTH_MAX, "the server grew by {} MiB", grown >> 20);

    eventually("both are closed", async || {
        let closed = ("reason", "slow reader closed");
        Metrics::scrape(&api).await.labelled("antiphon_drops_total", closed).filter(|count| *count == 2.0)
    })
    .await;
    // What they find when they read at last is the beginning, and an end.
    for slow in [slow_socket, slow_stream] {
        let mut slow = slow;
        let got = slow.rest().await.len();
        assert!(got < MESSAGES * MESSAGE_BYTES / 2, "{got} bytes had been waiting for a slow reader");
    }
}

fn number_in(bytes: &[u8]) -> usize {
    usize::from_be_bytes(bytes[..8].try_into().unwrap())
}
