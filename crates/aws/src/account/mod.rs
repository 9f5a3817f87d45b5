//! How the account is reached, as the AWS CLI would: profile, region, endpoints and the source of the credentials, read from
//! the environment and the configuration files before the first call. `docs/accounts.md` is the table of it.

mod description;
mod endpoints;
mod flags;
mod profiles;
mod region;
mod renewal;
mod source;

use std::path::PathBuf;

pub use description::{ConnectionDescription, SourceDescription};
pub use endpoints::{Endpoints, Service};
pub use profiles::Profiles;
pub use region::{RegionChoice, checked as checked_region};
pub use source::{CredentialSource, Role, Sso, program};

use super::clients::GLOBAL;
use crate::resource::Fault;
use akidb_edge_network::{Bundle, Environment, Proxies};

/// The regions whose calls the one global address of STS takes.
const LEGACY_STS: [&str; 16] = [
    "ap-northeast-1",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "aws-global",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// Everything that is known before the first call.
#[derive(Clone)]
pub struct AccountSettings {
    /// The variables that it was read from.
    pub environment: Environment,
    /// The configuration files and the profile in use.
    pub profiles: Profiles,
    /// The region, when one is configured; else the instance metadata service may know it.
    pub region: Option<RegionChoice>,
    /// Where each service is.
    pub endpoints: Endpoints,
    /// Where the credentials come from.
    pub source: CredentialSource,
    /// The proxies.
    pub proxies: Proxies,
    /// The bundle of certificate authorities, when one is named.
    pub bundle: Option<Bundle>,
    /// FIPS endpoints are wanted.
    pub fips: bool,
    /// Dual-stack endpoints are wanted.
    pub dual_stack: bool,
    /// STS is asked at its one global address in the regions where that is possible.
    pub legacy_sts: bool,
    /// Tries of a single call at most, when a number is configured.
    pub tries: Option<u32>,
}

impl AccountSettings {
    /// Reads the environment and the configuration files. No call is made.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub async fn read(environment: Environment) -> Result<Self, Fault> {
        let profiles = Profiles::read(&environment).await?;
        let region = region::of(&environment, &profiles)?;
        let fips = flags::on(&environment, &profiles, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")?;
        let dual_stack = flags::on(&environment, &profiles, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")?;
        let endpoints = Endpoints::of(&environment, &profiles)?;
        endpoints.fit(fips, dual_stack)?;
        let legacy_sts = flags::legacy_sts(&environment, &profiles)?;
        let tries = flags::tries(&environment, &profiles)?;
        let proxies = Proxies::of(&environment)?;
        let bundle = bundle(&environment, &profiles)?;
        let source = CredentialSource::of(&environment, &profiles)?;
        Ok(Self {
            environment,
            profiles,
            region,
            endpoints,
            source,
            proxies,
            bundle,
            fips,
            dual_stack,
            legacy_sts,
            tries,
        })
    }

    /// Whether somebody chose when requests carry checksums.
    pub fn chose_checksums(&self) -> bool {
        let variable = self.environment.get("AWS_REQUEST_CHECKSUM_CALCULATION");
        variable.or_else(|| self.profiles.get("request_checksum_calculation")).is_some()
    }

    /// The region and the endpoint of STS; none for AWS's own choice.
    pub fn sts(&self, region: &str) -> (String, Option<String>) {
        let named = self.endpoints.url(Service::Sts);
        if named.is_none() && self.legacy_sts && !self.fips && !self.dual_stack && LEGACY_STS.contains(&region) {
            return (GLOBAL.to_owned(), Some("https://sts.amazonaws.com".to_owned()));
        }
        (region.to_owned(), named)
    }

    /// What a person may want to know of it; the region may have been found later.
    pub fn description(&self, region: Option<&RegionChoice>) -> ConnectionDescription {
        ConnectionDescription::of(self, region)
    }
}

/// `AWS_CA_BUNDLE`, then `ca_bundle` of the profile, then `REQUESTS_CA_BUNDLE`, as the AWS CLI does.
fn bundle(environment: &Environment, profiles: &Profiles) -> Result<Option<Bundle>, Fault> {
    let home = environment.get("HOME").unwrap_or_default();
    let named = |variable: &str| Some((environment.get(variable)?.to_owned(), variable.to_owned()));
    let in_profile = || Some((profiles.get("ca_bundle")?.to_owned(), profiles.setting("ca_bundle")));
    let Some((file, setting)) = named("AWS_CA_BUNDLE").or_else(in_profile).or_else(|| named("REQUESTS_CA_BUNDLE"))
    else {
        return Ok(None);
    };
    let file = match file.strip_prefix("~/") {
        Some(below) => PathBuf::from(home).join(below),
        None => PathBuf::from(file),
    };
    Bundle::read(file, &setting).map(Some)
}
