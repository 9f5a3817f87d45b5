//! Credential services of the machine: that of a container, and the instance metadata service. Both are called without a proxy.

use std::time::Duration;

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;

use super::context::CredentialContext;
use super::refused;
use crate::account::{AccountSettings, CredentialSource};
use crate::fault;
use crate::resource::Fault;
use crate::transport::HttpTransport;

const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// Credentials of a container (ECS, EKS Pod Identity, and whatever speaks like them).
///
/// # Errors
/// When the agent does not give any.
pub async fn of_container(source: &CredentialSource, means: &CredentialContext) -> Result<Credentials, Fault> {
    let operation = "Container";
    let environment = &means.account.environment;
    let next = source.renewal(environment);
    for (setting, value) in [(TOKEN, environment.get(TOKEN).map(str::to_owned)), (TOKEN_FILE, token_file(means)?)] {
        if value.is_some_and(|value| value.contains(['\r', '\n'])) {
            let problem = format!("the token of {setting} has a line break in it");
            return Err(refused(operation, "InvalidCredentials", problem, format!("set {setting} again, without it")));
        }
    }
    let provider = EcsCredentialsProvider::builder().configure(&config(&means.wire)).build();
    let answer = means.waiting(&source.to_string(), provider.provide_credentials()).await;
    answer.map_err(|bad| {
        let code =
            if matches!(bad, CredentialsError::InvalidConfiguration(_)) { "InvalidSetting" } else { "NoCredentials" };
        let problem = format!("{source} provided no credentials: {}", fault::chain(&bad));
        refused(operation, code, problem, next)
    })
}

fn token_file(means: &CredentialContext) -> Result<Option<String>, Fault> {
    let Some(file) = means.account.environment.get(TOKEN_FILE) else { return Ok(None) };
    std::fs::read_to_string(file).map(Some).map_err(|bad| {
        let problem = format!("{TOKEN_FILE} names {file}, which cannot be read: {bad}");
        refused(
            "Container",
            "NoToken",
            problem,
            format!("set {TOKEN_FILE} to a file that this user may read, or unset it"),
        )
    })
}

/// Credentials of the role of an instance.
///
/// # Errors
/// When there is no such service, or it gives none.
pub async fn of_instance(source: &CredentialSource, means: &CredentialContext) -> Result<Credentials, Fault> {
    let client = client(&means.account, &means.wire)?;
    let provider = ImdsCredentialsProvider::builder().configure(&config(&means.wire)).imds_client(client).build();
    let answer = means.waiting(&source.to_string(), provider.provide_credentials()).await;
    answer.map_err(|bad| match bad {
        // It was only asked because nothing else is configured.
        CredentialsError::CredentialsNotLoaded(_) => none_at_all(&means.account),
        bad => refused(
            "Metadata",
            "NoCredentials",
            format!("{source} provided no credentials: {}", fault::chain(&bad)),
            source.renewal(&means.account.environment),
        ),
    })
}

fn none_at_all(account: &AccountSettings) -> Fault {
    let profile = &account.profiles.name;
    let place =
        if account.profiles.has(profile) { format!("profile {profile}") } else { "the configuration files".to_owned() };
    refused(
        "Find",
        "NoCredentials",
        format!(
            "no AWS credentials were found: not in the environment, nor in {place}, nor from a container or instance"
        ),
        super::super::fault::LOG_IN,
    )
}

/// The region of the instance; none elsewhere.
///
/// # Errors
/// When a setting of the service cannot be used.
pub async fn region_of_instance(account: &AccountSettings, wire: &HttpTransport) -> Result<Option<String>, Fault> {
    let provider = ImdsRegionProvider::builder().configure(&config(wire)).imds_client(client(account, wire)?).build();
    Ok(provider.region().await.map(|region| region.to_string()))
}

fn config(wire: &HttpTransport) -> ProviderConfig {
    ProviderConfig::without_region().with_http_client(wire.direct())
}

/// The time limits of the AWS CLI: one try of one second, unless it is told otherwise.
fn client(account: &AccountSettings, wire: &HttpTransport) -> Result<imds::Client, Fault> {
    let seconds = number(account, "AWS_METADATA_SERVICE_TIMEOUT", "metadata_service_timeout")?;
    let tries = number(account, "AWS_METADATA_SERVICE_NUM_ATTEMPTS", "metadata_service_num_attempts")?;
    let limit = Duration::from_secs(u64::from(seconds));
    let builder = imds::Client::builder().configure(&config(wire)).connect_timeout(limit).read_timeout(limit);
    Ok(builder.operation_attempt_timeout(limit * 2).operation_timeout(limit * 4 * tries).max_attempts(tries).build())
}

fn number(account: &AccountSettings, variable: &str, key: &str) -> Result<u32, Fault> {
    let text = account.environment.get(variable).or_else(|| account.profiles.get(key));
    match text.map(|text| (text, text.trim().parse::<u32>())) {
        None => Ok(1),
        Some((_, Ok(number))) if (1..=600).contains(&number) => Ok(number),
        Some((text, _)) => Err(akidb_edge_network::wrong(
            "InvalidSetting",
            format!("{variable} ({key}) is {text:?}, which is not a number from 1 to 600"),
            format!("set {variable} to such a number, or unset it"),
        )),
    }
}
