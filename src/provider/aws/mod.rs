//! AWS by its SDK. Each file knows one kind; `clients` knows how to reach the account, `fault` what its errors mean.

mod bucket;
mod certificate;
mod clients;
mod fault;
mod health_check;
mod load_balancer;
mod pace;
mod records;
mod route53;
mod tags;
mod zone;

use std::sync::Arc;

pub use clients::{Access, Clients, GLOBAL, Identity};
pub use fault::of as fault_of;

use super::Providers;
use crate::resource::{Artefacts, Kind};

/// The provider of every AWS kind.
pub fn providers(clients: &Arc<Clients>, artefacts: &Arc<Artefacts>) -> Providers {
    let _ = artefacts;
    Providers::default()
        .with(Kind::Bucket, Arc::new(bucket::Buckets::new(clients)))
        .with(Kind::Certificate, Arc::new(certificate::Certificates::new(clients)))
        .with(Kind::HealthCheck, Arc::new(health_check::HealthChecks::new(clients)))
        .with(Kind::LoadBalancer, Arc::new(load_balancer::LoadBalancers::new(clients)))
        .with(Kind::Records, Arc::new(records::Records::new(clients)))
        .with(Kind::Zone, Arc::new(zone::Zones::new(clients)))
}
