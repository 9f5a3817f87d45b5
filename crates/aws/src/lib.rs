//! AWS by its SDK. Each file knows one kind: its calls, what they need, and what the errors of its service mean. `clients` knows
//! how to reach the account. The table below has one row for each kind.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod account;
mod bucket;
mod bucket_policy;
mod bucket_reader;
mod cache_policy;
mod certificate;
mod clients;
mod clock;
mod connect;
mod credentials;
mod distribution;
mod distribution_metrics;
mod edit;
mod eks;
mod error_rules;
mod estimated_charges;
mod fault;
mod function;
mod function_version;
mod gate;
mod health_check;
mod health_check_status;
mod journal;
mod load_balancer;
mod model_bucket;
mod monitoring;
mod named;
mod object;
mod origin_access;
mod origin_request_policy;
mod owned;
mod pages;
mod permissions;
mod queue;
mod rate_limiter;
mod records;
#[cfg(feature = "replica")]
mod replica_bucket;
mod replication;
mod requests;
mod response_headers_policy;
mod response_limit;
mod role;
mod route53;
mod sdk_retry;
mod security_headers;
mod shared;
mod stated;
mod statements;
mod tag_changes;
mod tags;
mod transport;
mod unreadable;
mod validation;
mod zone;

use std::sync::Arc;

pub use account::{ConnectionDescription, SourceDescription};
pub use bucket_reader::{BucketFault, BucketReader, ListedObject, ObjectBody};
pub use clients::{AwsAccess, CallerIdentity, Clients, GLOBAL};
pub use credentials::{SERVICE as CREDENTIALS, UserPrompt};
pub use distribution_metrics::{ViewerRate, ViewerShare, viewer_share};
pub use eks::eks_access;
pub use error_rules::{ErrorRule, every_rule};
pub use estimated_charges::{Charges, estimated_charges};
pub use fault::of as fault_of;
pub use function::invoke as invoke_function;
pub use health_check_status::{CheckerReports, health_check_status};
pub use journal::{objects as bucket_objects, store as journal_store};
pub use model_bucket::ModelBucket;
pub use permissions::{
    Ids, MOST as MOST_OF_A_POLICY, MissingAction, Simulation, boundaries, parts as parts_of_policy,
    policy as least_privilege, simulate, size as size_of_policy,
};
#[cfg(feature = "replica")]
pub use replica_bucket::ReplicaBucket;
pub use validation::CERTIFICATE_WAIT;

use named::NamedProvider;
use permissions::Grant;

use provider::{Provider, Providers};
use resource::{Artifacts, Kind};

pub(crate) use akidb_edge_engine::{provider, resource};

/// What providers are made with.
struct ProviderContext<'m> {
    clients: &'m Arc<Clients>,
    artifacts: &'m Arc<Artifacts>,
}

/// One kind: what its calls need, what the errors of its service mean (said once for each service), and its provider.
struct Row {
    kind: Kind,
    grants: &'static [Grant],
    codes: &'static [ErrorRule],
    make: fn(&ProviderContext<'_>) -> Arc<dyn Provider>,
}

const fn row(
    kind: Kind,
    grants: &'static [Grant],
    codes: &'static [ErrorRule],
    make: fn(&ProviderContext<'_>) -> Arc<dyn Provider>,
) -> Row {
    Row { kind, grants, codes, make }
}

/// Every kind of AWS, in the order of the enum.
const TABLE: &[Row] = &[
    row(Kind::LoadBalancer, load_balancer::GRANTS, load_balancer::CODES, |by| {
        Arc::new(load_balancer::LoadBalancers::new(by.clients))
    }),
    row(Kind::Role, role::GRANTS, role::CODES, |by| Arc::new(role::Roles::new(by.clients))),
    row(Kind::Bucket, bucket::GRANTS, bucket::CODES, |by| Arc::new(bucket::Buckets::new(by.clients))),
    row(Kind::BucketPolicy, bucket_policy::GRANTS, &[], |by| Arc::new(bucket_policy::BucketPolicies::new(by.clients))),
    row(Kind::Replication, replication::GRANTS, &[], |by| Arc::new(replication::Replications::new(by.clients))),
    row(Kind::Object, object::GRANTS, &[], |by| Arc::new(object::Objects::new(by.clients, by.artifacts))),
    row(Kind::Function, function::GRANTS, function::CODES, |by| {
        Arc::new(function::Functions::new(by.clients, by.artifacts))
    }),
    row(Kind::FunctionVersion, function_version::GRANTS, &[], |by| {
        Arc::new(function_version::FunctionVersions::new(by.clients))
    }),
    row(Kind::OriginAccess, origin_access::GRANTS, &[], |by| {
        Arc::new(NamedProvider::<origin_access::OriginAccess>::new(by.clients))
    }),
    row(Kind::CachePolicy, cache_policy::GRANTS, &[], |by| {
        Arc::new(NamedProvider::<cache_policy::CachePolicies>::new(by.clients))
    }),
    row(Kind::OriginRequestPolicy, origin_request_policy::GRANTS, &[], |by| {
        Arc::new(NamedProvider::<origin_request_policy::OriginRequestPolicies>::new(by.clients))
    }),
    row(Kind::ResponseHeadersPolicy, response_headers_policy::GRANTS, &[], |by| {
        Arc::new(NamedProvider::<response_headers_policy::ResponseHeadersPolicies>::new(by.clients))
    }),
    row(Kind::Distribution, distribution::GRANTS, distribution::CODES, |by| {
        Arc::new(distribution::Distributions::new(by.clients))
    }),
    row(Kind::Monitoring, monitoring::GRANTS, &[], |by| Arc::new(monitoring::Monitoring::new(by.clients))),
    row(Kind::Certificate, certificate::GRANTS, certificate::CODES, |by| {
        Arc::new(certificate::Certificates::new(by.clients))
    }),
    row(Kind::Zone, zone::GRANTS, route53::CODES, |by| Arc::new(zone::Zones::new(by.clients))),
    row(Kind::HealthCheck, health_check::GRANTS, &[], |by| Arc::new(health_check::HealthChecks::new(by.clients))),
    row(Kind::Records, records::GRANTS, &[], |by| Arc::new(records::Records::new(by.clients))),
    row(Kind::Queue, queue::GRANTS, queue::CODES, |by| Arc::new(queue::Queues::new(by.clients))),
];

/// The provider of every AWS kind.
pub fn providers(clients: &Arc<Clients>, artifacts: &Arc<Artifacts>) -> Providers {
    let by = ProviderContext { clients, artifacts };
    TABLE.iter().fold(Providers::default(), |all, row| all.with(row.kind, (row.make)(&by)))
}

/// What the calls for a kind need.
fn grants_of(kind: Kind) -> impl Iterator<Item = &'static Grant> {
    TABLE.iter().filter(move |row| row.kind == kind).flat_map(|row| row.grants)
}
