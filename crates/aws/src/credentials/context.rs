//! What the sources of credentials need: HTTP access to services, and a way to notify and ask the user.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use crate::account::{AccountSettings, Service};
use crate::requests::RequestLogger;
use crate::resource::Untrusted;
use crate::transport::HttpTransport;

/// Whoever waits longer is told what for.
const PATIENT: Duration = Duration::from_secs(1);

/// A code is asked for so long: then the call that needs it would be given up.
const ANSWERED_WITHIN: Duration = Duration::from_mins(4);

/// Asks for something that the terminal does not show.
pub type SecretPrompt = dyn Fn(&Untrusted) -> String + Send + Sync;

/// The person at the terminal, if there is one.
pub struct UserPrompt {
    /// Says something. Names of profiles and roles are in it.
    pub tell: Box<dyn Fn(&Untrusted) + Send + Sync>,
    /// Asks for a secret without echoing it; `None` without a terminal.
    pub ask: Option<Box<SecretPrompt>>,
}

impl UserPrompt {
    /// Nobody.
    pub fn none() -> Self {
        Self { tell: Box::new(|_| {}), ask: None }
    }
}

impl fmt::Debug for UserPrompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person").field("asks", &self.ask.is_some()).finish_non_exhaustive()
    }
}

/// What getting credentials needs.
#[derive(Clone)]
pub struct CredentialContext {
    /// The configuration.
    pub account: AccountSettings,
    /// The region of the run.
    pub region: String,
    /// The way to services. It has no gate: a new token changes nothing, and the journal is read with it after the lease is lost.
    pub wire: HttpTransport,
    /// Whom to tell and to ask.
    pub person: Arc<UserPrompt>,
}

impl CredentialContext {
    /// A file below the home directory.
    pub fn home(&self, below: &str) -> Option<PathBuf> {
        Some(PathBuf::from(self.account.environment.get("HOME")?).join(below))
    }

    /// The configuration for a service that gives credentials.
    pub fn config(&self, service: Service, region: &str, credentials: Option<Credentials>) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_millis(2_500))
            .read_timeout(Duration::from_secs(30));
        let mut builder = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.wire.shared())
            .region(Region::new(region.to_owned()))
            .time_source(SystemTimeSource::new())
            .retry_config(RetryConfig::standard())
            .timeout_config(timeouts.build())
            .use_fips(self.account.fips)
            .use_dual_stack(self.account.dual_stack);
        builder.set_endpoint_url(self.account.endpoints.url(service));
        builder.set_credentials_provider(credentials.map(SharedCredentialsProvider::new));
        builder.build()
    }

    /// STS, with these credentials.
    pub fn sts(&self, credentials: Option<Credentials>) -> aws_sdk_sts::Client {
        let (region, url) = self.account.sts(&self.region);
        let config = aws_sdk_sts::config::Builder::from(&self.config(Service::Sts, &region, credentials));
        let mut config = config.interceptor(RequestLogger);
        config.set_endpoint_url(url);
        aws_sdk_sts::Client::from_conf(config.build())
    }

    /// Does something that may take long, and says so when it does.
    pub async fn waiting<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(PATIENT) => {}
        }
        (self.person.tell)(&Untrusted::from(format!("waiting for {what}")));
        work.await
    }

    /// Asks for a code; none when nobody can answer, or nobody did.
    pub async fn code(&self, question: String) -> Option<String> {
        let question = Untrusted::from(question);
        let person = self.person.clone();
        person.ask.as_ref()?;
        let asking = tokio::task::spawn_blocking(move || person.ask.as_ref().map(|ask| ask(&question)));
        let answer = tokio::time::timeout(ANSWERED_WITHIN, asking).await.ok()?;
        answer.ok().flatten().map(|code| code.trim().to_owned()).filter(|code| !code.is_empty())
    }
}
