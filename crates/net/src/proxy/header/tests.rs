use super::*;
use proptest::prelude::*;

fn client(source: &str, destination: &str, tls: bool) -> Origin {
    let parse = |text: &str| text.parse().unwrap();
    Origin::Client { source: parse(source), destination: parse(destination), tls }
}

/// A header of version 2.
fn binary(command: u8, family: u8, fields: &[u8]) -> Vec<u8> {
    let mut bytes = BINARY_BEGINS.to_vec();
    bytes.extend([0x20 | command, family]);
    bytes.extend((fields.len() as u16).to_be_bytes());
    bytes.extend(fields);
    bytes
}

fn fields_of_4() -> Vec<u8> {
    vec![192, 0, 2, 1, 198, 51, 100, 7, 0x12, 0x67, 0x01, 0xbb]
}

#[test]
fn version_1() {
    for (line, origin) in [
        ("PROXY TCP4 192.0.2.1 198.51.100.7 4711 443", client("192.0.2.1:4711", "198.51.100.7:443", false)),
        ("PROXY TCP4 255.255.255.255 0.0.0.0 65535 0", client("255.255.255.255:65535", "0.0.0.0:0", false)),
        ("PROXY TCP6 2001:db8::1 ::1 4711 443", client("[2001:db8::1]:4711", "[::1]:443", false)),
        (
            "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535",
            client(
                "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
                "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
                false,
            ),
        ),
        ("PROXY UNKNOWN", Origin::Proxy),
        ("PROXY UNKNOWN ffff::1 whatever 1 2 3", Origin::Proxy),
    ] {
        let bytes = format!("{line}\r\nGET / HTTP/1.1\r\n");
        assert_eq!(decode(bytes.as_bytes()), Ok(Some((origin, line.len() + 2))), "{line}");
    }
}

#[test]
fn version_1_spelled_wrongly() {
    for (line, error) in [
        ("PROXY TCP4 192.0.2.1 198.51.100.7 4711 443\n", Malformed::Bad("line end")),
        ("PROXY TCP4 192.0.2.1 198.51.100.7 4711\r\n", Malformed::Bad("port")),
        ("PROXY TCP4 192.0.2.1 198.51.100.7 4711 443 \r\n", Malformed::Bad("end")),
        ("PROXY TCP4  192.0.2.1 198.51.100.7 4711 443\r\n", Malformed::Bad("address")),
        ("PROXY TCP4 192.0.2.1 198.51.100.7 04711 443\r\n", Malformed::Bad("port")),
        ("PROXY TCP4 192.0.2.1 198.51.100.7 +4711 443\r\n", Malformed::Bad("port")),
        ("PROXY TCP4 192.0.2.1 198.51.100.7 4711 65536\r\n", Malformed::Bad("port")),
        ("PROXY TCP4 192.0.2.01 198.51.100.7 4711 443\r\n", Malformed::Bad("address")),
        ("PROXY TCP4 ::1 ::1 4711 443\r\n", Malformed::Bad("address")),
        ("PROXY TCP6 192.0.2.1 192.0.2.1 4711 443\r\n", Malformed::Bad("address")),
        ("PROXY UDP4 192.0.2.1 198.51.100.7 4711 443\r\n", Malformed::Bad("protocol")),
        ("PROXY \r\n", Malformed::Bad("protocol")),
        ("PROXY TCP4 \u{e9}\r\n", Malformed::Bad("address")),
        ("GET / HTTP/1.1\r\n", Malformed::Missing),
        ("proxy TCP4 ", Malformed::Missing),
        ("\r\n\r\nGET", Malformed::Missing),
    ] {
        assert_eq!(decode(line.as_bytes()), Err(error), "{line:?}");
    }
    let endless = format!("PROXY UNKNOWN {}", "x".repeat(200));
    assert_eq!(decode(endless.as_bytes()), Err(Malformed::TooLong));
    assert_eq!(decode(&endless.as_bytes()[..TEXT_BYTES_MAX - 1]), Ok(None));
}

#[test]
fn version_2() {
    let four = fields_of_4();
    let mut six = Vec::new();
    six.extend("2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
    six.extend(Ipv6Addr::LOCALHOST.octets());
    six.extend([0x12, 0x67, 0x01, 0xbb]);
    let over_tls = [four.as_slice(), &[0x01, 0, 2, b'h', b'2', SSL_TLV, 0, 5, 0x05, 0, 0, 0, 0]].concat();
    let not_over_tls = [four.as_slice(), &[SSL_TLV, 0, 5, 0x02, 0, 0, 0, 0]].concat();
    let broken_extra = [four.as_slice(), &[0x03, 0xff, 0xff, 1]].concat();
    let plain = client("192.0.2.1:4711", "198.51.100.7:443", false);
    for (bytes, origin) in [
        (binary(1, 0x11, &four), plain),
        (binary(1, 0x21, &six), client("[2001:db8::1]:4711", "[::1]:443", false)),
        (binary(1, 0x11, &over_tls), client("192.0.2.1:4711", "198.51.100.7:443", true)),
        (binary(1, 0x11, &not_over_tls), plain),
        (binary(1, 0x11, &broken_extra), plain),
        (binary(0, 0x00, &[]), Origin::Proxy),
        (binary(0, 0x11, &four), Origin::Proxy),
        (binary(0, 0xff, &[1, 2, 3]), Origin::Proxy),
        (binary(1, 0x00, &[9; 20]), Origin::Proxy),
        (binary(1, 0x31, &[0; 216]), Origin::Proxy),
        (binary(1, 0x11, &[four.as_slice(), &[0x04; 508]].concat()), plain),
    ] {
        let len = bytes.len();
        let with_more = [bytes.as_slice(), b"GET / HTTP/1.1\r\n"].concat();
        assert_eq!(decode(&with_more), Ok(Some((origin, len))), "{bytes:?}");
    }
}

#[test]
fn version_2_spelled_wrongly() {
    let four = fields_of_4();
    for (bytes, error) in [
        (binary(2, 0x11, &four), Malformed::Bad("command")),
        (binary(1, 0x11, &four[..11]), Malformed::Bad("length")),
        (binary(1, 0x21, &four), Malformed::Bad("length")),
        (binary(1, 0x12, &four), Malformed::Bad("family")),
        (binary(1, 0x41, &four), Malformed::Bad("family")),
        (binary(1, 0x11, &[0; 521]), Malformed::TooLong),
    ] {
        assert_eq!(decode(&bytes), Err(error), "{bytes:?}");
    }
    let mut first_version = binary(1, 0x11, &four);
    first_version[12] = 0x11;
    assert_eq!(decode(&first_version), Err(Malformed::Bad("version")));
}

fn headers() -> impl Strategy<Value = (Vec<u8>, Origin)> {
    let in_text =
        (any::<[u8; 4]>(), any::<[u8; 4]>(), any::<u16>(), any::<u16>()).prop_map(|(a, b, c, d)| {
            let (source, destination) = (SocketAddr::new(a.into(), c), SocketAddr::new(b.into(), d));
            let line = format!("PROXY TCP4 {} {} {c} {d}\r\n", source.ip(), destination.ip());
            (line.into_bytes(), Origin::Client { source, destination, tls: false })
        });
    let in_fields = (any::<[u8; 16]>(), any::<[u8; 16]>(), any::<u16>(), any::<u16>(), any::<bool>());
    let in_fields = in_fields.prop_map(|(a, b, c, d, tls)| {
        let mut fields = [a, b].concat();
        fields.extend(c.to_be_bytes());
        fields.extend(d.to_be_bytes());
        fields.extend([0x05, 0, 1, 7]);
        fields.extend([SSL_TLV, 0, 5, u8::from(tls), 0, 0, 0, 0]);
        let (source, destination) = (SocketAddr::new(a.into(), c), SocketAddr::new(b.into(), d));
        (binary(1, 0x21, &fields), Origin::Client { source, destination, tls })
    });
    prop_oneof![in_text, in_fields]
}

proptest! {
    #[test]
    fn a_header_is_read_once_it_is_whole_and_not_before((bytes, origin) in headers(), rest: Vec<u8>) {
        for end in 0..bytes.len() {
            prop_assert_eq!(decode(&bytes[..end]), Ok(None));
        }
        let with_more = [bytes.as_slice(), &rest].concat();
        prop_assert_eq!(decode(&with_more), Ok(Some((origin, bytes.len()))));
    }

    #[test]
    fn any_bytes_are_read_within_bounds(which in 0..3_usize, tail: Vec<u8>) {
        let begin: &[u8] = [b"".as_slice(), TEXT_BEGINS, BINARY_BEGINS][which];
        let bytes = [begin, &tail].concat();
        match decode(&bytes) {
            Ok(Some((_, len))) => prop_assert!(len <= bytes.len() && len <= HEADER_BYTES_MAX),
            // A peer that sends nothing more is waited for; one that sends on is decided about.
            Ok(None) => prop_assert!(bytes.len() < HEADER_BYTES_MAX),
            Err(_) => {}
        }
    }
}
