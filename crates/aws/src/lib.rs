//! AWS by its SDK. Each file knows one kind; `clients` knows how to reach the account, `fault` what its errors mean.

#![forbid(unsafe_code)]
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod account;
mod bucket;
mod bucket_policy;
mod cache_policy;
mod certificate;
mod clients;
mod clock;
mod connect;
mod credentials;
mod distribution;
mod edit;
mod fault;
mod function;
mod function_version;
mod gate;
mod health_check;
mod journal;
mod load_balancer;
mod monitoring;
mod named;
mod object;
mod origin_access;
mod origin_request_policy;
mod owned;
mod pace;
mod permissions;
mod records;
mod repeats;
mod replication;
mod response_headers_policy;
mod role;
mod route53;
mod rules;
mod security_headers;
mod shared;
mod stated;
mod tag_changes;
mod tags;
mod validation;
mod wire;
mod zone;

use std::sync::Arc;

pub use account::{ConnectionDescription, Described};
pub use clients::{Access, Clients, GLOBAL, Identity};
pub use credentials::{Person, SERVICE as CREDENTIALS};
pub use fault::of as fault_of;
pub use journal::store as journal_store;
pub use permissions::{
    MOST as MOST_OF_A_POLICY, Missing, Simulation, boundaries, parts as parts_of_policy, policy as least_privilege,
    simulate, size as size_of_policy,
};
pub use rules::{RULES, Rule};
pub use validation::CERTIFICATE_WAIT;

use named::Named;

use provider::Providers;
use resource::{Artefacts, Kind};

pub(crate) use akidb_edge_engine::{provider, resource};

/// The provider of every AWS kind.
pub fn providers(clients: &Arc<Clients>, artefacts: &Arc<Artefacts>) -> Providers {
    Providers::default()
        .with(Kind::LoadBalancer, Arc::new(load_balancer::LoadBalancers::new(clients)))
        .with(Kind::Role, Arc::new(role::Roles::new(clients)))
        .with(Kind::Bucket, Arc::new(bucket::Buckets::new(clients)))
        .with(Kind::BucketPolicy, Arc::new(bucket_policy::BucketPolicies::new(clients)))
        .with(Kind::Replication, Arc::new(replication::Replications::new(clients)))
        .with(Kind::Object, Arc::new(object::Objects::new(clients, artefacts)))
        .with(Kind::Function, Arc::new(function::Functions::new(clients, artefacts)))
        .with(Kind::FunctionVersion, Arc::new(function_version::FunctionVersions::new(clients)))
        .with(Kind::OriginAccess, Arc::new(Named::<origin_access::OriginAccess>::new(clients)))
        .with(Kind::CachePolicy, Arc::new(Named::<cache_policy::CachePolicies>::new(clients)))
        .with(Kind::OriginRequestPolicy, Arc::new(Named::<origin_request_policy::OriginRequestPolicies>::new(clients)))
        .with(
            Kind::ResponseHeadersPolicy,
            Arc::new(Named::<response_headers_policy::ResponseHeadersPolicies>::new(clients)),
        )
        .with(Kind::Distribution, Arc::new(distribution::Distributions::new(clients)))
        .with(Kind::Monitoring, Arc::new(monitoring::Monitoring::new(clients)))
        .with(Kind::Certificate, Arc::new(certificate::Certificates::new(clients)))
        .with(Kind::Zone, Arc::new(zone::Zones::new(clients)))
        .with(Kind::HealthCheck, Arc::new(health_check::HealthChecks::new(clients)))
        .with(Kind::Records, Arc::new(records::Records::new(clients)))
}
