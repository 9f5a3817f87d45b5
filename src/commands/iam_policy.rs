//! The IAM policies that `deploy` prints: what the tool needs for a plan, and what the plan's own boundaries have to hold.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Context;
use super::doctor;
use super::workflow;
use crate::exit::{self, Failure, codes};
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::provider::aws::{Ids, MOST_OF_A_POLICY, boundaries, parts_of_policy, size_of_policy};
use crate::report;
use crate::resource::{Desired, ResourceStatus, StackState, shown};

/// The graph of a plan, steps on request included.
fn whole(plan: &Plan, context: &Context) -> Result<Desired, Failure> {
    let every: BTreeSet<String> = plan.steps.iter().map(|step| step.id.clone()).collect();
    Ok(workflow::build(plan, &every, &context.printer)?.desired)
}

/// What services call the plan's things that are deployed; none of what may be there or not.
fn ids(desired: &Desired, state: &StackState) -> Ids {
    let records = state.resources.iter();
    let known = records.filter(|(address, record)| {
        let same = desired.resources.get(*address).is_some_and(|resource| resource.kind == record.kind);
        same && record.standing != ResourceStatus::Creating
    });
    known.filter_map(|(address, record)| Some((address.clone(), record.id.clone()?))).collect()
}

/// Prints what the tool must be allowed to do for this plan; `deployed`: for the stack as the journal has it, so that what AWS holds
/// to nothing but an ID is held to its ID.
///
/// # Errors
/// When the plan is wrong, or the journal cannot be read or knows nothing.
pub async fn print(plan: &Plan, deployed: bool, context: &Context) -> Result<u8, Failure> {
    let desired = whole(plan, context)?;
    let ids = if deployed {
        let store = workflow::store(&context.global, &context.session, &desired.stack, None).await?;
        let (_, state) = workflow::moved(&desired, Ledger::read(store, &desired.stack).await?.recorded());
        if state.resources.is_empty() {
            return Err(codes::UNKNOWN_STACK.refused(
                shown!("nothing of the stack {} is deployed, so no IDs are known", desired.stack),
                "leave --deployed out, or deploy first",
            ));
        }
        ids(&desired, &state)
    } else {
        Ids::new()
    };
    let policy = doctor::needed(&desired, "*", &ids, &context.global.state);
    let parts = parts_of_policy(&policy);
    if context.printer.json {
        context.printer.json("iam-policy", &json!({"policy": policy, "managed_policies": parts}));
        return Ok(exit::DONE);
    }
    report::put_json(&policy);
    if parts.len() > 1 {
        context.printer.remark(shown!(
            "it has {} characters: an inline policy of a role takes 10,240, a managed policy {}; \
             --json divides it into {} managed policies (managed_policies)",
            size_of_policy(&policy),
            MOST_OF_A_POLICY,
            parts.len()
        ));
    }
    Ok(exit::DONE)
}

/// Prints what the permissions boundary that the plan names has to hold.
///
/// # Errors
/// When the plan is wrong, or names no boundary, or several.
pub fn print_boundary(plan: &Plan, context: &Context) -> Result<u8, Failure> {
    let all = boundaries(&whole(plan, context)?, "*");
    if all.is_empty() {
        return Err(codes::NOTHING_SELECTED.refused(
            "the plan names no permissions boundary of the account: its roles are within managed policies of AWS",
            "write role_boundary: NAME in the step that replicates buckets",
        ));
    }
    if context.printer.json {
        context.printer.json("iam-boundary", &json!({"boundaries": all}));
        return Ok(exit::DONE);
    }
    let names: Vec<&str> = all.keys().map(String::as_str).collect();
    let documents: Vec<&Value> = all.values().collect();
    match documents.as_slice() {
        [one] => {
            report::put_json(one);
            Ok(exit::DONE)
        }
        _ => Err(codes::OPTIONS.refused(
            shown!("the plan names several permissions boundaries: {}", names.join(", ")),
            "add --json, which prints each of them by name",
        )),
    }
}
