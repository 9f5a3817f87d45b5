//! AWS by its SDK. Each file knows one kind; `clients` knows how to reach the account, `fault` what its errors mean.

mod bucket;
mod cache_policy;
mod clients;
mod distribution;
mod edit;
mod fault;
mod monitoring;
mod named;
mod origin_access;
mod origin_request_policy;
mod pace;
mod response_headers_policy;
mod tags;

use std::sync::Arc;

pub use clients::{Access, Clients, GLOBAL, Identity};
pub use fault::of as fault_of;

use named::Named;

use super::Providers;
use crate::resource::{Artefacts, Kind};

/// The provider of every AWS kind.
pub fn providers(clients: &Arc<Clients>, artefacts: &Arc<Artefacts>) -> Providers {
    let _ = artefacts;
    Providers::default()
        .with(Kind::Bucket, Arc::new(bucket::Buckets::new(clients)))
        .with(Kind::OriginAccess, Arc::new(Named::<origin_access::OriginAccess>::new(clients)))
        .with(Kind::CachePolicy, Arc::new(Named::<cache_policy::CachePolicies>::new(clients)))
        .with(Kind::OriginRequestPolicy, Arc::new(Named::<origin_request_policy::OriginRequestPolicies>::new(clients)))
        .with(
            Kind::ResponseHeadersPolicy,
            Arc::new(Named::<response_headers_policy::ResponseHeadersPolicies>::new(clients)),
        )
        .with(Kind::Distribution, Arc::new(distribution::Distributions::new(clients)))
        .with(Kind::Monitoring, Arc::new(monitoring::Monitoring::new(clients)))
}
