//! Credentials from their source: got when the first request is signed, and again before they expire.

mod agents;
mod cache;
mod context;
mod login;
mod process;
mod role;
mod sso;

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, Result as Provided, future};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Mutex;

use super::account::CredentialSource;
use crate::resource::sensitive::keep_from_logs;
use crate::resource::{Fault, FaultClass, Untrusted};

pub use agents::region_of_instance;
pub use context::{CredentialContext, UserPrompt};

/// Service of the faults that are found while credentials are got.
pub const SERVICE: &str = "credentials";

/// Credentials that expire sooner are got again: the buffer of the SDK's own cache, which asks here only within it.
const BUFFER: Duration = Duration::from_secs(10);

/// The credentials of a run.
pub struct CredentialCache {
    source: CredentialSource,
    means: CredentialContext,
    kept: Mutex<CachedCredentials>,
}

/// What earlier tries came to.
#[derive(Debug, Default)]
struct CachedCredentials {
    /// Credentials were got before.
    got: bool,
    /// The latest ones. The SDK caches them for its clients; tokens for EKS are signed without it, and a source may prompt for an
    /// MFA code each time.
    last: Option<Credentials>,
    /// Why there are none, when another try cannot help.
    refused: Option<Fault>,
}

impl CredentialCache {
    /// Nothing is got yet.
    pub fn new(source: CredentialSource, means: CredentialContext) -> Self {
        Self { source, means, kept: Mutex::default() }
    }

    async fn credentials(&self) -> Provided {
        // Many requests begin at once: the source is asked once, and what it refused is not asked again.
        let mut kept = self.kept.lock().await;
        if let Some(fault) = &kept.refused {
            return Err(CredentialsError::provider_error(fault.clone()));
        }
        if let Some(last) = kept.last.as_ref().filter(|last| reusable(last, SystemTime::now())) {
            return Ok(last.clone());
        }
        let answer = got(&self.source, &self.means, kept.got).await;
        match &answer {
            Ok(given) => {
                kept.got = true;
                kept.last = Some(given.clone());
            }
            Err(fault) if !kept.got && !matches!(fault.class, FaultClass::Retry | FaultClass::Unreachable) => {
                kept.refused = Some(fault.clone());
            }
            Err(_) => {}
        }
        answer.map_err(CredentialsError::provider_error)
    }
}

/// Whether credentials expire, and not soon. Those that do not expire may change at their source.
fn reusable(credentials: &Credentials, now: SystemTime) -> bool {
    credentials.expiry().is_some_and(|end| end.duration_since(now).is_ok_and(|left| left > BUFFER))
}

// The SDK shows its providers in traces: command lines and keys do not belong there.
impl fmt::Debug for CredentialCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({})", self.source)
    }
}

impl ProvideCredentials for CredentialCache {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

/// Gets credentials from a source. `again` is for a run that had some before.
fn got<'a>(
    source: &'a CredentialSource,
    means: &'a CredentialContext,
    again: bool,
) -> BoxFuture<'a, Result<Credentials, Fault>> {
    async move {
        let answer = match source {
            CredentialSource::Keys { keys, .. } => Ok(keys.clone()),
            CredentialSource::Role(role) => {
                let by = got(&role.by, means, again).await?;
                role::assumed(role, by, means, again).await
            }
            CredentialSource::WebIdentity { arn, token, session, .. } => {
                role::for_token(arn, token, session.as_deref(), source, means).await
            }
            CredentialSource::Sso(sso) => sso::credentials(sso, source, means).await,
            CredentialSource::Login { arn, .. } => login::credentials(arn, source, means).await,
            CredentialSource::Process { command, profile } => process::credentials(command, profile, means).await,
            CredentialSource::Container => agents::of_container(source, means).await,
            CredentialSource::Metadata => agents::of_instance(source, means).await,
        };
        answer.iter().for_each(|credentials| keep_from_logs(credentials.access_key_id()));
        answer
    }
    .boxed()
}

/// There are no credentials, or not valid ones.
fn refused(
    operation: &str,
    code: impl Into<Untrusted>,
    problem: impl Into<Untrusted>,
    next: impl Into<Untrusted>,
) -> Fault {
    Fault::new(FaultClass::Credentials, SERVICE, operation, code, problem).next(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_reused_until_shortly_before_they_expire() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(1);
        let until = |end| Credentials::new("a", "b", None, end, "test");
        assert!(reusable(&until(Some(now + Duration::from_secs(11))), now));
        for end in [None, Some(now + BUFFER), Some(now), Some(now - BUFFER)] {
            assert!(!reusable(&until(end), now), "{end:?}");
        }
    }
}
