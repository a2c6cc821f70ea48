use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::{Settings, StoreKind};

/// What the server says when it is ready: first where it listens, then what to try.
pub(super) fn banner(addresses: &[SocketAddr], settings: &Settings, open: bool) -> String {
    let mut text = String::new();
    // The plain ones come first.
    let scheme = |at: usize| if at < settings.listen.len() { "http" } else { "https" };
    for (at, address) in addresses.iter().enumerate() {
        let _ = writeln!(text, "listening on {}://{address}", scheme(at));
    }
    if let Some(address) = addresses.first() {
        let _ = examples(&mut text, &format!("{}://{}", scheme(0), reachable(*address)), open);
    }
    let _ = match settings.store.kind {
        StoreKind::Sqlite => writeln!(text, "  data     {}", settings.data_dir.display()),
        StoreKind::Memory => writeln!(text, "  data     in memory: lost when the server stops"),
    };
    text
}

fn examples(text: &mut String, url: &str, open: bool) -> std::fmt::Result {
    let credential = if open { "" } else { "-H \"Authorization: Bearer $ANTIPHON_TOKEN\" " };
    writeln!(text)?;
    if open {
        writeln!(text, "  chat     {url}/")?;
    }
    writeln!(text, "  listen   curl -N {credential}-H 'Accept: text/event-stream' {url}/v1/channels/lobby")?;
    writeln!(
        text,
        "  publish  curl {credential}-H 'Content-Type: application/json' -d '{{\"text\":\"hello\"}}' {url}/v1/channels/lobby"
    )
}

/// An address that a program on this machine can connect to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_comes_first_and_the_examples_can_be_run() {
        let addresses = ["0.0.0.0:8080".parse().unwrap(), "[::1]:81".parse().unwrap()];
        let mut settings = Settings::default();
        settings.listen = vec![settings.listen[0]; 2];
        let banner_of = |open| banner(&addresses, &settings, open);
        let text = banner_of(true);
        assert!(
            text.starts_with("listening on http://0.0.0.0:8080\nlistening on http://[::1]:81\n\n"),
            "{text}"
        );
        assert!(text.contains("  chat     http://127.0.0.1:8080/\n"), "{text}");
        assert!(
            text.contains(" -d '{\"text\":\"hello\"}' http://127.0.0.1:8080/v1/channels/lobby\n"),
            "{text}"
        );
        assert!(text.ends_with("  data     antiphon-data\n"), "{text}");
        let closed = banner_of(false);
        assert!(closed.contains("Bearer $ANTIPHON_TOKEN") && !closed.contains("chat "), "{closed}");
    }
}
