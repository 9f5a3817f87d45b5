//! Describes a connection for the user: caller, source of the credentials, endpoints.

use std::collections::BTreeMap;

use serde::Serialize;

use super::endpoints::{Endpoint, Service};
use super::{AccountSettings, CredentialSource, RegionChoice};
use akidb_edge_network::{Bundle, Proxies};

/// How the account is reached. It holds no secret.
#[derive(Clone, Debug, Serialize)]
pub struct ConnectionDescription {
    /// The profile in use; none when the credentials come from the environment and no profile is named.
    pub profile: Option<String>,
    /// Where the credentials come from.
    pub credentials: SourceDescription,
    /// The region for calls that name none, and what named it.
    pub region: Option<RegionChoice>,
    /// The endpoint of each service that is not AWS's own, and what named it.
    pub endpoints: BTreeMap<&'static str, Endpoint>,
    /// The endpoints in one line, as in the header.
    pub endpoint: String,
    /// The proxies, without passwords.
    pub proxies: Proxies,
    /// The bundle of certificate authorities; none for those of the system.
    pub ca_bundle: Option<Bundle>,
    /// FIPS endpoints are used.
    pub fips: bool,
    /// Dual-stack endpoints are used.
    pub dual_stack: bool,
}

/// A source of credentials, for programs and for people.
#[derive(Clone, Debug, Serialize)]
pub struct SourceDescription {
    /// `environment`, `profile`, `role`, `web-identity`, `sso`, `login`, `process`, `container` or `instance-metadata`.
    pub kind: &'static str,
    /// In words.
    pub source: String,
    /// What to do when they are not accepted any longer.
    pub renew: String,
}

impl ConnectionDescription {
    pub(super) fn of(account: &AccountSettings, region: Option<&RegionChoice>) -> Self {
        let endpoints = &account.endpoints;
        let named =
            Service::OF_PLANS.iter().filter_map(|service| Some((service.label(), endpoints.get(*service)?.clone())));
        let from_environment = matches!(account.source, CredentialSource::Keys { profile: None, .. });
        let profile =
            account.profiles.variable.is_some() || !from_environment && account.profiles.has(&account.profiles.name);
        Self {
            profile: profile.then(|| account.profiles.name.clone()),
            credentials: SourceDescription {
                kind: account.source.kind(),
                source: account.source.to_string(),
                renew: account.source.renewal(&account.environment),
            },
            region: region.or(account.region.as_ref()).cloned(),
            endpoints: named.collect(),
            endpoint: endpoints.line(),
            proxies: account.proxies.clone(),
            ca_bundle: account.bundle.clone(),
            fips: account.fips,
            dual_stack: account.dual_stack,
        }
    }
}

impl CredentialSource {
    /// A word for it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Keys { profile: None, .. } => "environment",
            Self::Keys { .. } => "profile",
            Self::Role(_) => "role",
            Self::WebIdentity { .. } => "web-identity",
            Self::Sso(_) => "sso",
            Self::Login { .. } => "login",
            Self::Process { .. } => "process",
            Self::Container => "container",
            Self::Metadata => "instance-metadata",
        }
    }
}
