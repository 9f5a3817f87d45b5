//! AWS by its SDK. Each file knows one kind; `clients` knows how to reach the account, `fault` what its errors mean.

mod bucket;
mod clients;
mod fault;
mod pace;
mod tags;

use std::sync::Arc;

pub use clients::{Access, Clients, GLOBAL, Identity};
pub use fault::of as fault_of;

use super::Providers;
use crate::resource::{Artefacts, Kind};

/// The provider of every AWS kind.
pub fn providers(clients: &Arc<Clients>, artefacts: &Arc<Artefacts>) -> Providers {
    let _ = artefacts;
    Providers::default().with(Kind::Bucket, Arc::new(bucket::Buckets::new(clients)))
}
