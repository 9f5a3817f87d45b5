//! Creates clients from the environment: reports everything that can be wrong before the first call.

use std::sync::Arc;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::{BehaviorVersion, Region};
use aws_smithy_types::timeout::TimeoutConfig;

use super::account::{AccountSettings, Endpoints, RegionChoice, Service, checked_region};
use super::clients::{AwsAccess, Clients};
use super::credentials::{CredentialCache, CredentialContext, UserPrompt, region_of_instance};
use super::gate::SendGate;
use super::transport::HttpTransport;
use super::{fault, sdk_retry};
use crate::resource::Fault;
use akidb_edge_network::{Environment, wrong};

/// A person may have to log in, or to find a token: the source of the credentials has its own limits.
const CREDENTIALS_WITHIN: Duration = Duration::from_hours(1);

/// What else may help where something stands in for AWS.
const LOCAL: &str = "; with the local AWS: eval \"$(localstack/up)\"";

/// What was read, and the region that came of it.
pub struct ResolvedSettings {
    /// The configuration.
    pub account: AccountSettings,
    /// The region for calls that name none.
    pub region: RegionChoice,
}

impl Clients {
    /// Reads the environment and the configuration files of the AWS CLI. No service is called; the instance metadata service
    /// is asked for the region where nothing else names one.
    ///
    /// # Errors
    /// The first setting that cannot be used, or no region.
    pub async fn connect(access: &AwsAccess, person: UserPrompt) -> Result<Self, Fault> {
        let mut account = AccountSettings::read(Environment::of_process()).await?;
        if let Some(url) = &access.endpoint {
            account.endpoints = Endpoints::one(url);
        }
        let wire = HttpTransport::new(account.proxies.clone(), account.bundle.clone());
        let region = region(&account, access, &wire).await?;
        let local = if account.endpoints.foreign(Service::Sts) { LOCAL } else { "" };
        fault::renew_with(format!("{}{local}", account.source.renewal(&account.environment)));
        let means = CredentialContext {
            account: account.clone(),
            region: region.name.clone(),
            wire: wire.clone(),
            person: Arc::new(person),
        };
        let gate = SendGate::default();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_millis(2_500))
            .operation_attempt_timeout(Duration::from_mins(5))
            .read_timeout(Duration::from_secs(30))
            .build();
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .profile_name(&account.profiles.name)
            .http_client(gate.before(wire.shared()))
            .credentials_provider(CredentialCache::new(account.source.clone(), means))
            .identity_cache(IdentityCache::lazy().load_timeout(CREDENTIALS_WITHIN).build())
            .timeout_config(timeouts)
            .retry_config(sdk_retry::config(account.tries.unwrap_or(sdk_retry::TRIES)))
            .use_fips(account.fips)
            .use_dual_stack(account.dual_stack)
            .region(Region::new(region.name.clone()));
        let shared = loader.load().await;
        Ok(Self::behind(gate, wire.shared(), shared, ResolvedSettings { account, region }, access))
    }
}

async fn region(account: &AccountSettings, access: &AwsAccess, wire: &HttpTransport) -> Result<RegionChoice, Fault> {
    if let Some(name) = &access.region {
        return checked_region(name, "the region that the caller names".to_owned());
    }
    if let Some(place) = &account.region {
        return Ok(place.clone());
    }
    match region_of_instance(account, wire).await? {
        Some(name) => checked_region(&name, "the instance metadata service".to_owned())
            .map_err(|fault| fault.next("set AWS_REGION, or region in ~/.aws/config")),
        None => Err(wrong(
            "NoRegion",
            "no AWS region is configured",
            "set AWS_REGION, or region in ~/.aws/config; with the local AWS: eval \"$(localstack/up)\"",
        )),
    }
}
