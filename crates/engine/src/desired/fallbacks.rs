//! What the fallbacks of a plan say of the graph that they change.

use std::collections::{BTreeMap, BTreeSet};

use super::build;
use crate::plan::{Plan, PlanError, PlanErrors, rules};
use crate::resource::{Address, Desired};

/// Checks every fallback against the graph that the plan becomes with it. Whether the plan itself can be built is checked before.
///
/// # Errors
/// A graph that cannot be, each part of `only` that no address of the plan answers to, and each setting that changes nothing of
/// what `only` selects.
pub fn check_fallbacks(plan: &Plan) -> Result<(), PlanErrors> {
    let every: BTreeSet<String> = plan.steps.iter().map(|step| step.id.clone()).collect();
    let Ok(plain) = build(plan, &every) else { return Ok(()) };
    let mut problems = Vec::new();
    for (name, fallback) in &plan.fallbacks {
        let built = plan.with_fallback(name).and_then(|changed| build(&changed, &fallback.request));
        match built {
            Ok(built) => {
                let resources = plain.desired.resources.keys().chain(built.desired.resources.keys());
                let addresses: BTreeSet<&Address> = resources.collect();
                problems.extend(unknown(plan, name, &addresses));
                problems.extend(without_effect(plan, name));
            }
            Err(PlanErrors(wrong)) => problems.extend(
                wrong
                    .into_iter()
                    .map(|one| PlanError { problem: format!("with the fallback {name}: {}", one.problem), ..one }),
            ),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(PlanErrors(problems)) }
}

/// What a fallback sets and `only` does not select: a run would leave it as it is. A setting that changes nothing by itself, or
/// fits only together with others, is left to the run.
fn without_effect(plan: &Plan, name: &str) -> Vec<PlanError> {
    let Some(fallback) = plan.fallbacks.get(name) else { return Vec::new() };
    let Ok(before) = build(plan, &fallback.request) else { return Vec::new() };
    let mut problems = Vec::new();
    for (key, value) in &fallback.set {
        let mut alone = plan.clone();
        if let Some(one) = alone.fallbacks.get_mut(name) {
            one.set = BTreeMap::from([(key.clone(), value.clone())]);
        }
        let with = alone.with_fallback(name).and_then(|changed| build(&changed, &fallback.request));
        let Ok(with) = with else { continue };
        let changed = changed(&before.desired, &with.desired);
        let former = |address: &Address, pattern: &str| {
            with.desired.moved.iter().any(|(from, to)| to == address && from.matches(pattern))
        };
        let selected = |address: &&Address| {
            fallback.only.iter().any(|pattern| address.matches(pattern) || former(address, pattern))
        };
        if changed.is_empty() || changed.iter().any(selected) {
            continue;
        }
        let path = format!("fallbacks.{name}.set.{key}");
        let all: Vec<&str> = changed.iter().map(|address| address.as_str()).collect();
        problems.push(PlanError {
            rule: rules::FALLBACK,
            file: plan.file_of(&path).to_owned(),
            place: plan.place(&path),
            problem: format!("fallback {name} sets {key:?}, which changes {}: only does not select it", all.join(", ")),
            next_step: "add the address to only, or remove the setting from set".to_owned(),
        });
    }
    problems
}

/// The addresses of which the settings differ, or that one of the two graphs does not have.
fn changed<'d>(before: &'d Desired, after: &'d Desired) -> BTreeSet<&'d Address> {
    let spec = |graph: &'d Desired, address: &Address| graph.resources.get(address).map(|resource| &resource.spec);
    let all = before.resources.keys().chain(after.resources.keys());
    all.filter(|address| spec(before, address) != spec(after, address)).collect()
}

/// What `only` names and the plan does not have.
fn unknown(plan: &Plan, name: &str, addresses: &BTreeSet<&Address>) -> Vec<PlanError> {
    let only = plan.fallbacks.get(name).map(|fallback| fallback.only.as_slice()).unwrap_or_default();
    let unknown = only.iter().enumerate().filter(|(_, pattern)| !addresses.iter().any(|one| one.matches(pattern)));
    let problem = |(at, pattern): (usize, &String)| {
        let path = format!("fallbacks.{name}.only.{at}");
        let known: BTreeSet<String> =
            addresses.iter().map(|address| format!("{}.{}", address.area(), address.kind_name())).collect();
        PlanError {
            rule: rules::FALLBACK,
            file: plan.file_of(&path).to_owned(),
            place: plan.place(&path),
            problem: format!("fallback {name}: only names {pattern:?}, and the plan has no such address"),
            next_step: format!(
                "name an address, or the beginning of one: {}",
                known.into_iter().collect::<Vec<_>>().join(", ")
            ),
        }
    };
    unknown.map(problem).collect()
}
