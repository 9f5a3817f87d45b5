//! The account of a run: the caller's identity, and reading the real resources.

use std::sync::Arc;

use crate::exit::{Failure, codes};
use crate::observe;
use crate::provider::Providers;
use crate::provider::aws::{CREDENTIALS, CallerIdentity, Clients, ConnectionDescription, UserPrompt};
use crate::provider::network::CONFIGURATION;
use crate::provider::retry::RetryPolicy;
use crate::report;
use crate::resource::{Address, Desired, Fault, Observed, SafeText, StackState, Untrusted, shown};
use crate::session::Session;

/// A connection to the account.
pub struct AccountConnection {
    /// The clients.
    pub clients: Arc<Clients>,
    /// Region for calls that name none.
    pub region: String,
    /// How long a service in trouble is tried.
    pub retry_policy: RetryPolicy,
}

/// Reads the configuration of the AWS CLI.
///
/// # Errors
/// When a setting cannot be used, or no region is configured.
pub async fn connect(session: &Session) -> Result<AccountConnection, Failure> {
    let clients = Clients::connect(&session.access, person(session)).await.map_err(without_service)?;
    clients.wait_for_certificates(session.certificate_wait);
    let region = clients.region().map(str::to_owned).unwrap_or_default();
    Ok(AccountConnection { clients: Arc::new(clients), region, retry_policy: session.retry_policy.clone() })
}

/// Who is told what a run waits for, and asked for an MFA code.
fn person(session: &Session) -> UserPrompt {
    let quiet = session.quiet;
    let tell = move |text: &Untrusted| {
        if !quiet {
            report::say(text);
        }
    };
    let interrupts = session.interrupts.clone();
    let ask = move |question: &Untrusted| report::ask_secret(&interrupts, question);
    let ask = session.can_ask.then(|| Box::new(ask) as Box<dyn Fn(&Untrusted) -> String + Send + Sync>);
    UserPrompt { tell: Box::new(tell), ask }
}

/// What is wrong on this machine is said without the service and operation that it has for programs.
pub fn without_service(fault: Fault) -> Failure {
    if fault.service == CONFIGURATION || fault.service == CREDENTIALS {
        codes::CONFIGURATION
            .error(fault.message.block(), fault.next_step.map_or_else(SafeText::default, SafeText::from))
    } else {
        fault.into()
    }
}

impl AccountConnection {
    /// How the account is reached, for `doctor`: profile, source of the credentials, region, endpoints, proxies, authorities.
    pub fn description(&self) -> Option<ConnectionDescription> {
        self.clients.description()
    }

    /// Who we are.
    ///
    /// # Errors
    /// Credentials missing, wrong or expired; endpoint unreachable.
    pub async fn identity(&self) -> Result<CallerIdentity, Failure> {
        self.caller().await.map_err(without_service)
    }

    /// Who we are, as the account says it.
    ///
    /// # Errors
    /// Credentials missing, wrong or expired; endpoint unreachable.
    pub async fn caller(&self) -> Result<CallerIdentity, Fault> {
        self.retry_policy.first_reading(async || self.clients.identity().await).await
    }

    /// Looks at the real resources and at who we are, at once.
    ///
    /// # Errors
    /// When we are nobody.
    pub async fn look(
        &self,
        desired: &Desired,
        recorded: &StackState,
        providers: &Providers,
        wanted: impl Fn(&Address) -> bool,
    ) -> Result<(CallerIdentity, Observed), Failure> {
        self.with_identity(desired, recorded, observe::read(desired, recorded, providers, wanted)).await
    }

    /// The same with everything that the services show, for drift.
    ///
    /// # Errors
    /// When we are nobody.
    pub async fn look_thoroughly(
        &self,
        desired: &Desired,
        recorded: &StackState,
        providers: &Providers,
    ) -> Result<(CallerIdentity, Observed), Failure> {
        self.with_identity(desired, recorded, observe::read_thoroughly(desired, recorded, providers)).await
    }

    async fn with_identity(
        &self,
        desired: &Desired,
        recorded: &StackState,
        reading: impl Future<Output = Observed>,
    ) -> Result<(CallerIdentity, Observed), Failure> {
        tokio::pin!(reading);
        let identity = self.identity();
        tokio::pin!(identity);
        // Nothing that is read counts before we know who we are; a refusal must not wait for the reads.
        let (identity, observed) = tokio::select! {
            identity = &mut identity => (identity?, None),
            observed = &mut reading => (identity.await?, Some(observed)),
        };
        let mut observed = match observed {
            Some(observed) => observed,
            None => reading.await,
        };
        observed.account.clone_from(&identity.account);
        need_account(desired, recorded, &identity)?;
        Ok((identity, observed))
    }
}

/// Refuses another account than that of the journal.
///
/// # Errors
/// When it is another one.
pub fn need_account(desired: &Desired, recorded: &StackState, identity: &CallerIdentity) -> Result<(), Failure> {
    let other = |known: &&String| !known.is_empty() && **known != identity.account;
    let Some(known) = recorded.account.as_ref().filter(other) else { return Ok(()) };
    Err(codes::OTHER_ACCOUNT.refused(
        shown!(
            "the journal of {} belongs to account {}, these credentials are of {}",
            desired.stack,
            known,
            identity.account
        ),
        "use the credentials of that account (AWS_PROFILE); another stack needs another name",
    ))
}
