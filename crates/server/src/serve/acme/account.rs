use std::fs;

use antiphon_access::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use instant_acme::{Account as Opened, AccountCredentials, Error, ExternalAccountKey, NewAccount};

use super::cache::Cache;
use super::order::Failed;
use super::transport::Transport;
use crate::config::AcmeSection;

/// Who we are to an ACME server.
pub(super) struct Account {
    external: Option<(String, Vec<u8>)>,
}

impl Account {
    /// # Errors
    /// The key of an external account cannot be used; says why.
    pub(super) fn new(section: &AcmeSection) -> Result<Account, String> {
        let Some(name) = &section.external_account else { return Ok(Account { external: None }) };
        let key = match (&section.external_account_key, &section.external_account_key_file) {
            (Some(key), _) => key.clone(),
            (None, Some(file)) => {
                let text = fs::read_to_string(file);
                let text =
                    text.map_err(|error| format!("external_account_key_file: {}: {error}", file.display()))?;
                Secret::new(text.trim())
            }
            (None, None) => return Err("external_account has no key".into()),
        };
        let key = URL_SAFE_NO_PAD.decode(key.expose().trim_end_matches('='));
        let key = key.map_err(|_| "the key of external_account is not base64url")?;
        Ok(Account { external: Some((name.clone(), key)) })
    }

    /// The account that was kept, or else a new one, which is kept.
    pub(super) async fn open(
        &self,
        section: &AcmeSection,
        cache: &Cache,
        transport: &Transport,
    ) -> Result<Opened, Failed> {
        let builder = || Opened::builder_with_http(Box::new(transport.clone()));
        if let Some(kept) = cache.account::<AccountCredentials>() {
            return Ok(builder().from_credentials(kept).await?);
        }
        let contact: Vec<&str> = section.contact.iter().map(String::as_str).collect();
        let new = NewAccount {
            contact: &contact,
            terms_of_service_agreed: section.terms_of_service_agreed,
            only_return_existing: false,
        };
        let external = self.external.as_ref().map(|(name, key)| ExternalAccountKey::new(name.clone(), key));
        let created = builder().create(&new, section.directory_url.clone(), external.as_ref()).await;
        let (account, credentials) = created.map_err(|error: Error| Failed::in_account(&error))?;
        cache
            .keep_account(&credentials)
            .map_err(|error| Failed::new(format!("the account cannot be kept: {error}")))?;
        Ok(account)
    }
}
