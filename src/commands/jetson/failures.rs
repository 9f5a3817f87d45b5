//! Devices that cannot be used now: they and what leans on them are left out, the others go on.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::resource::{Address, Desired, Fault, Observed, Remembered};

/// What is left out of a run, and why.
#[derive(Debug, Default)]
pub struct LeftOut {
    /// Why each machine cannot be used.
    pub machines: BTreeMap<String, Fault>,
    /// Their addresses, and the addresses that need them.
    pub addresses: BTreeSet<Address>,
}

/// Finds the machines that could not be read, and everything that leans on them.
pub fn left_out(desired: &Desired, remembered: &Remembered, observed: &Observed) -> LeftOut {
    let mut left = LeftOut::default();
    for (address, fault) in observed.faults() {
        if let Some(machine) = machine(desired, remembered, address) {
            left.machines.entry(machine).or_insert_with(|| fault.clone());
        }
    }
    let every: BTreeSet<&Address> = desired.resources.keys().chain(remembered.resources.keys()).collect();
    for address in &every {
        if machine(desired, remembered, address).is_some_and(|machine| left.machines.contains_key(&machine)) {
            left.addresses.insert((*address).clone());
        }
    }
    // What needs something that is left out is left out, too, until nothing more is found.
    loop {
        let more: Vec<Address> = desired
            .resources
            .values()
            .filter(|resource| !left.addresses.contains(&resource.address))
            .filter(|resource| resource.needs.keys().any(|need| left.addresses.contains(need) && !is_proof(need)))
            .map(|resource| resource.address.clone())
            .collect();
        if more.is_empty() {
            return left;
        }
        left.addresses.extend(more);
    }
}

/// What leans on a proof goes on without that of a device which is away: it proves nothing about the others.
fn is_proof(address: &Address) -> bool {
    address.as_str().contains(".manifest.job-cuda-proof-")
}

/// The machine that an address lives on.
pub fn machine(desired: &Desired, remembered: &Remembered, address: &Address) -> Option<String> {
    let wanted = desired.resources.get(address).map(|resource| &resource.spec);
    let spec = wanted.or_else(|| remembered.resources.get(address).map(|record| &record.spec))?;
    spec.get("host").or_else(|| spec.get("name")).and_then(Value::as_str).map(str::to_owned)
}
