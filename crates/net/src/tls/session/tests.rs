use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, OnceLock};

use proptest::prelude::*;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::server::{NoClientAuth, ResolvesServerCertUsingSni};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};

use super::Session;
use crate::tls::{ALPN_ACME, Oldest, provider, server_config};

/// A socket that does not block, as a test moves it.
#[derive(Default)]
struct Socket {
    incoming: VecDeque<u8>,
    /// No more comes.
    over: bool,
    outgoing: Vec<u8>,
    /// How many bytes it takes before it blocks.
    room: usize,
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.incoming.is_empty() {
            true if self.over => Ok(0),
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => self.incoming.read(into),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.room);
        if len == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.room -= len;
        self.outgoing.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A client and a session, joined by a socket.
struct Joined {
    client: ClientConnection,
    session: Session,
    socket: Socket,
    /// What the client has read.
    heard: Vec<u8>,
}

fn configs() -> &'static (Arc<ClientConfig>, Arc<ServerConfig>) {
    static CONFIGS: OnceLock<(Arc<ClientConfig>, Arc<ServerConfig>)> = OnceLock::new();
    CONFIGS.get_or_init(|| {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let key = provider().key_provider.load_private_key(key).unwrap();
        let mut resolver = ResolvesServerCertUsingSni::new();
        resolver.add("localhost", CertifiedKey::new(vec![made.cert.der().clone()], key)).unwrap();
        let server = server_config(Arc::new(resolver), Arc::new(NoClientAuth), Oldest::Tls12).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let client = client.unwrap().with_root_certificates(roots).with_no_client_auth();
        (Arc::new(client), Arc::new(server))
    })
}

impl Joined {
    fn new() -> Joined {
        let (client, _) = configs();
        Joined::of(ClientConfig::clone(client))
    }

    fn of(client: ClientConfig) -> Joined {
        let name = ServerName::try_from("localhost").unwrap();
        Joined {
            client: ClientConnection::new(Arc::new(client), name).unwrap(),
            session: Session::new(Arc::clone(&configs().1)).unwrap(),
            socket: Socket { room: usize::MAX, ..Socket::default() },
            heard: Vec::new(),
        }
    }

    /// With the handshake done.
    fn open() -> Joined {
        let mut joined = Joined::new();
        joined.shake_hands();
        joined
    }

    fn shake_hands(&mut self) {
        while self.client.is_handshaking() || self.session.is_handshaking() {
            self.carry_up();
            assert_eq!(self.turns(1024).unwrap(), b"");
            self.carry_down();
        }
    }

    /// What the client has to say, into the socket.
    fn carry_up(&mut self) {
        let sent = self.sent();
        self.socket.incoming.extend(sent);
    }

    fn sent(&mut self) -> Vec<u8> {
        let mut sent = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut sent).unwrap();
        }
        sent
    }

    /// What the session has to say, out of the socket.
    fn carry_down(&mut self) {
        let mut outgoing = &std::mem::take(&mut self.socket.outgoing)[..];
        while !outgoing.is_empty() {
            self.client.read_tls(&mut outgoing).unwrap();
            self.client.process_new_packets().unwrap();
            let mut buffer = vec![0; 64 << 10];
            while let Ok(read @ 1..) = self.client.reader().read(&mut buffer) {
                self.heard.extend_from_slice(&buffer[..read]);
            }
        }
    }

    /// Reads as a worker's turns do: again only if as much came as was asked for, or there is more.
    fn turns(&mut self, room: usize) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        let mut buffer = vec![0; room];
        loop {
            match self.session.read(&mut self.socket, &mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => all.extend_from_slice(&buffer[..read]),
            }
            if !self.session.has_more() && self.socket.incoming.is_empty() {
                break;
            }
        }
        Ok(all)
    }

    fn speak(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.client.writer().write_all(bytes).unwrap();
        self.sent()
    }
}

#[test]
fn whatever_pieces_the_handshake_comes_in_it_is_the_same() {
    for piece in [1, 2, 3, 5, 100, 517] {
        let mut joined = Joined::new();
        while joined.client.is_handshaking() || joined.session.is_handshaking() {
            let sent = joined.sent();
            for piece in sent.chunks(piece) {
                joined.socket.incoming.extend(piece);
                assert_eq!(joined.turns(1024).unwrap(), b"");
            }
            joined.carry_down();
        }
        let hello = joined.speak(b"hello");
        joined.socket.incoming.extend(hello);
        assert_eq!(joined.turns(1024).unwrap(), b"hello");
        assert!(joined.session.incoming.is_empty() && joined.session.plain.is_empty());
        assert_eq!(joined.session.incoming.capacity() + joined.session.outgoing.capacity(), 0);
    }
}

#[test]
fn a_handshake_goes_on_when_the_socket_takes_bytes_again() {
    let mut joined = Joined::new();
    joined.socket.room = 10;
    joined.carry_up();
    joined.turns(1024).unwrap();
    while joined.session.is_sending() {
        joined.socket.room = 100;
        _ = joined.session.flush(&mut joined.socket);
        joined.carry_down();
    }
    joined.socket.room = usize::MAX;
    joined.shake_hands();
}

#[test]
fn what_is_no_tls_is_answered_by_an_alert() {
    let mut joined = Joined::new();
    joined.socket.incoming.extend(*b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(joined.turns(1024).unwrap_err().kind(), io::ErrorKind::InvalidData);
    // A record of type alert.
    assert_eq!(joined.socket.outgoing.first(), Some(&21));
    assert!(joined.session.write(&mut joined.socket, b"x").is_err());
    assert!(joined.session.read(&mut joined.socket, &mut [0; 8]).is_err());
}

#[test]
fn what_was_tampered_with_ends_the_connection() {
    let mut joined = Joined::open();
    let mut sent = joined.speak(b"whole");
    sent.extend(joined.speak(b"hello"));
    *sent.last_mut().unwrap() ^= 1;
    joined.socket.incoming.extend(sent);
    let mut buffer = [0; 64];
    assert_eq!(joined.session.read(&mut joined.socket, &mut buffer).unwrap(), 5);
    assert!(joined.session.has_more());
    let error = joined.session.read(&mut joined.socket, &mut buffer).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[test]
fn a_goodbye_is_said_once_and_the_peer_s_is_the_end() {
    let mut joined = Joined::open();
    joined.client.send_close_notify();
    let mut last = joined.speak(b"");
    last.extend_from_slice(b"what comes behind it is not looked at");
    joined.socket.incoming.extend(last);
    let mut buffer = [0; 64];
    assert_eq!(joined.session.read(&mut joined.socket, &mut buffer).unwrap(), 0);
    // The other way is open still.
    assert_eq!(joined.session.write(&mut joined.socket, b"answer").unwrap(), 6);
    joined.session.close(&mut joined.socket).unwrap();
    joined.session.close(&mut joined.socket).unwrap();
    assert!(joined.session.write(&mut joined.socket, b"x").is_err());
    let before = joined.socket.outgoing.len();
    joined.carry_down();
    assert!(before > 0 && joined.heard == b"answer");
    assert_eq!(joined.client.reader().read(&mut buffer).unwrap(), 0);
}

#[test]
fn keys_are_changed_on_the_way() {
    let mut joined = Joined::open();
    for _ in 0..20 {
        joined.client.refresh_traffic_keys().unwrap();
        let sent = joined.speak(b"hello");
        // In halves, so that a part of the message is there when something is written.
        let (half, rest) = sent.split_at(10);
        joined.socket.incoming.extend(half);
        assert_eq!(joined.turns(64).unwrap(), b"");
        joined.session.write(&mut joined.socket, b"between").unwrap();
        joined.socket.incoming.extend(rest);
        assert_eq!(joined.turns(64).unwrap(), b"hello");
        joined.session.write(&mut joined.socket, b"answer").unwrap();
        joined.carry_down();
        assert_eq!(std::mem::take(&mut joined.heard), b"betweenanswer");
    }
}

#[test]
fn an_acme_server_s_connection_ends_with_its_handshake() {
    let mut client = ClientConfig::clone(&configs().0);
    client.alpn_protocols = vec![ALPN_ACME.to_vec()];
    let mut joined = Joined::of(client);
    let ended = loop {
        joined.carry_up();
        match joined.turns(64) {
            Ok(read) => assert!(read.is_empty()),
            Err(error) => break error,
        }
        joined.carry_down();
    };
    assert_eq!(ended.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(joined.client.alpn_protocol(), Some(ALPN_ACME));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However what the client says is cut, and however little is read at once, all of it is read when a turn ends.
    #[test]
    fn nothing_waits_for_an_event_that_does_not_come(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40_000), 1..5),
        pieces in prop::collection::vec(1..30_000usize, 1..20),
        room in prop_oneof![1..40usize, 1000..70_000usize],
    ) {
        let mut joined = Joined::open();
        let mut sent = Vec::new();
        let mut expected = Vec::new();
        for message in &messages {
            sent.extend(joined.speak(message));
            expected.extend_from_slice(message);
        }
        let mut read = Vec::new();
        let mut pieces = pieces.iter().cycle();
        let mut rest = &sent[..];
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(*pieces.next().unwrap()));
            rest = after;
            joined.socket.incoming.extend(piece);
            // As a worker does: less than asked for, and no more kept, is all.
            let mut buffer = vec![0; room];
            loop {
                match joined.session.read(&mut joined.socket, &mut buffer) {
                    Ok(len) => {
                        read.extend_from_slice(&buffer[..len]);
                        if len < room && !joined.session.has_more() {
                            break;
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(TestCaseError::fail(error.to_string())),
                }
            }
            prop_assert!(joined.socket.incoming.is_empty());
        }
        prop_assert!(read == expected);
    }

    /// Whatever the socket takes at once, the client hears all of it in order, and a write that blocks takes nothing.
    #[test]
    fn whatever_the_socket_takes_is_heard_in_order(
        message in prop::collection::vec(any::<u8>(), 1..300_000),
        rooms in prop::collection::vec(prop_oneof![Just(0usize), 1..90_000usize], 1..20),
    ) {
        let mut joined = Joined::open();
        let mut rest = &message[..];
        let mut rooms = rooms.iter().cycle().chain(std::iter::repeat(&usize::MAX));
        let mut blocked = 0;
        loop {
            joined.socket.room = if blocked > 100 { usize::MAX } else { *rooms.next().unwrap() };
            while !rest.is_empty() {
                match joined.session.write(&mut joined.socket, rest) {
                    Ok(written) => rest = &rest[written..],
                    Err(error) => {
                        prop_assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                        prop_assert!(joined.session.is_sending());
                        break;
                    }
                }
            }
            blocked += 1;
            joined.carry_down();
            if rest.is_empty() && joined.session.flush(&mut joined.socket).is_ok() {
                break;
            }
        }
        joined.carry_down();
        prop_assert!(joined.heard == message);
        prop_assert_eq!(joined.session.outgoing.capacity(), 0);
    }

    /// Garbage ends a session, at whatever point it comes, and nothing else.
    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 1..2000), open in any::<bool>()) {
        let mut joined = if open { Joined::open() } else { Joined::new() };
        joined.socket.incoming.extend(&bytes);
        joined.socket.over = true;
        prop_assert!(joined.turns(64).is_err());
        joined.session.close(&mut joined.socket).unwrap();
        prop_assert!(joined.session.incoming.len() <= bytes.len());
    }
}
