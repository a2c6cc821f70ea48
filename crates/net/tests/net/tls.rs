//! What only TLS has: handshakes, tickets, certificates, HTTP/2, and goodbyes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use antiphon_net::SlowReader;
use antiphon_net::tls::{ALPN_HTTP1, ALPN_HTTP2, Oldest, provider, server_config};
use antiphon_net::websocket::Opcode;
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoClientAuth, ResolvesServerCertUsingSni, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore, ServerConfig};

use crate::client::{Heard, Socket, frame, request};
use crate::script::Script;
use crate::{Running, Setup, until};

/// An authority, a certificate of the server's, and one of a client's, each with its key.
struct Made {
    authority: CertificateDer<'static>,
    server: (CertificateDer<'static>, Vec<u8>),
    client: (CertificateDer<'static>, Vec<u8>),
}

fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let signed = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let signed = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer);
            (signed.unwrap().der().clone(), key.serialize_der())
        };
        Made { authority: authority.der().clone(), server: signed("localhost"), client: signed("device-7") }
    })
}

fn roots() -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(made().authority.clone()).unwrap();
    Arc::new(roots)
}

fn resolver() -> Arc<ResolvesServerCertUsingSni> {
    let (certificate, key) = &made().server;
    let key = PrivateKeyDer::Pkcs8(key.clone().into());
    let key = provider().key_provider.load_private_key(key).unwrap();
    let mut resolver = ResolvesServerCertUsingSni::new();
    resolver.add("localhost", CertifiedKey::new(vec![certificate.clone()], key)).unwrap();
    Arc::new(resolver)
}

/// What a test's server speaks.
pub(crate) fn server() -> Arc<ServerConfig> {
    Arc::new(server_config(resolver(), Arc::new(NoClientAuth), Oldest::Tls12).unwrap())
}

/// What a test's client speaks.
pub(crate) fn client() -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    builder.with_root_certificates(roots()).with_no_client_auth()
}

fn start() -> Running {
    Setup { tls: Some(server()), ..Setup::default() }.start()
}

impl Running {
    fn encrypted(&self) -> Socket {
        Socket::encrypted(self.server().addresses()[0], client())
    }
}

#[test]
fn two_hundred_listeners_hear_the_same_and_are_told_goodbye() {
    let mut setup = Setup { tls: Some(server()), ..Setup::default() };
    setup.net.deflate.enabled = true;
    let mut running = setup.start();
    let mut listeners: Vec<_> = (0..200)
        .map(|number| match number % 2 {
            0 => running.encrypted().upgraded("/a"),
            _ => running.encrypted().deflated("/a"),
        })
        .collect();
    listeners.iter_mut().for_each(|listener| assert_eq!(listener.next_text(), "open"));
    let mut stream = running.encrypted();
    stream.write(b"GET /lines/a HTTP/1.0\r\n\r\n");
    stream.head();
    assert_eq!(stream.line(), "open\n");
    let payloads = ["x".repeat(10), "y".repeat(40_000), "z".repeat(200_000), "last".into()];
    let mut publisher = running.encrypted().upgraded("/");
    for payload in &payloads {
        publisher.text(&format!("pub a {payload}"));
    }
    for listener in &mut listeners {
        for payload in &payloads {
            assert!(listener.next_publication().1 == *payload);
        }
    }
    for payload in &payloads {
        assert!(stream.line().trim_end().ends_with(payload));
    }
    let stopping = std::thread::spawn(move || running.stop(crate::PATIENCE));
    for mut listener in listeners {
        assert_eq!(listener.last_words(), [Heard::Text("closing 1012".into()), Heard::Close(Some(1012))]);
        assert!(!listener.torn);
    }
    assert_eq!(stream.rest(), "bye 1012\n");
    assert!(!stream.torn);
    drop((publisher, stream));
    assert!(stopping.join().unwrap());
}

#[test]
fn each_version_is_spoken_and_sessions_are_resumed() {
    let running = start();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let builder = ClientConfig::builder_with_provider(provider());
        let builder = builder.with_protocol_versions(&[version]).unwrap();
        let client = builder.with_root_certificates(roots()).with_no_client_auth();
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
            let address = running.server().addresses()[0];
            let mut socket = Socket::encrypted(address, client.clone()).upgraded("/a");
            assert_eq!(socket.next_text(), "open");
            assert_eq!(socket.session().protocol_version(), Some(version.version));
            assert_eq!(socket.session().handshake_kind(), Some(kind), "{version:?}");
            socket.close(1000);
            assert_eq!(socket.last_words(), [Heard::Close(Some(1000))]);
            assert!(!socket.torn);
        }
    }
    running.until_empty();
}

#[test]
fn an_older_version_than_is_allowed_is_refused() {
    let config = server_config(resolver(), Arc::new(NoClientAuth), Oldest::Tls13).unwrap();
    let running = Setup { tls: Some(Arc::new(config)), ..Setup::default() }.start();
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS12]).unwrap();
    let client = builder.with_root_certificates(roots()).with_no_client_auth();
    let mut socket = Socket::encrypted(running.server().addresses()[0], client);
    assert!(!socket.try_write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"));
    until("it is counted", || running.drops("tls handshake failed") == 1);
    let mut socket = running.encrypted();
    socket.write(b"GET / HTTP/1.0\r\n\r\n");
    assert!(socket.rest().ends_with("hello"));
    assert_eq!(socket.session().protocol_version(), Some(ProtocolVersion::TLSv1_3));
    running.until_empty();
}

/// A frame of HTTP/2 (RFC 9113, section 4.1).
fn http2_frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

#[test]
fn http_2_is_agreed_on_and_spoken() {
    let running = start();
    let mut config = client();
    config.alpn_protocols = vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()];
    let mut socket = Socket::encrypted(running.server().addresses()[0], config);
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(http2_frame(4, 0, 0, b""));
    // GET https://x/, by the static table of HPACK, and as it is spelt.
    let headers = [&[0x82, 0x87, 0x84, 0x41, 1][..], b"x"].concat();
    bytes.extend(http2_frame(1, 5, 1, &headers));
    socket.write(&bytes);
    assert_eq!(socket.session().alpn_protocol(), Some(ALPN_HTTP2));
    let mut body = Vec::new();
    loop {
        let head: [u8; 9] = socket.exactly(9).try_into().unwrap();
        let len = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let payload = socket.exactly(len);
        match head[3] {
            // Its first byte is `:status: 200`.
            1 => assert_eq!(payload[0], 0x88),
            0 => body.extend_from_slice(&payload),
            _ => {}
        }
        if matches!(head[3], 0 | 1) && head[4] & 1 == 1 {
            break;
        }
    }
    assert_eq!(body, b"hello");
    drop(socket);
    running.until_empty();
}

#[test]
fn a_handshake_that_does_not_end_is_given_up() {
    let mut setup = Setup { tls: Some(server()), ..Setup::default() };
    setup.net.handshake_timeout = Duration::from_millis(300);
    let running = setup.start();
    let address = running.server().addresses()[0];
    let mut half = TcpStream::connect(address).unwrap();
    half.write_all(&[22, 3, 1, 2, 0, 1, 0]).unwrap();
    let silent = TcpStream::connect(address).unwrap();
    // As slow as can be: what comes meanwhile is no reason to wait for longer.
    let mut slow = TcpStream::connect(address).unwrap();
    let slow = std::thread::spawn(move || {
        let hello = [&[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3][..], &[7; 400]].concat();
        let sent = hello.iter().take_while(|byte| {
            std::thread::sleep(Duration::from_millis(10));
            slow.write_all(&[**byte]).is_ok()
        });
        sent.count()
    });
    until("all are given up", || running.drops("no request") == 3);
    assert!(slow.join().unwrap() < 400);
    drop((half, silent));
    running.until_empty();
}

#[test]
fn garbage_is_closed_at_once_and_others_notice_nothing() {
    let running = start();
    let address = running.server().addresses()[0];
    let mut good = running.encrypted().upgraded("/a");
    assert_eq!(good.next_text(), "open");
    for garbage in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], &[0; 64], &[22, 3, 1, 0xff, 0xff, 1]] {
        let mut bad = TcpStream::connect(address).unwrap();
        bad.write_all(garbage).unwrap();
        let mut answer = Vec::new();
        // It may be a reset where not all was read.
        let _ = bad.read_to_end(&mut answer);
    }
    assert_eq!(running.drops("tls handshake failed"), 3);
    // After a good handshake, too.
    let mut broken = running.encrypted().upgraded("/");
    broken
        .write_raw(&[23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    assert!(broken.ends());
    good.text("still here");
    assert_eq!(good.next_publication().1, "still here");
    drop((good, broken));
    running.until_empty();
}

#[test]
fn whoever_does_not_read_what_is_encrypted_is_cut_off() {
    let mut setup = Setup { tls: Some(server()), ..Setup::default() };
    setup.net.slow_reader = SlowReader::Disconnect;
    setup.net.close_timeout = Duration::from_millis(200);
    let running = setup.start();
    let mut slow = running.encrypted().upgraded("/a");
    let mut publisher = running.encrypted().upgraded("/");
    assert_eq!(slow.next_text(), "open");
    let payload = "x".repeat(100 << 10);
    while running.drops("slow reader closed") == 0 {
        publisher.text(&format!("pub a {payload}"));
    }
    // It does not read the goodbye either, or does not answer it where the socket still had room for it.
    let cut_off = || running.drops("close not read") + running.drops("close not answered");
    until("it is cut off", || cut_off() == 1);
    until("its place is free", || running.connections() == 1);
    drop((slow, publisher));
    running.until_empty();
}

#[test]
fn what_a_client_shows_is_known_to_whoever_answers() {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(), provider());
    let verifier = verifier.allow_unauthenticated().build().unwrap();
    let config = server_config(resolver(), verifier, Oldest::Tls12).unwrap();
    let running = Setup { tls: Some(Arc::new(config)), ..Setup::default() }.start();
    let address = running.server().addresses()[0];
    let (certificate, key) = made().client.clone();
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots());
    let shows =
        builder.with_client_auth_cert(vec![certificate.clone()], PrivateKeyDer::Pkcs8(key.into())).unwrap();
    let ask = |config: &ClientConfig, piece: usize| {
        let mut socket = Socket::encrypted(address, config.clone());
        let request = b"GET /peer HTTP/1.0\r\n\r\n";
        let (first, second) = request.split_at(piece);
        socket.write(first);
        socket.write(second);
        socket.head();
        socket.rest()
    };
    for piece in [0, 5] {
        // The second time by a ticket.
        for _ in 0..2 {
            assert_eq!(ask(&shows, piece), format!("true {:?}", Some(certificate.as_ref())));
            assert_eq!(ask(&client(), piece), "true None");
        }
    }
    running.until_empty();
}

#[test]
fn a_request_that_is_more_than_one_read_keeps_its_frames() {
    let script = Script::new(|text, client| crate::script::say(client, &text.len().to_string()));
    let running = Setup { tls: Some(server()), script, ..Setup::default() }.start();
    // Behind the request comes more than hyper reads at once: what the session has kept makes no event.
    let frames: Vec<u8> = (0..20).flat_map(|_| frame(Opcode::Text, &[b'x'; 15_000])).collect();
    for first in [&b""[..], b"GET /x/other HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let mut socket = running.encrypted();
        if !first.is_empty() {
            socket.write(first);
            socket.head();
        }
        socket.write(&[request("/x/a").as_bytes(), &frames].concat());
        assert!(socket.head().contains("HTTP/1.1 101 "));
        assert!(socket.next_text().starts_with("hello "));
        for _ in 0..20 {
            assert_eq!(socket.next_text(), "15000");
        }
        socket.shutdown(Shutdown::Write);
        assert_eq!(socket.next(), Heard::End);
    }
    running.until_empty();
}

#[test]
fn a_long_answer_goes_on_as_its_reader_does() {
    let mut setup = Setup { tls: Some(server()), ..Setup::default() };
    setup.net.outbox_bytes_max = 64 << 20;
    let running = setup.start();
    let mut reader = running.encrypted();
    reader.write(b"POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 3000000\r\n\r\n");
    reader.write(&vec![b'x'; 3_000_000]);
    assert!(reader.head().starts_with("HTTP/1.1 200 OK"));
    let mut stream = running.encrypted();
    stream.write(b"GET /lines/a HTTP/1.0\r\n\r\n");
    stream.head();
    assert_eq!(stream.line(), "open\n");
    let payload = "x".repeat(500_000);
    (0..8).for_each(|number| running.publish("a", format!("{number}{payload}")));
    for number in 0..8 {
        let line = stream.line();
        assert!(line.split(' ').nth(1).unwrap().starts_with(&number.to_string()));
        assert!(line.len() > 500_000);
    }
}
