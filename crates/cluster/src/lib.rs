//! Kubernetes clusters: how each is reached, and the objects in them. The only crate with a Kubernetes client.
//!
//! Objects are applied server-side by one field manager, `akidb-edge`; a dry run of the same apply is the difference. What an
//! API server refuses is told by the reason, code and causes of its `Status`.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod apply;
mod autoscaler;
mod bearer;
mod call;
mod client_side;
mod cluster;
mod clusters;
mod connection;
mod data_loss;
mod discovery;
mod drain;
mod dropped;
mod events;
mod failed_job;
mod finalizers;
mod held_pod;
mod inventory;
mod job;
mod kinds;
mod lost_objects;
mod manifest;
mod members;
mod nodes;
mod object;
mod objects;
mod preview;
mod readiness;
mod requests;
mod route;
mod status;
mod transport;
mod unreachable;

use std::sync::Arc;

pub use clusters::{ClusterIdentity, Clusters};
pub use readiness::node_is_ready;

use provider::Providers;
use resource::Kind;

pub(crate) use akidb_edge_engine::{provider, resource};

/// The provider of every kind that lives in clusters.
pub fn providers(clusters: &Arc<Clusters>) -> Providers {
    Providers::default()
        .with(Kind::Cluster, Arc::new(cluster::ClusterLookups::new(clusters)))
        .with(Kind::Manifest, Arc::new(manifest::Manifests::new(clusters)))
}
