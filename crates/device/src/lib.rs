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
mod node;
mod node_labels;
mod node_script;
mod node_state;
mod on_host;
mod packages;
mod power_mode;
mod push;
mod refusal;
mod registry;
mod script;
mod service;
mod sudoers;
mod tegrastats;
mod tunnel;

use std::sync::Arc;

pub use channel::{Reply, Upload};
pub use connection::{Access, Password};
pub use diagnosis::{Finding, Severity, Wanted, diagnose};
pub use facts::{Facts, SCRIPT as FACTS_SCRIPT, known_releases, power_mode as printed_power_mode};
pub use fleet::Fleet;
pub use host_key::{Shown, answer as known_host};
pub use kubeconfig::Taken;
pub use node_state::node_states;
pub use push::{Push, Pushed, push};
pub use script::{Script, quoted};
pub use sudoers::sudoers;
pub use tegrastats::{Load, SCRIPT as LOAD_SCRIPT};

use on_host::OnHost;

use provider::Providers;
use provider::cluster::ClusterApi;
use resource::{Artefacts, Kind};

pub(crate) use akidb_edge_engine::{provider, resource};

/// The provider of every kind that lives on machines. `api` is asked about the nodes of the clusters on them.
pub fn providers(fleet: &Arc<Fleet>, artefacts: &Arc<Artefacts>, api: &Arc<dyn ClusterApi>) -> Providers {
    Providers::default()
        .with(Kind::Host, Arc::new(host::Hosts::new(fleet)))
        .with(Kind::File, Arc::new(OnHost::<file::Files>::new(fleet, artefacts)))
        .with(Kind::Account, Arc::new(OnHost::<account::Accounts>::new(fleet, artefacts)))
        .with(Kind::Packages, Arc::new(OnHost::<packages::DebianPackages>::new(fleet, artefacts)))
        .with(Kind::Service, Arc::new(OnHost::<service::Services>::new(fleet, artefacts)))
        .with(Kind::PowerMode, Arc::new(OnHost::<power_mode::PowerModes>::new(fleet, artefacts)))
        .with(Kind::Node, Arc::new(node::Nodes::new(fleet, api)))
        .with(Kind::Image, Arc::new(OnHost::<image::Images>::new(fleet, artefacts)))
}
