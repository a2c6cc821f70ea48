//! What the settings come to: which orgs there are, who is answered, and the settings of each part.

use std::net::SocketAddr;
use std::sync::Arc;

use antiphon_access::{Access, HostPolicy, OrgSettings};
use antiphon_http::{HttpDialect, HttpParts};
use antiphon_hub::{HubSettings, Rule, Rules};
use antiphon_model::OrgId;
use antiphon_net::{Listen, NetSettings};
use antiphon_node::{NodeSettings, OrgParts};
use antiphon_pubnub::PubNub;

use crate::config::{ClientCertificates, Settings};
use crate::failure::Failure;
use crate::serve::acme;
use crate::serve::exp::{self, ExpNetwork};
use crate::serve::files::Files;
use crate::serve::front::FrontRules;
use crate::serve::gate::Gate;
use crate::serve::socketio::SocketIo;
use crate::serve::tls::Tls;

const DEMO: &str = "demo";

/// A server as it is about to be started.
pub(crate) struct Plan {
    pub(crate) access: Access,
    pub(crate) orgs: Vec<OrgParts>,
    pub(crate) hosts: HostPolicy,
    pub(crate) gate: Arc<Gate>,
    pub(crate) socketio: Option<SocketIo>,
    pub(crate) exp: Option<ExpNetwork>,
    pub(crate) pubnub: Option<PubNub>,
    /// Held for as long as the server runs.
    pub(crate) files: Arc<Files>,
    pub(crate) node: NodeSettings,
    pub(crate) net: NetSettings,
    /// The plain addresses, then those for TLS.
    pub(crate) listen: Vec<Listen>,
    pub(crate) tls: Option<Tls>,
    pub(crate) front: Arc<FrontRules>,
    /// What works, and is likely not what was meant.
    pub(crate) warnings: Vec<String>,
    /// Whether clients need no credentials for some org.
    pub(crate) open: bool,
}

impl Plan {
    /// Checks the settings against each other, and reads the key files that they name.
    ///
    /// # Errors
    /// The server cannot be run with them.
    pub(crate) fn new(settings: &Settings) -> Result<Plan, Failure> {
        settings.check()?;
        let addresses = settings.listen.iter().chain(&settings.tls.listen);
        let listen: Vec<_> = addresses.map(|address| address.0).collect();
        let local = listen.iter().all(|address| address.ip().is_loopback());
        let demo = settings.allow_demo || (settings.orgs.is_empty() && local);
        if settings.orgs.is_empty() && !demo {
            return Err(nobody_could_connect(&listen));
        }
        let rules = |own: &[_]| Rules::new(own.iter().chain(&settings.rules).map(Rule::from));
        let mut orgs = Vec::new();
        let mut access = Vec::new();
        for org in &settings.orgs {
            orgs.push(OrgParts { id: OrgId::new(&org.access.name), rules: rules(&org.rules) });
            access.push(org.access.clone());
        }
        if demo {
            orgs.push(OrgParts { id: OrgId::new(DEMO), rules: rules(&[]) });
            let limits = settings.demo.limits.clone();
            let key = Some(DEMO.to_owned());
            access.push(OrgSettings {
                name: DEMO.into(),
                open: true,
                publish_key: key.clone(),
                subscribe_key: key,
                limits,
                ..OrgSettings::default()
            });
        }
        let unserved = HttpParts { hosts: HostPolicy::Any, assets: Vec::new(), extra: Vec::new() };
        if let Err(error) = HttpDialect::new(settings.http.clone(), unserved) {
            return Err(Failure::new(format!("http: {error}")));
        }
        let mut warnings = warnings(settings, &access);
        let open = access.iter().any(|org| org.open);
        let guarded_by_address = open && local && !settings.allow_demo;
        let hosts = if guarded_by_address { HostPolicy::local(&listen) } else { HostPolicy::Any };
        let gate = Gate::new(&settings.http, &hosts)?;
        let files = Arc::new(Files::of(settings)?);
        let pubnub = pubnub(settings, &files, &hosts)?;
        let access = Access::load(access).map_err(|error| Failure::new(error.to_string()))?;
        let access = access.with_attempts(settings.limits.attempts());
        let tls = Tls::new(&settings.tls, &gate, &mut warnings)?;
        if let Some(acme) = &settings.tls.acme {
            acme::check(acme)?;
        }
        let plain = settings.listen.iter().map(|address| Listen::plain(address.0));
        let encrypted = tls.iter().flat_map(|tls| tls.listen(&settings.tls));
        Ok(Plan {
            access,
            orgs,
            socketio: SocketIo::new(
                &settings.socketio,
                &settings.http,
                &gate,
                exp::with_socketio(&settings.exp, &settings.socketio),
            )?,
            exp: ExpNetwork::new(&settings.exp, &settings.socketio, &gate, &hosts)?,
            pubnub,
            files,
            gate,
            hosts,
            node: node(settings),
            net: net(settings),
            listen: plain.chain(encrypted).collect(),
            front: Arc::new(FrontRules::new(&settings.tls)),
            tls,
            warnings,
            open,
        })
    }
}

fn nobody_could_connect(listen: &[SocketAddr]) -> Failure {
    let address = listen.iter().find(|address| !address.ip().is_loopback());
    let address = address.map(ToString::to_string).unwrap_or_default();
    Failure::new(format!(
        "{address} is reached from outside of this machine, and nobody could connect: there is no [[org]] with keys in the \
         configuration (docs/configuration.md shows one). To let everybody in without any, start with --allow-demo"
    ))
}

fn warnings(settings: &Settings, orgs: &[OrgSettings]) -> Vec<String> {
    let mut warnings = Vec::new();
    for org in orgs {
        let (payload, message) = (org.limits.payload_bytes_max, settings.limits.message_bytes_max);
        if payload > message {
            warnings.push(format!(
                "org {}: payload_bytes_max = {payload}, but over WebSocket limits.message_bytes_max = {message} counts first",
                org.name
            ));
        }
        if org.limits.payload_bytes_max > settings.limits.outbox_bytes_max {
            warnings.push(format!(
                "org {}: payload_bytes_max = {payload} is more than limits.outbox_bytes_max = {}: no listener would get \
                 such a message",
                org.name, settings.limits.outbox_bytes_max
            ));
        }
        let has_keyset = org.subscribe_key.is_some();
        if !org.open && !has_keyset && org.keys.is_empty() && org.jwt.is_empty() && !has_credentials(org) {
            warnings.push(format!(
                "org {}: nobody can connect to it yet: it has no key, no jwt, and no device, consumer_app or user; \
                 `antiphon credential add` adds one while no server uses the data directory",
                org.name
            ));
        }
    }
    warnings.extend(certificates_warning(settings, orgs));
    warnings
}

/// Certificates that nobody asks for, or that are nobody's.
fn certificates_warning(settings: &Settings, orgs: &[OrgSettings]) -> Option<String> {
    let asked = settings.tls.client_certificates;
    let mut known = orgs.iter().filter(|org| !org.certificate_authorities.is_empty());
    match known.next() {
        Some(org) if asked == ClientCertificates::None || settings.tls.listen.is_empty() => Some(format!(
            "org {}: it has a certificate_authority, but clients are not asked for certificates: set tls.listen and \
             tls.client_certificates",
            org.name
        )),
        None if asked != ClientCertificates::None => Some(
            "tls.client_certificates: no org has a certificate_authority, so that whoever shows a certificate is refused".into(),
        ),
        _ => None,
    }
}

fn pubnub(settings: &Settings, files: &Files, hosts: &HostPolicy) -> Result<Option<PubNub>, Failure> {
    let new = || PubNub::new(settings.pubnub.settings(Some(files.directory().to_owned())), hosts.clone());
    let pubnub = settings.pubnub.enabled.then(new).transpose();
    pubnub.map_err(|error| Failure::new(format!("pubnub.{error}")))
}

fn has_credentials(org: &OrgSettings) -> bool {
    let none = org.devices.is_empty() && org.consumer_apps.is_empty() && org.users.is_empty();
    !none || !org.certificate_authorities.is_empty()
}

fn node(settings: &Settings) -> NodeSettings {
    let (limits, timeouts) = (&settings.limits, &settings.timeouts);
    NodeSettings {
        hub: HubSettings {
            channels_max: limits.channels_max,
            ring_bytes_max: limits.ring_bytes_max,
            members_max: limits.members_max,
            presence_announce_max: limits.presence_announce_max,
            presence_interval: timeouts.presence_interval.0,
            presence_interval_bytes_max: limits.presence_interval_bytes_max,
            broadcasts_max: limits.broadcasts_max,
            replies_max: limits.replies_max,
            reply_bytes_max: limits.reply_bytes_max,
            channel_idle: timeouts.channel_idle.0,
            inbox_max: limits.inbox_max,
        },
        deliver_uncommitted_after: timeouts.deliver_uncommitted_after.0,
        presence_grace: timeouts.presence_grace.0,
        recovery_without_history: timeouts.recovery_without_history.0,
        recovery_max: limits.recovery_max,
        idempotency_keys_max: limits.idempotency_keys_max,
        idempotency_keep: timeouts.idempotency_keep.0,
        // Read off the machine when the server starts, unless it is set.
        memory_bytes_max: None,
    }
}

fn net(settings: &Settings) -> NetSettings {
    let (limits, timeouts) = (&settings.limits, &settings.timeouts);
    let mut net = NetSettings {
        outbox_bytes_max: limits.outbox_bytes_max,
        recovery_bytes_max: limits.recovery_bytes_max,
        slow_reader: limits.slow_reader.into(),
        message_bytes_max: limits.message_bytes_max,
        connections_max: limits.connections_max,
        handshake_timeout: timeouts.handshake.0,
        ping_interval: timeouts.ping_interval.0,
        ping_timeout: timeouts.ping_timeout.0,
        close_timeout: timeouts.close.0,
        head_bytes_max: limits.head_bytes_max,
        keep_alive_timeout: timeouts.keep_alive.0,
        write_timeout: timeouts.write.0,
        http2_streams_max: limits.http2_streams_max,
        addresses: limits.addresses(),
        proxies: (&settings.proxy).into(),
        ..NetSettings::default()
    };
    net.deflate.enabled = settings.websocket.compression;
    net.deflate.threshold_bytes = settings.websocket.compression_threshold_bytes;
    net
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORG: &str = "[[org]]\nname = \"acme\"\n[[org.key]]\nkey = \"12345678\"\nallow = [\"admin\"]\n";

    fn plan(text: &str) -> Result<Plan, String> {
        let settings: Settings = toml::from_str(text).unwrap();
        Plan::new(&settings).map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_demo_is_there_only_where_nobody_else_comes_or_on_demand() {
        let outside = "listen = [\"127.0.0.1:1\", \"0.0.0.0:1\"]\n";
        let any = HostPolicy::Any;
        let local = || HostPolicy::Local(vec![[127, 0, 0, 1].into()]);
        for (text, expected) in [
            (String::new(), Some((vec!["demo"], local()))),
            (
                "listen = [\"[::1]:1\"]".into(),
                Some((vec!["demo"], HostPolicy::local(&["[::1]:1".parse().unwrap()]))),
            ),
            (outside.into(), None),
            (format!("{outside}allow_demo = true"), Some((vec!["demo"], any.clone()))),
            (ORG.into(), Some((vec!["acme"], any.clone()))),
            (format!("{outside}{ORG}"), Some((vec!["acme"], any.clone()))),
            (format!("allow_demo = true\n{ORG}"), Some((vec!["acme", "demo"], any.clone()))),
            ("[[org]]\nname = \"a\"\nopen = true".into(), Some((vec!["a"], local()))),
        ] {
            let found = plan(&text).ok().map(|plan| {
                let names: Vec<_> = plan.orgs.iter().map(|org| org.id.to_string()).collect();
                (names, plan.hosts)
            });
            let expected = expected
                .map(|(names, hosts)| (names.iter().map(ToString::to_string).collect::<Vec<_>>(), hosts));
            assert_eq!(found, expected, "{text}");
        }
        let refused = plan(outside).err().unwrap();
        assert!(refused.starts_with("0.0.0.0:1 ") && refused.contains("--allow-demo"), "{refused}");
    }

    #[test]
    fn an_org_s_own_rules_come_first() {
        let text = format!(
            "{ORG}[[org.rule]]\nchannels = \"a*\"\nhistory_size = 1\n[[rule]]\nchannels = \"*\"\nhistory_size = 2"
        );
        let plan = plan(&text).unwrap();
        let size = |name| {
            let channel = antiphon_model::ChannelId::new(name, antiphon_model::ChannelFlags::NONE).unwrap();
            plan.orgs[0].rules.of(&channel).history_size
        };
        assert_eq!((size("ab"), size("b")), (1, 2));
    }

    #[test]
    fn the_parts_get_what_was_set_and_else_their_defaults() {
        let default = plan("").unwrap();
        // Some of the binary's clients publish by the path.
        let net = NetSettings { head_bytes_max: 80 << 10, ..NetSettings::default() };
        assert_eq!(format!("{:?}", default.net), format!("{net:?}"));
        assert_eq!(format!("{:?}", default.node), format!("{:?}", NodeSettings::default()));
        let set = plan("[limits]\nslow_reader = \"drop\"\nmembers_max = 5\n[websocket]\ncompression = true")
            .unwrap();
        assert!(set.net.deflate.enabled);
        assert_eq!(set.node.hub.members_max, 5);
        assert_eq!(set.net.slow_reader, antiphon_net::SlowReader::Drop);
    }

    #[test]
    fn tls_needs_a_certificate_and_goes_without_plain_addresses() {
        for (text, expected) in [
            ("[tls]\nlisten = [\"127.0.0.1:0\"]", "tls.listen needs tls.certificate_file and tls.key_file"),
            ("[tls]\ncertificate_file = \"a\"", "tls.certificate_file needs tls.key_file beside it"),
            ("[tls]\nlisten = [\"127.0.0.1:0\"]\ncertificate_file = \"a\"\nkey_file = \"b\"", "tls: a: "),
            ("[tls]\nlisten = [\"0.0.0.0:0\"]", "0.0.0.0:0 is reached from outside"),
            ("listen = []", "listen: give at least one address"),
        ] {
            let refused = plan(text).err().unwrap();
            assert!(refused.starts_with(expected), "{text}: {refused}");
        }
        let acme = "terms_of_service_agreed = true\ndomains = [\"a.example\"]\nca_file = \"/nowhere.pem\"";
        let refused = plan(&format!("[tls]\nlisten = [\"127.0.0.1:0\"]\n[tls.acme]\n{acme}")).err().unwrap();
        assert!(refused.starts_with("tls.acme: ca_file: /nowhere.pem: "), "{refused}");
        let directory = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let [certificate, key] = ["certificate", "key"].map(|name| directory.path().join(name));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let text = format!(
            "listen = []\n[tls]\nlisten = [\"127.0.0.1:0\"]\ncertificate_file = {certificate:?}\nkey_file = {key:?}"
        );
        let plan = plan(&text).unwrap();
        assert!(matches!(&plan.listen[..], [Listen { tls: Some(_), .. }]) && plan.tls.is_some());
    }

    #[test]
    fn what_is_likely_not_meant_is_warned_of() {
        assert!(plan("").unwrap().warnings.is_empty());
        let warned = |text: &str| plan(text).unwrap().warnings.len();
        assert_eq!(warned("[demo.limits]\npayload_bytes_max = 9000000"), 2);
        assert_eq!(warned("[[org]]\nname = \"a\""), 1);
        assert_eq!(warned("[tls]\nclient_certificates = \"optional\""), 1);
        let directory = tempfile::tempdir().unwrap();
        let ca_file = directory.path().join("ca.pem");
        let authority = rcgen::generate_simple_self_signed(["ca.example".to_owned()]).unwrap();
        std::fs::write(&ca_file, authority.cert.pem()).unwrap();
        let org = format!("[[org]]\nname = \"a\"\n[[org.certificate_authority]]\nca_file = {ca_file:?}");
        assert_eq!(warned(&org), 1, "nobody is asked for a certificate, but could have one");
    }

    #[test]
    fn orgs_that_access_refuses_are_named() {
        let refused = plan("[[org]]\nname = \"a b\"").err().unwrap();
        assert!(refused.contains("org \"a b\""), "{refused}");
    }
}
