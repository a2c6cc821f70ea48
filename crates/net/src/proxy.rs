//! Clients that come by a proxy: whom to believe, and what it says of them.
//!
//! A proxy says it before the first byte of the connection ([`header`], the PROXY protocol) or in each request ([`forwarded`]).
//! Only the addresses in [`Proxies::trusted`] are believed: anyone else who says where it comes from is taken for who it is.

pub(crate) mod forwarded;
pub(crate) mod header;

use std::net::IpAddr;

use antiphon_access::AddressRange;

/// The proxies in front of the server.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// Their addresses.
    pub trusted: Vec<AddressRange>,
    /// Whether their connections begin with a header of the PROXY protocol.
    pub protocol: ProxyProtocol,
    /// Which header of their requests says who the client is.
    pub forwarded: ForwardedHeader,
}

/// Whether connections of trusted proxies begin with a header of the PROXY protocol, version 1 or 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// They do not.
    #[default]
    Off,
    /// Each does; one that does not is closed.
    Required,
}

/// Which header of a request tells its client's address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// None.
    Off,
    /// `X-Forwarded-For`, and `X-Forwarded-Proto` with it.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl Proxies {
    /// Whether what comes from there is believed about others.
    pub(crate) fn trust(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|range| range.contains(address))
    }

    /// Whether a connection from there begins with a header of the PROXY protocol.
    pub(crate) fn speaks_first(&self, address: IpAddr) -> bool {
        self.protocol == ProxyProtocol::Required && self.trust(address)
    }
}
