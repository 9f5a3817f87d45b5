//! Missing permissions of a plan, from IAM's policy simulator.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::check::DoctorCheck;
use crate::commands::Context;
use crate::commands::workflow::AccountConnection;
use crate::desired;
use crate::exit::{Failure, codes};
use crate::plan::Plan;
use crate::provider::aws::{CallerIdentity, Ids, MissingAction, Simulation, least_privilege, simulate};
use crate::resource::{Desired, FaultClass, shown};

const NAME: &str = "permissions";
/// Missing actions that are shown; all of them with -v and with --json.
const SHOWN: usize = 12;

/// The policy that a graph needs, the place of its state included.
pub fn needed(desired: &Desired, account: &str, ids: &Ids, state: &str) -> Value {
    let mut policy = least_privilege(desired, account, ids);
    if let (Some(all), Some(place)) = (policy["Statement"].as_array_mut(), state.strip_prefix("s3://")) {
        let place = place.split('?').next().unwrap_or(place);
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let below = [prefix.trim_matches('/'), "*"]
            .iter()
            .filter(|part| !part.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join("/");
        all.push(json!({"Sid": "StatePlace", "Effect": "Allow", "Action": ["s3:ListBucket"],
                        "Resource": [format!("arn:aws:s3:::{bucket}")]}));
        all.push(
            json!({"Sid": "State", "Effect": "Allow", "Action": ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
                        "Resource": [format!("arn:aws:s3:::{bucket}/{below}")]}),
        );
    }
    policy
}

/// The policy that a plan needs, its steps on request included.
fn of_plan(plan: &Plan, account: &str, state: &str) -> Result<Value, Failure> {
    let every: BTreeSet<String> = plan.steps.iter().map(|step| step.id.clone()).collect();
    Ok(needed(&desired::build(plan, &every)?.desired, account, &Ids::new(), state))
}

/// Asks.
pub async fn look(
    plan: &Plan,
    connection: &AccountConnection,
    identity: &CallerIdentity,
    context: &Context,
) -> (DoctorCheck, Value) {
    let policy = match of_plan(plan, &identity.account, &context.global.state) {
        Ok(policy) => policy,
        Err(failure) => return (DoctorCheck::failed(NAME, &failure), Value::Null),
    };
    let compare = "compare the caller's policies with: akidb-edge deploy --print-iam-policy";
    match simulate(&connection.clients, identity, &policy).await {
        Ok(Some(simulation)) => (told(&simulation, context.printer.verbose > 0), json!(simulation)),
        Ok(None) => {
            let why =
                shown!("{} is not a user or role that IAM simulates; the root user may do everything", identity.arn);
            (DoctorCheck::skipped(NAME, why), Value::Null)
        }
        Err(fault) if fault.class == FaultClass::Denied => {
            let found = "unknown: the caller is not allowed to use IAM's policy simulator";
            let next = shown!("allow iam:SimulatePrincipalPolicy and iam:GetRole, or {}", compare);
            (DoctorCheck::warning(NAME, found, next), Value::Null)
        }
        Err(fault) => (DoctorCheck::unknown(NAME, "not known", &fault, compare), Value::Null),
    }
}

fn told(simulation: &Simulation, all: bool) -> DoctorCheck {
    let Simulation { principal, actions, missing } = simulation;
    if missing.is_empty() {
        return DoctorCheck::good(
            NAME,
            shown!("all {} actions of the plan are allowed to {} (simulated)", actions, principal),
        );
    }
    let mut by_action: BTreeMap<&str, Vec<&MissingAction>> = BTreeMap::new();
    for one in missing {
        by_action.entry(&one.action).or_default().push(one);
    }
    let mut found =
        shown!("{} of {} actions of the plan are not allowed to {} (simulated):", by_action.len(), actions, principal);
    let shown = if all { by_action.len() } else { SHOWN };
    for (action, each) in by_action.iter().take(shown) {
        let on: Vec<&str> = each.iter().map(|one| one.resource.as_str()).collect();
        found.push(shown!("\n{} on {}{}", action, on.join(", "), why(each)));
    }
    let left = by_action.len().saturating_sub(shown);
    if left > 0 {
        found.push(shown!("\nand {} more (-v shows them)", left));
    }
    let next = "add them to the caller's policy: akidb-edge deploy --print-iam-policy prints the whole of it";
    DoctorCheck::failed(NAME, &codes::DENIED.error(found, next))
}

fn why(each: &[&MissingAction]) -> &'static str {
    if each.iter().any(|one| one.by_organization) {
        " (not allowed by a policy of the organization)"
    } else if each.iter().any(|one| one.denied) {
        " (a policy denies it)"
    } else {
        ""
    }
}
