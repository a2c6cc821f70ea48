//! A certificate from an ACME server (RFC 8555): got when there is none, renewed before it ends, shown at once.
//!
//! All of it is done on a thread of its own, where waiting disturbs nobody. What is kept is in `cache`, when something is
//! done says `schedule`, and what is said to the authority is in `order`.

mod account;
mod cache;
mod issued;
mod order;
mod schedule;
mod transport;

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use antiphon_model::Timestamp;
use antiphon_store::system_clock;

use self::account::Account;
use self::cache::Cache;
use self::issued::Issued;
use self::order::{Failed, Showing};
use self::schedule::Schedule;
use self::transport::Transport;
use crate::config::{AcmeChallenge, AcmeSection, Settings};
use crate::failure::Failure;
use crate::serve::front::Challenges;
use crate::serve::tls::Certificates;

/// How long it sleeps at most before it looks at the clock again, which may have been set.
const NAP_MAX: Duration = Duration::from_secs(60);

/// What gets and renews the certificate.
pub(crate) struct Acme {
    section: AcmeSection,
    cache: Cache,
    transport: Transport,
    account: Account,
    certificates: Arc<Certificates>,
    challenges: Arc<Challenges>,
}

/// Reads the files that the section names, as a server that starts does.
///
/// # Errors
/// One cannot be used.
pub(crate) fn check(section: &AcmeSection) -> Result<(), Failure> {
    Transport::new(section).and_then(|_| Account::new(section)).map_err(failure)?;
    Ok(())
}

fn failure(error: String) -> Failure {
    Failure::new(format!("tls.acme: {error}"))
}

impl Acme {
    /// Checks that it can be done, and shows the certificate that was kept. None if it is not wanted.
    ///
    /// # Errors
    /// A file of the settings, or the directory, cannot be used.
    pub(crate) fn new(
        settings: &Settings,
        certificates: &Arc<Certificates>,
        challenges: &Arc<Challenges>,
    ) -> Result<Option<Acme>, Failure> {
        let Some(section) = settings.tls.acme.clone() else { return Ok(None) };
        let acme = Acme {
            cache: Cache::open(&settings.data_dir, &section).map_err(failure)?,
            transport: Transport::new(&section).map_err(failure)?,
            account: Account::new(&section).map_err(failure)?,
            certificates: Arc::clone(certificates),
            challenges: Arc::clone(challenges),
            section,
        };
        Ok(Some(acme))
    }

    /// Does its work for as long as the process runs.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(crate) fn start(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let run = move || runtime.block_on(self.run());
        thread::Builder::new().name("acme".into()).spawn(run)?;
        Ok(())
    }

    async fn run(self) {
        let clock = system_clock();
        let renew_before = self.section.renew_before.map(|before| before.0);
        let mut schedule = Schedule::new(self.section.retry_after.0, renew_before);
        match self.cache.certificate() {
            Ok(Some(kept)) if kept.is_for(&self.section.domains) => {
                schedule.issued(&kept.info);
                self.show(&kept);
            }
            Ok(_) => {}
            Err(error) => tracing::warn!("tls.acme: {error}; another certificate is asked for"),
        }
        schedule.failed_before(self.cache.failures());
        loop {
            let now = clock();
            match schedule.due(now) {
                Some(wait) => tokio::time::sleep(wait.min(NAP_MAX)).await,
                None => self.attempt(&mut schedule, now).await,
            }
        }
    }

    async fn attempt(&self, schedule: &mut Schedule, now: Timestamp) {
        match self.issue().await {
            Ok(issued) if schedule.is_worth_it(&issued.info, now) => {
                schedule.issued(&issued.info);
                self.cache.forget_failures();
                self.show(&issued);
            }
            Ok(_) => self.give_up_for_now(schedule, now, &Failed::useless()),
            Err(failed) => self.give_up_for_now(schedule, now, &failed),
        }
    }

    async fn issue(&self) -> Result<Issued, Failed> {
        let account = self.account.open(&self.section, &self.cache, &self.transport).await?;
        let showing = Showing { certificates: &self.certificates, challenges: &self.challenges };
        let issued = order::issue(&account, &self.section, showing).await.inspect_err(|failed| {
            if failed.is_about_account() {
                self.cache.forget_account();
            }
        })?;
        // Without a copy on the disk the next start asks for another one.
        if let Err(error) = self.cache.keep_certificate(&issued) {
            tracing::error!("tls.acme: the certificate cannot be kept: {error}");
        }
        Ok(issued)
    }

    fn show(&self, issued: &Issued) {
        self.certificates.set_managed(&self.section.domains, Arc::clone(&issued.key));
        let domains = self.section.domains.join(", ");
        let days = issued.info.not_after.as_secs().saturating_sub(system_clock()().as_secs()) / 86_400;
        tracing::info!(domains, days, "tls.acme: this certificate is shown from here on");
    }

    fn give_up_for_now(&self, schedule: &mut Schedule, now: Timestamp, failed: &Failed) {
        let wait = schedule.failed(now, self.transport.asked_to_wait());
        let noted = self.cache.note_failures(schedule.failures());
        let advice = match self.section.challenge {
            _ if !failed.is_about_domains() => "",
            AcmeChallenge::TlsAlpn01 => ". Port 443 of each domain has to lead to tls.listen, from outside",
            AcmeChallenge::Http01 => ". Port 80 of each domain has to lead to listen, from outside",
        };
        let domains = self.section.domains.join(", ");
        tracing::error!(
            "tls.acme: no certificate for {domains}: {failed}{advice}. It is tried again in {} s, also after a restart; to try at \
             once, remove {} and restart",
            wait.as_secs(),
            self.cache.failures_file().display()
        );
        if let Err(error) = noted {
            tracing::error!("tls.acme: it cannot be noted that this failed: {error}");
        }
    }
}
