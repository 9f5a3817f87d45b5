//! Imported resources at a destroy: kept and listed, or deleted if they are named.

use std::collections::BTreeSet;

use super::Context;
use crate::exit::{Failure, codes};
use crate::resource::{Action, Address, Change, Changes, ResourceOrigin, StackState, shown};

/// The imported resources that are to be deleted, each named by its whole address.
///
/// # Errors
/// When one of them is not in the state, or was not imported.
pub fn named(named: &[Address], recorded: &StackState) -> Result<BTreeSet<Address>, Failure> {
    for address in named {
        let next = "akidb-edge state list shows the addresses and which of them were imported";
        let Some(record) = recorded.resources.get(address) else {
            return Err(codes::UNKNOWN_NAME
                .refused(shown!("--delete-imported {}: the state has no {}", address, address), next));
        };
        if !record.is_imported() {
            let problem = shown!("--delete-imported {}: it was not imported, a destroy deletes it anyway", address);
            return Err(codes::ARGUMENT.refused(problem, "leave the option out"));
        }
    }
    Ok(named.iter().cloned().collect())
}

/// What a destroy leaves standing because the stack did not make it.
pub fn say_what_stays(changes: &Changes, context: &Context) {
    let stays = |change: &&Change| {
        change.action == Action::Forget && change.found.is_some() && change.origin == ResourceOrigin::Imported
    };
    let staying: Vec<String> = changes
        .items
        .values()
        .filter(stays)
        .map(|change| format!("{} ({})", change.address, change.found.as_ref().map_or("", |found| &found.id)))
        .collect();
    if !staying.is_empty() {
        context.printer.remark(shown!(
            "left: imported, not created by this stack: {}; --delete-imported ADDRESS deletes one of them in the same \
             run. Settings that deploys gave them stay: to have those of a state import back, roll back to its \
             revision first",
            staying.join(", ")
        ));
    }
}
