//! AWS by its SDK. Each file knows one kind; `clients` knows how to reach the account, `fault` what its errors mean.

#![allow(clippy::result_large_err, reason = "a fault ends a call; its size costs nothing next to a request")]

mod bucket;
mod bucket_policy;
mod clients;
mod fault;
mod function;
mod function_version;
mod object;
mod pace;
mod replication;
mod role;
mod tag_changes;
mod tags;

use std::sync::Arc;

pub use clients::{Access, Clients, GLOBAL, Identity};
pub use fault::of as fault_of;

use super::Providers;
use crate::resource::{Artefacts, Kind};

/// The provider of every AWS kind.
pub fn providers(clients: &Arc<Clients>, artefacts: &Arc<Artefacts>) -> Providers {
    Providers::default()
        .with(Kind::Bucket, Arc::new(bucket::Buckets::new(clients)))
        .with(Kind::BucketPolicy, Arc::new(bucket_policy::BucketPolicies::new(clients)))
        .with(Kind::Replication, Arc::new(replication::Replications::new(clients)))
        .with(Kind::Object, Arc::new(object::Objects::new(clients, artefacts)))
        .with(Kind::Role, Arc::new(role::Roles::new(clients)))
        .with(Kind::Function, Arc::new(function::Functions::new(clients, artefacts)))
        .with(Kind::FunctionVersion, Arc::new(function_version::FunctionVersions::new(clients)))
}
