use std::sync::Arc;

use antiphon_access::AddressRange;
use antiphon_net::{NetSettings, Proxies, ProxyProtocol};

use crate::arrivals::decide;
use crate::client::{Socket, request};
use crate::script::{Script, say};
use crate::{OVER_TLS, Running, Setup, until};

/// A server behind a proxy of this machine, that takes two connections from each address.
fn start() -> Running {
    let mut net = NetSettings::default();
    net.addresses.connections_max = 2;
    let trusted = AddressRange::loopback().to_vec();
    net.proxies = Proxies { trusted, protocol: ProxyProtocol::Required, ..Proxies::default() };
    let script = Script { decide: Arc::new(decide), ..Script::new(|text, client| say(client, text)) };
    Setup { net, script, ..Setup::default() }.start()
}

fn header(last: u8) -> Vec<u8> {
    let fields = [192, 0, 2, last, 198, 51, 100, 7, 0x12, 0x67, 0x01, 0xbb];
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c".as_slice(), &fields].concat()
}

impl Running {
    /// A connection of a proxy's for the client at 192.0.2.`last`.
    fn for_client(&self, last: u8) -> Socket {
        Socket::connect_after(self.server().addresses()[0], &[&header(last)])
    }
}

#[test]
fn the_header_comes_before_everything_else() {
    let running = start();
    for pieces in [vec![header(1)], header(1).chunks(1).map(<[u8]>::to_vec).collect()] {
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let mut socket = Socket::connect_after(running.server().addresses()[0], &pieces).upgraded("/room");
        assert_eq!(socket.next_text(), "open");
        running.publish("room", "a");
        assert!(socket.next_text().ends_with(" a"));
    }
    running.until_empty();
}

#[test]
fn a_client_keeps_its_place_wherever_its_connection_goes() {
    let running = start();
    // To another worker, and by HTTP before it is a WebSocket.
    let moved = running.for_client(1).upgraded("/x/at/1");
    let mut by_http = running.for_client(1);
    let whole = request("/room");
    by_http.write(&whole.as_bytes()[..20]);
    until("the server has taken it", || running.connections() == 2);
    by_http.write(&whole.as_bytes()[20..]);
    assert!(by_http.head().starts_with("HTTP/1.1 101 "));

    let refused = |last| {
        let before = running.drops("connections_per_address_max");
        let mut socket = running.for_client(last);
        // What is encrypted is closed without an answer.
        if OVER_TLS {
            until("it is refused", || running.drops("connections_per_address_max") > before);
        } else {
            let head = socket.head();
            assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
        }
    };
    refused(1);
    drop(moved);
    until("one is gone", || running.sessions("websocket") <= 1);
    let again = running.for_client(1).upgraded("/room");
    refused(1);
    drop(running.for_client(2).upgraded("/room"));
    drop((again, by_http));
    running.until_empty();
}
