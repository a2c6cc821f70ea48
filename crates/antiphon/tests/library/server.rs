//! Servers for tests: each by itself on a port of its own, on one thread.

use std::net::SocketAddr;
use std::time::Duration;

use antiphon::settings::NetSettings;
use antiphon::{Builder, Io};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A server that is stopped when the test is over, in whatever way.
pub(crate) struct TestServer {
    pub(crate) io: Io,
    pub(crate) address: SocketAddr,
}

impl TestServer {
    pub(crate) fn start(io: Io) -> TestServer {
        let listening = io.bind("127.0.0.1:0").unwrap();
        TestServer { address: listening.addresses()[0], io }
    }

    pub(crate) async fn stop(self) {
        self.io.close().await.unwrap();
    }
}

pub(crate) fn builder() -> Builder {
    // Clients of tests that are over answer nothing, and nobody is to wait for that.
    let net = NetSettings { close_timeout: Duration::from_millis(20), ..NetSettings::default() };
    Io::builder().net_settings(net).workers(2)
}

pub(crate) fn io() -> Io {
    builder().build()
}

/// Where handlers tell a test what they saw.
pub(crate) fn notes() -> (UnboundedSender<String>, UnboundedReceiver<String>) {
    unbounded_channel()
}
