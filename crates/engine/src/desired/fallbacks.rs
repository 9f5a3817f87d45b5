//! What the fallbacks of a plan say of the graph that they change.

use std::collections::BTreeSet;

use super::build;
use crate::plan::{Plan, Problem, Problems};
use crate::resource::Address;

/// Checks every fallback against the graph that the plan becomes with it. Whether the plan itself can be built is checked before.
///
/// # Errors
/// A graph that cannot be, and each part of `only` that no address of the plan answers to.
pub fn check_fallbacks(plan: &Plan) -> Result<(), Problems> {
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
            }
            Err(Problems(wrong)) => problems.extend(
                wrong
                    .into_iter()
                    .map(|one| Problem { problem: format!("with the fallback {name}: {}", one.problem), ..one }),
            ),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

/// What `only` names and the plan does not have.
fn unknown(plan: &Plan, name: &str, addresses: &BTreeSet<&Address>) -> Vec<Problem> {
    let only = plan.fallbacks.get(name).map(|fallback| fallback.only.as_slice()).unwrap_or_default();
    let unknown = only.iter().enumerate().filter(|(_, pattern)| !addresses.iter().any(|one| one.matches(pattern)));
    let problem = |(at, pattern): (usize, &String)| {
        let path = format!("fallbacks.{name}.only.{at}");
        let known: BTreeSet<String> =
            addresses.iter().map(|address| format!("{}.{}", address.area(), address.kind_name())).collect();
        Problem {
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
