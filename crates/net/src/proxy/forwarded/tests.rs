use super::*;
use http::HeaderValue;
use proptest::prelude::*;

fn proxies(forwarded: ForwardedHeader) -> Proxies {
    let trusted = ["10.0.0.0/8", "2001:db8:ffff::/48"].map(|range| range.parse().unwrap()).to_vec();
    Proxies { trusted, forwarded, ..Proxies::default() }
}

fn headers(name: &HeaderName, lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(name, HeaderValue::from_bytes(line.as_bytes()).unwrap());
    }
    headers
}

const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

fn client(address: Option<&str>, tls: Option<bool>) -> Option<Forwarded> {
    Some(Forwarded { address: address.map(|text| text.parse().unwrap()), tls })
}

#[test]
fn the_last_address_that_is_not_a_proxy_s_is_the_client_s() {
    for (lines, expected) in [
        (vec!["203.0.113.9"], client(Some("203.0.113.9:0"), None)),
        (vec!["198.51.100.1, 203.0.113.9, 10.0.0.2"], client(Some("203.0.113.9:0"), None)),
        (vec!["198.51.100.1", "203.0.113.9 ,\t10.0.0.2", "10.0.0.3"], client(Some("203.0.113.9:0"), None)),
        (vec!["203.0.113.9:4711"], client(Some("203.0.113.9:4711"), None)),
        (vec!["2001:db8::9"], client(Some("[2001:db8::9]:0"), None)),
        (vec!["[2001:db8::9]:4711, 2001:db8:ffff::1"], client(Some("[2001:db8::9]:4711"), None)),
        // Within the network of the proxies: the one that is furthest away.
        (vec!["10.0.0.9, 10.0.0.2"], client(Some("10.0.0.9:0"), None)),
        // What cannot be read hides what is before it.
        (vec!["203.0.113.9, unknown, 10.0.0.2"], client(Some("10.0.0.2:0"), None)),
        (vec!["203.0.113.9, "], None),
        (vec!["nobody"], None),
        (vec!["\u{e9}"], None),
        (vec![], None),
    ] {
        let told = proxies(ForwardedHeader::XForwardedFor).client(&headers(&FOR, &lines), PROXY);
        assert_eq!(told, expected, "{lines:?}");
    }
}

#[test]
fn only_proxies_are_believed() {
    let headers = headers(&FOR, &["203.0.113.9"]);
    let proxies = proxies(ForwardedHeader::XForwardedFor);
    assert_eq!(proxies.client(&headers, [11, 0, 0, 1].into()), None);
    assert!(proxies.client(&headers, "::ffff:10.0.0.1".parse().unwrap()).is_some());
    assert_eq!(self::proxies(ForwardedHeader::Off).client(&headers, PROXY), None);
    assert_eq!(self::proxies(ForwardedHeader::Forwarded).client(&headers, PROXY), None);
    assert_eq!(Proxies::default().client(&headers, PROXY), None);
}

#[test]
fn the_scheme_is_what_the_last_proxy_says() {
    for (proto, tls) in [
        ("https", Some(true)),
        ("HTTP", Some(false)),
        ("http, wss", Some(true)),
        ("https, x", None),
        ("", None),
    ] {
        let mut headers = headers(&FOR, &["203.0.113.9"]);
        headers.insert(&PROTO, HeaderValue::from_str(proto).unwrap());
        let told = proxies(ForwardedHeader::XForwardedFor).client(&headers, PROXY);
        assert_eq!(told, client(Some("203.0.113.9:0"), tls), "{proto}");
    }
    let alone = headers(&PROTO, &["https"]);
    let told = proxies(ForwardedHeader::XForwardedFor).client(&alone, PROXY);
    assert_eq!(told, client(None, Some(true)));
}

#[test]
fn the_standard_s_header() {
    for (lines, expected) in [
        (vec!["for=203.0.113.9;proto=https;by=10.0.0.1"], client(Some("203.0.113.9:0"), Some(true))),
        (vec!["For=\"[2001:db8::9]:4711\""], client(Some("[2001:db8::9]:4711"), None)),
        (
            vec!["for=198.51.100.1, for=203.0.113.9;proto=http", "for=10.0.0.2;proto=https"],
            client(Some("203.0.113.9:0"), Some(false)),
        ),
        // A quote that a client left open.
        (vec!["for=\"1.2.3.4, for=203.0.113.9; proto=https"], client(Some("203.0.113.9:0"), Some(true))),
        (vec!["for=\"a,b;c\", for=\"203.0.113.9:4711\""], client(Some("203.0.113.9:4711"), None)),
        (vec!["for=203.0.113.9, for=_hidden"], None),
        (vec!["for=unknown"], None),
        (vec!["proto=https"], None),
        (vec!["203.0.113.9"], None),
    ] {
        let told = proxies(ForwardedHeader::Forwarded).client(&headers(&FORWARDED, &lines), PROXY);
        assert_eq!(told, expected, "{lines:?}");
    }
}

proptest! {
    #[test]
    fn whatever_a_client_sends_what_its_proxy_adds_counts(sent in "[ -~]{0,80}", address: [u8; 4]) {
        let address = IpAddr::from(address);
        let proxies = proxies(ForwardedHeader::XForwardedFor);
        prop_assume!(!proxies.trust(address));
        let told = proxies.client(&headers(&FOR, &[&format!("{sent}, {address}")]), PROXY);
        prop_assert_eq!(told.and_then(|told| told.address), Some(SocketAddr::new(address, 0)));
        let proxies = self::proxies(ForwardedHeader::Forwarded);
        let told = proxies.client(&headers(&FORWARDED, &[&format!("{sent}, for={address}")]), PROXY);
        prop_assert_eq!(told.and_then(|told| told.address), Some(SocketAddr::new(address, 0)));
    }
}
