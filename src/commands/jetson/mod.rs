//! `jetson`: devices over SSH, from bare to a GPU cluster and back. The same engine as for the cloud, in a journal of
//! its own.

mod device_target;
mod devices;
mod doctor;
mod drain;
mod kubeconfig;
mod power;
mod provision;
mod rollback;
mod same_machine;
mod shutdown;
mod status;
mod sudoers;
mod uninstall;
mod unnamed;

use clap::Subcommand;

use super::Context;
use crate::exit::Failure;

pub use devices::{DevicesArgs, need_devices, say_who_is_replaced};
pub use same_machine::refuse_shared;
pub use status::{NodeSeen, seen_nodes};
pub use unnamed::UnnamedDevices;

/// Make devices a GPU cluster, look at them, take them down.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// What to do with the devices.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Make the devices what the plan says: packages, toolkit, k3s, GPU, proof
    Provision(provision::Args),
    /// Deploy what runs in the cluster, with what it needs
    Deploy(provision::Args),
    /// Look for what stands in the way of a device, with the exact remedy
    Doctor(doctor::Args),
    /// Show the devices as they are now: nodes, load, temperatures, power, versions
    Status(status::Args),
    /// Set the power mode by name; auto follows the load of the GPU
    Power(power::Args),
    /// Fetch the cluster's credentials and merge them into ~/.kube/config
    Kubeconfig(kubeconfig::Args),
    /// Move the pods away from nodes, within their disruption budgets
    Drain(drain::DrainArgs),
    /// Let pods come back to nodes
    Uncordon(drain::Args),
    /// Switch devices off: drained first, agents before the server
    Shutdown(shutdown::Args),
    /// Undo the last run on the devices, or go back to a revision
    Rollback(rollback::Args),
    /// Take away everything that was brought to the devices
    Uninstall(uninstall::Args),
    /// Print a sudoers file for the devices: what the tool runs there, and no other command
    Sudoers(sudoers::Args),
}

/// Runs a verb.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    match args.verb {
        Verb::Provision(args) => provision::run(args, false, context).await,
        Verb::Deploy(args) => provision::run(args, true, context).await,
        Verb::Doctor(args) => doctor::run(args, context).await,
        Verb::Status(args) => status::run(args, context).await,
        Verb::Power(args) => power::run(args, context).await,
        Verb::Kubeconfig(args) => kubeconfig::run(args, context).await,
        Verb::Drain(args) => drain::run(args, context).await,
        Verb::Uncordon(args) => drain::uncordon(args, context).await,
        Verb::Shutdown(args) => shutdown::run(args, context).await,
        Verb::Rollback(args) => rollback::run(args, context).await,
        Verb::Uninstall(args) => uninstall::run(args, context).await,
        Verb::Sudoers(args) => sudoers::run(&args, context),
    }
}
