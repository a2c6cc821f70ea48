//! Who may do what: credentials, permissions, origins and limits of each org.
//!
//! A dialect hands over what a client presented, and [`Access::authenticate`] makes a [`Caller`] of it. Devices,
//! consumer apps and users first get a session token for what they know, by [`Access::login`]; a client that connected
//! with a certificate is who that says, by [`Access::authenticate_certificate`]. The
//! node asks [`Caller::may`] before each command; listeners ask [`OriginPolicy`] and [`HostPolicy`] before
//! they let a browser in. For PubNub SDKs an org is a [`Keyset`], with request signatures and an access manager ([`pam`]). Nothing here knows a protocol, reads a clock or opens a socket: time is an input, and
//! the only IO is reading the key files that the configuration names, in [`Access::load`] and
//! [`Access::reload`]. Which channels are stored, and for how long, is not decided here.
#![forbid(unsafe_code)]

mod access;
mod caller;
mod certificate;
mod connection_id;
mod credentials;
mod digest;
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod jwt;
mod key_file;
mod keyset;
mod limits;
mod login;
mod name;
mod origin;
pub mod pam;
mod password;
mod permission;
mod presented;
mod revocations;
mod revoked_tokens;
mod session_token;
mod settings;

pub use access::{Access, Org, SettingsError, SettingsProblem};
pub use caller::{Caller, Naming, Refused, Why};
pub use certificate::info::{CertificateInfo, MalformedCertificate};
pub use certificate::refused::CertificateRefused;
pub use certificate::settings::{CertificateAuthorityProblem, CertificateAuthoritySettings, CertificateName};
pub use connection_id::ConnectionId;
pub use credentials::credential::{Credential, InvalidCredential};
pub use credentials::kind::{CredentialKind, InvalidCredentialKind};
pub use credentials::settings::CredentialProblem;
pub use credentials::{CredentialError, CredentialInfo, CredentialSource};
pub use host::{HostPolicy, HostRefused};
pub use jwt::claims::{Audience, NumericDate, TokenClaims};
pub use jwt::keys::KeyError;
pub use jwt::mint::{InspectError, MintError, Unverified, inspect, mint};
pub use key_file::KeyFileError;
pub use keyset::Keyset;
pub use keyset::settings::KeysetProblem;
pub use keyset::signature::{BadSignature, Signed, SignedRequest};
pub use limits::acts::{Act, OrgRates, RateLimited, Scope};
pub use limits::attempts::{AttemptSettings, FailedCredential, FailureScope, LoginAttempt, TooManyFailures};
pub use limits::characters::ChannelCharacters;
pub use limits::gcra::{AtomicGcra, Gcra, RetryAfter};
pub use limits::keyed::{IdentityLimits, KeyedLimits};
pub use limits::network::{InvalidIpv6Prefix, Ipv6Prefix, Network};
pub use limits::range::{AddressRange, InvalidRange};
pub use limits::rate::{InvalidRate, Rate};
pub use limits::{InvalidLimits, LimitSettings};
pub use login::{LoggedIn, Login, LoginError, Pairing};
pub use name::IDENTITY_BYTES_MAX;
pub use origin::{InvalidOrigin, OriginPolicy, OriginRefused, Transport};
pub use password::HashError;
pub use permission::{Grant, Permission, Permissions};
pub use presented::{AuthError, CREDENTIAL_BYTES_MAX};
pub use revoked_tokens::{Revoke, RevokeError, RevokedIdentity, RevokedToken, UnreadableRevocation};
pub use session_token::{Session, is_session_token};
pub use settings::credentials::{ConsumerAppSettings, DeviceSettings, UserSettings};
pub use settings::{JwtAlgorithm, JwtSettings, KeySettings, OrgSettings, Secret};
