use std::sync::Arc;

use antiphon_access::{HostPolicy, OriginPolicy};
use antiphon_net::Worker;

use crate::http::Passwords;
use crate::resume::Resume;
use crate::{ExpHttp, ExpSettings, InvalidExpSettings};

/// The EXP network of a server: what all its workers share.
#[derive(Clone)]
pub struct Exp(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) settings: ExpSettings,
    pub(crate) origins: OriginPolicy,
    pub(crate) hosts: HostPolicy,
    pub(crate) passwords: Passwords,
    pub(crate) resume: Resume,
}

impl Exp {
    /// Puts it together: `origins` are the web pages that may come besides those that each org allows, `hosts` the names that
    /// the server answers to.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub fn new(
        settings: ExpSettings,
        origins: OriginPolicy,
        hosts: HostPolicy,
    ) -> Result<Exp, InvalidExpSettings> {
        settings.check()?;
        let (passwords, resume) = (Passwords::new(&settings), Resume::new(&settings));
        Ok(Exp(Arc::new(Shared { settings, origins, hosts, passwords, resume })))
    }

    /// What answers requests on a worker: to be mounted at `/api`.
    pub fn http(&self, _worker: &Worker) -> ExpHttp {
        ExpHttp::new(Arc::clone(&self.0))
    }
}
