use antiphon_access::AddressRange;
use antiphon_net::{ForwardedHeader as NetForwardedHeader, Proxies, ProxyProtocol as NetProxyProtocol};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Proxies and load balancers in front of the server: `[proxy]`. `docs/proxies.md` shows how to set up common ones.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ProxySettings {
    /// The addresses that proxies connect from, each alone or as a range like `10.0.0.0/8`. Default: none. What they say of where a client
    /// comes from is believed, and limits by address count that client. They themselves have no limits by address. Dangerous if it
    /// holds addresses that others can connect from: they can pass for anyone.
    pub(crate) trusted: Vec<AddressRange>,
    /// Whether connections of trusted proxies begin with a header of the PROXY protocol, version 1 or 2. Default: `off`. With `required` one that does
    /// not is closed. Nobody else may send one.
    pub(crate) protocol: ProxyProtocol,
    /// Which header of trusted proxies' requests names the client. Default: `x-forwarded-for`, and `x-forwarded-proto` with it, which says whether the
    /// client came by TLS; `forwarded` is the header of RFC 7239; with `off` none does. The proxy has to add to what it was sent, or replace it:
    /// one that passes it on as it is lets clients choose their address.
    pub(crate) forwarded_for: ForwardedHeader,
}

/// Whether proxies speak the PROXY protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProxyProtocol {
    /// They do not.
    #[default]
    Off,
    /// They all do.
    Required,
}

/// A header that names the client of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ForwardedHeader {
    /// None.
    Off,
    /// The one that most proxies send.
    #[default]
    XForwardedFor,
    /// The standard's.
    Forwarded,
}

impl From<&ProxySettings> for Proxies {
    fn from(settings: &ProxySettings) -> Proxies {
        Proxies {
            trusted: settings.trusted.clone(),
            protocol: match settings.protocol {
                ProxyProtocol::Off => NetProxyProtocol::Off,
                ProxyProtocol::Required => NetProxyProtocol::Required,
            },
            forwarded: match settings.forwarded_for {
                ForwardedHeader::Off => NetForwardedHeader::Off,
                ForwardedHeader::XForwardedFor => NetForwardedHeader::XForwardedFor,
                ForwardedHeader::Forwarded => NetForwardedHeader::Forwarded,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_read() {
        let text =
            "trusted = [\"10.0.0.0/8\", \"::1\"]\nprotocol = \"required\"\nforwarded_for = \"forwarded\"";
        let settings: ProxySettings = toml::from_str(text).unwrap();
        let proxies = Proxies::from(&settings);
        assert_eq!(proxies.trusted.len(), 2);
        assert_eq!(proxies.protocol, NetProxyProtocol::Required);
        assert_eq!(proxies.forwarded, NetForwardedHeader::Forwarded);
        for wrong in ["trusted = [\"10.1.0.0/8\"]", "trusted = [\"proxy.example\"]", "protocol = \"v1\""] {
            assert!(toml::from_str::<ProxySettings>(wrong).is_err(), "{wrong}");
        }
        let default = Proxies::from(&ProxySettings::default());
        assert_eq!(format!("{default:?}"), format!("{:?}", Proxies::default()));
    }
}
