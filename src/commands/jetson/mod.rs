//! `jetson`: devices over SSH, from bare to a GPU cluster and back. The same engine as for the cloud, in a journal of
//! its own.

mod device_target;
mod devices;
mod doctor;
mod drain;
mod image;
mod kubeconfig;
mod power;
mod provision;
mod replicas;
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

pub use crate::provider::device::ReplicaSeen;
pub use devices::{DevicesArgs, need_devices, say_who_is_replaced};
pub use replicas::seen_replicas;
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
    /// Provision the devices: packages, NVIDIA toolkit, k3s, GPU, CUDA test
    Provision(provision::Args),
    /// Deploy the workloads of the cluster and their dependencies
    Deploy(provision::Args),
    /// Diagnose devices and print how to fix each problem
    Doctor(doctor::Args),
    /// Show live device status: nodes, load, temperatures, power, versions
    Status(status::Args),
    /// Set the power mode by name; auto follows the GPU load
    Power(power::Args),
    /// Fetch the cluster's credentials and merge them into ~/.kube/config
    Kubeconfig(kubeconfig::Args),
    /// Push images to the cluster's registry
    Image(image::Args),
    /// Evict the pods from nodes, within their disruption budgets
    Drain(drain::DrainArgs),
    /// Allow pods to be scheduled on nodes again
    Uncordon(drain::Args),
    /// Drain and shut down devices, agents before the server
    Shutdown(shutdown::Args),
    /// Undo the last run on the devices, or roll back to a revision
    Rollback(rollback::Args),
    /// Remove everything that was installed on the devices
    Uninstall(uninstall::Args),
    /// Print a sudoers file that allows only the commands the tool runs on the devices
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
        Verb::Image(args) => image::run(args, context).await,
        Verb::Drain(args) => drain::run(args, context).await,
        Verb::Uncordon(args) => drain::uncordon(args, context).await,
        Verb::Shutdown(args) => shutdown::run(args, context).await,
        Verb::Rollback(args) => rollback::run(args, context).await,
        Verb::Uninstall(args) => uninstall::run(args, context).await,
        Verb::Sudoers(args) => sudoers::run(&args, context),
    }
}
