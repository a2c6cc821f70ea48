//! TLS below everything else: what a listener's settings are, and a connection's session.

pub(crate) mod session;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use rustls::{ServerConfig, SupportedProtocolVersion};

/// Says that the client speaks HTTP/2.
pub const ALPN_HTTP2: &[u8] = b"h2";
/// Says that the client speaks HTTP/1.1, as it does if it says nothing.
pub const ALPN_HTTP1: &[u8] = b"http/1.1";
/// Says that the client is an ACME server that looks for an answer to its challenge in our certificate (RFC 8737). Nothing is spoken
/// after such a handshake.
pub const ALPN_ACME: &[u8] = b"acme-tls/1";

/// The oldest version that a client may speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Oldest {
    /// TLS 1.2.
    #[default]
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// The cryptography that connections use.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The settings of a listener: `resolver` knows the certificates, and `verifier` the clients'.
///
/// HTTP/2 and HTTP/1.1 are offered. Sessions are resumed by tickets, so that a crowd that comes back costs no signatures and nothing is
/// kept for those who are gone. There is no early data: somebody could play it twice.
///
/// # Errors
/// There is no randomness for the keys of the tickets.
pub fn server_config(
    resolver: Arc<dyn ResolvesServerCert>,
    verifier: Arc<dyn ClientCertVerifier>,
    oldest: Oldest,
) -> Result<ServerConfig, rustls::Error> {
    let versions: &[&SupportedProtocolVersion] = match oldest {
        Oldest::Tls12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        Oldest::Tls13 => &[&rustls::version::TLS13],
    };
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions)?;
    let mut config = builder.with_client_cert_verifier(verifier).with_cert_resolver(resolver);
    config.alpn_protocols = [ALPN_HTTP2, ALPN_HTTP1, ALPN_ACME].map(<[u8]>::to_vec).into();
    config.ticketer = ring::Ticketer::new()?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}
