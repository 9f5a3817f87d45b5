//! Sessions of `aws login`: the SDK reads them from `~/.aws/login/cache` and renews them.

use aws_config::Region;
use aws_config::login::LoginCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;

use super::context::CredentialContext;
use super::refused;
use crate::account::CredentialSource;
use crate::fault;
use crate::resource::Fault;

/// The credentials of the session.
///
/// # Errors
/// When nobody is logged in, or the session has ended.
pub async fn credentials(
    arn: &str,
    source: &CredentialSource,
    means: &CredentialContext,
) -> Result<Credentials, Fault> {
    let config = ProviderConfig::without_region().with_http_client(means.wire.shared());
    let config = config.with_region(Some(Region::new(means.region.clone())));
    let config = config.with_use_fips(Some(means.account.fips)).with_use_dual_stack(Some(means.account.dual_stack));
    let provider = LoginCredentialsProvider::builder(arn).configure(&config).build();
    let answer = means.waiting(&source.to_string(), provider.provide_credentials()).await;
    answer.map_err(|bad| {
        fault::of_network("signin", "CreateOAuth2Token", &bad).unwrap_or_else(|| {
            let problem = format!("the {source} cannot be used: {}", fault::chain(&bad));
            refused("Login", "LoginNeeded", problem, source.renewal(&means.account.environment))
        })
    })
}
