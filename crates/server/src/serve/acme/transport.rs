//! HTTP to an ACME server.

use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use antiphon_net::tls::provider;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use parking_lot::Mutex;
use ureq::Agent;
use ureq::tls::TlsConfig;

use crate::config::AcmeSection;
use crate::trust;

const TIMEOUT: Duration = Duration::from_secs(60);
/// Far more than a chain of certificates has.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// HTTP to an ACME server. It blocks: the thread has nothing else to do.
#[derive(Clone)]
pub(super) struct Transport {
    agent: Agent,
    asked_to_wait: Arc<Mutex<Option<Duration>>>,
}

impl Transport {
    /// # Errors
    /// The file of the authority's certificates cannot be used; says why.
    pub(super) fn new(section: &AcmeSection) -> Result<Transport, String> {
        let mut tls = TlsConfig::builder().unversioned_rustls_crypto_provider(provider());
        if let Some(ca_file) = &section.ca_file {
            tls = tls.root_certs(trust::roots(ca_file).map_err(|error| format!("ca_file: {error}"))?);
        }
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(true)
            .timeout_global(Some(TIMEOUT))
            .tls_config(tls.build())
            .user_agent(concat!("antiphon/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        Ok(Transport { agent, asked_to_wait: Arc::default() })
    }

    /// How long the authority has asked to wait with the last answer that refused; asked once.
    pub(super) fn asked_to_wait(&self) -> Option<Duration> {
        self.asked_to_wait.lock().take()
    }

    fn send(&self, request: Request<Bytes>) -> Result<BytesResponse, Error> {
        let other = |error: String| Error::Other(error.into());
        let (mut parts, body) = request.into_parts();
        // The library names itself there.
        parts.headers.remove(http::header::USER_AGENT);
        let uri = parts.uri.clone();
        let unreachable = |error: ureq::Error| other(format!("{uri}: {error}"));
        let sent = match parts.headers.contains_key(CONTENT_TYPE) {
            true => self.agent.run(Request::from_parts(parts, body.to_vec())),
            false => self.agent.run(Request::from_parts(parts, ())),
        };
        let (parts, body) = sent.map_err(unreachable)?.into_parts();
        if parts.status.is_client_error() || parts.status.is_server_error() {
            let seconds = parts.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            *self.asked_to_wait.lock() = seconds.map(Duration::from_secs);
        }
        let mut bytes = Vec::new();
        let mut reader = body.into_with_config().limit(ANSWER_BYTES_MAX).reader();
        reader.read_to_end(&mut bytes).map_err(|error| other(format!("{uri}: {error}")))?;
        Ok(BytesResponse::from(Response::from_parts(parts, Full::new(Bytes::from(bytes)))))
    }
}

impl HttpClient for Transport {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let transport = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let Ok(body) = body.collect().await;
            transport.send(Request::from_parts(parts, body.to_bytes()))
        })
    }
}
