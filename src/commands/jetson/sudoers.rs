//! `jetson sudoers`: prints a sudo rule for accounts without full sudo.

use std::collections::BTreeSet;

use serde_json::json;

use super::devices;
use crate::commands::Context;
use crate::commands::workflow::PlanArgs;
use crate::desired::jetson;
use crate::exit::{self, Failure, codes};
use crate::provider::device::sudoers;
use crate::resource::host::HostSpec;
use crate::resource::{Kind, SafeText, shown};

/// Print a file for sudo on the devices: it allows what the tool runs there and no other command. Its comments say what it does not
/// limit. No device is contacted.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    plan: PlanArgs,
    /// Use the devices in this YAML file instead of the plan's
    #[arg(long, value_name = "FILE")]
    inventory: Option<String>,
}

/// Prints.
///
/// # Errors
/// When the plan cannot be read, has no devices, or names no user of a device.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let plan = devices::looked_at(&args.plan, args.inventory.as_deref(), context)?;
    let built = jetson::build(&plan)?;
    let hosts = built.desired.resources.values().filter(|resource| resource.kind == Kind::Host);
    let hosts: Vec<HostSpec> = hosts.filter_map(|host| host.typed()).collect();
    if let Some(host) = hosts.iter().find(|host| host.user.is_none()) {
        return Err(codes::NO_ACCOUNT.refused(
            shown!("the plan does not name the user of {}: sudo rules need account names", host.name),
            shown!("write user: NAME for {} or for all devices, in the plan or in the inventory", host.name),
        ));
    }
    let accounts: BTreeSet<String> =
        hosts.into_iter().filter_map(|host| host.user).filter(|user| user != "root").collect();
    if accounts.is_empty() {
        return Err(codes::NO_ACCOUNT.refused(
            "the tool logs in as root on every device and calls no sudo",
            "name an ordinary user in the plan or in the inventory",
        ));
    }
    let text = sudoers(&accounts).map_err(|name| {
        codes::NO_ACCOUNT.refused(
            shown!("sudo takes {} for an alias or a group, not for the account of that name", name),
            "name another user in the plan or in the inventory; an account of capital letters alone cannot have a rule of its own",
        )
    })?;
    if context.printer.json {
        context.printer.json("jetson-sudoers", &json!({"accounts": accounts, "sudoers": text}));
    } else {
        context.printer.data(SafeText::document(&text));
    }
    Ok(exit::DONE)
}
