//! The account that a run talks to: who we are in it, and one look at the world.

use std::sync::Arc;
use std::time::Duration;

use crate::exit::Failure;
use crate::observe;
use crate::provider::Providers;
use crate::provider::aws::{Clients, ConnectionDescription, Identity};
use crate::provider::network::CONFIGURATION;
use crate::provider::patience::Patience;
use crate::resource::{Address, Desired, Fault, Observed, Remembered};
use crate::session::Session;

/// Missing credentials end within this: the SDK's default chain asks an instance metadata address that may never answer.
const IDENTITY_WITHIN: Duration = Duration::from_millis(2_700);

/// A connection to the account.
pub struct Connection {
    /// The clients.
    pub clients: Arc<Clients>,
    /// Region and endpoint, for people.
    pub region: String,
    /// Endpoints in use, for people: `AWS`, or the URLs that stand in for it.
    pub endpoint: String,
    /// How long a service in trouble is tried.
    pub patience: Patience,
}

/// Reads the configuration of the AWS CLI.
///
/// # Errors
/// When a setting cannot be used, or no region is configured.
pub async fn connect(session: &Session) -> Result<Connection, Failure> {
    let clients = Clients::connect(&session.access).await.map_err(configuration)?;
    clients.wait_for_certificates(session.certificate_wait);
    let region = clients.region().map(str::to_owned).unwrap_or_default();
    let endpoint = clients.description().map_or_else(|| "AWS".to_owned(), |described| described.endpoint);
    Ok(Connection { clients: Arc::new(clients), region, endpoint, patience: session.patience.clone() })
}

/// A fault of the configuration is said without the service and operation that it has for programs.
fn configuration(fault: Fault) -> Failure {
    if fault.service == CONFIGURATION {
        Failure::error(fault.message, fault.next_step.unwrap_or_default())
    } else {
        fault.into()
    }
}

impl Connection {
    /// How the account is reached, for `doctor`: profile, source of the credentials, region, endpoints, proxies, authorities.
    pub fn description(&self) -> Option<ConnectionDescription> {
        self.clients.description()
    }

    /// Who we are.
    ///
    /// # Errors
    /// Credentials missing, wrong or expired; endpoint unreachable.
    pub async fn identity(&self) -> Result<Identity, Failure> {
        let asked = self.patience.first_reading(async || self.clients.identity().await);
        tokio::pin!(asked);
        match tokio::time::timeout(IDENTITY_WITHIN, &mut asked).await {
            Ok(answer) => Ok(answer?),
            // They are there: it is the service that is slow.
            Err(_) if self.clients.has_credentials() => Ok(asked.await?),
            Err(_) => Err(Failure::error(
                "no AWS credentials were found",
                "log in (aws sso login), or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; with the local AWS: eval \"$(localstack/up)\"",
            )),
        }
    }

    /// Looks at the world and at who we are, at once.
    ///
    /// # Errors
    /// When we are nobody.
    pub async fn look(
        &self,
        desired: &Desired,
        remembered: &Remembered,
        providers: &Providers,
        wanted: impl Fn(&Address) -> bool,
    ) -> Result<(Identity, Observed), Failure> {
        self.with_identity(desired, remembered, observe::read(desired, remembered, providers, wanted)).await
    }

    /// The same with everything that the services show, for drift.
    ///
    /// # Errors
    /// When we are nobody.
    pub async fn look_thoroughly(
        &self,
        desired: &Desired,
        remembered: &Remembered,
        providers: &Providers,
    ) -> Result<(Identity, Observed), Failure> {
        self.with_identity(desired, remembered, observe::read_thoroughly(desired, remembered, providers)).await
    }

    async fn with_identity(
        &self,
        desired: &Desired,
        remembered: &Remembered,
        reading: impl Future<Output = Observed>,
    ) -> Result<(Identity, Observed), Failure> {
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
        if let Some(known) = remembered.account.as_ref().filter(|known| **known != identity.account) {
            return Err(Failure::refused(
                format!(
                    "the journal of {} belongs to account {known}, these credentials are of {}",
                    desired.stack, identity.account
                ),
                "use the credentials of that account, or another --state",
            ));
        }
        Ok((identity, observed))
    }
}
