//! Machines over SSH: one connection for each, one root shell behind it, many small scripts in batches through it.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod account;
mod channel;
mod client;
mod connection;
mod diagnosis;
mod facts;
mod file;
mod fleet;
mod host;
mod host_key;
mod image;
mod jump;
mod k3s_access;
mod kubeconfig;
mod latency_probe;
mod node;
mod node_labels;
mod node_remedy;
mod node_script;
mod node_state;
mod on_host;
mod packages;
mod power_mode;
mod push;
mod refusal;
mod registry;
mod replicas;
mod script;
mod service;
mod sudoers;
mod tegrastats;
mod tunnel;

use std::sync::Arc;

pub use channel::{FileUpload, ScriptOutput};
pub use connection::{DeviceAccess, Password};
pub use diagnosis::{DeviceFinding, DeviceRequirements, FindingSeverity, diagnose};
pub use facts::{DeviceFacts, SCRIPT as FACTS_SCRIPT, known_releases, power_mode as printed_power_mode};
pub use fleet::Fleet;
pub use host_key::{HostKeyQuery, answer as known_host};
pub use kubeconfig::ClusterCredentials;
pub use latency_probe::probe_latency;
pub use node_state::node_states;
pub use push::{Push, Pushed, push};
pub use replicas::{ReplicaSeen, replica_script};
pub use script::{Script, quoted};
pub use sudoers::sudoers;
pub use tegrastats::{DeviceLoad, SCRIPT as LOAD_SCRIPT};

use on_host::OnHost;

use provider::Providers;
use provider::cluster::ClusterApi;
use resource::{Artifacts, Kind};

pub(crate) use akidb_edge_engine::{provider, resource};

/// The provider of every kind that lives on machines. `api` is asked about the nodes of the clusters on them.
pub fn providers(fleet: &Arc<Fleet>, artifacts: &Arc<Artifacts>, api: &Arc<dyn ClusterApi>) -> Providers {
    Providers::default()
        .with(Kind::Host, Arc::new(host::Hosts::new(fleet)))
        .with(Kind::File, Arc::new(OnHost::<file::MachineFiles>::new(fleet, artifacts)))
        .with(Kind::Account, Arc::new(OnHost::<account::Accounts>::new(fleet, artifacts)))
        .with(Kind::Packages, Arc::new(OnHost::<packages::DebianPackages>::new(fleet, artifacts)))
        .with(Kind::Service, Arc::new(OnHost::<service::Services>::new(fleet, artifacts)))
        .with(Kind::PowerMode, Arc::new(OnHost::<power_mode::PowerModes>::new(fleet, artifacts)))
        .with(Kind::Node, Arc::new(node::Nodes::new(fleet, api)))
        .with(Kind::Image, Arc::new(OnHost::<image::Images>::new(fleet, artifacts)))
}
