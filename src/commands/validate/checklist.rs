//! `validate checklist`: the points before a week is closed, from the journal and from what was measured before. Sends nothing.

use super::dns::{JOURNAL, state};
use super::steps::StepArgs;
use super::told::{self, Found, Measurement};
use crate::commands::Context;
use crate::desired;
use crate::exit::Failure;
use crate::measure::verdict::{self, Compare, Unit};
use crate::plan::validation::ChecklistCheck;
use crate::resource::records::RecordsSpec;
use crate::resource::{Desired, Kind, ResourceStatus, StackState};

/// Go through the points before a week is closed, from the journal and from what was measured before.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    steps: StepArgs,
}

/// Goes through them.
///
/// # Errors
/// When the plan, the journal or the measurements cannot be read.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let plan = args.steps.load(context)?;
    let state = state(&plan.stack, context).await?;
    let desired = desired::build(&plan, &state.requested)?.desired;
    let kept = told::kept(&plan.stack, context).await?;
    let mut all = Vec::new();
    for (step, check) in args.steps.of(&plan, "checklist", |validation| validation.checklist())? {
        let found = measure(check, &desired, &state, &kept);
        let from = vec![JOURNAL.to_owned()];
        all.push(Measurement::now("checklist", Some(&step.id), from, found));
    }
    told::tell(&all, Some(&plan.stack), context).await
}

/// The points of one list.
pub fn measure(check: &ChecklistCheck, desired: &Desired, state: &StackState, kept: &[Measurement]) -> Vec<Found> {
    vec![
        there("distribution", Kind::Distribution, state),
        there("version of the function at the edge", Kind::FunctionVersion, state),
        geolocation(check, desired, state),
        before("latency.p95", "p95 of the latency", check.latency_ms, Unit::Milliseconds, Compare::Below, kept),
        before("cdn.cache_hit_rate", "cache hit rate", check.cache_hit_percent, Unit::Percent, Compare::Above, kept),
        nodes(check),
    ]
}

fn point(name: &str, finding: verdict::Finding) -> Found {
    Found { measure: format!("checklist.{}", name.replace(' ', "_")), of: None, finding }
}

fn there(name: &str, kind: Kind, state: &StackState) -> Found {
    let there = |address: &&crate::resource::Address| address.kind() == kind;
    let present = state.resources.iter().filter(|(_, record)| record.standing == ResourceStatus::Present);
    let count = present.filter(|(address, _)| there(address)).count();
    point(name, verdict::known(format!("{name} is deployed"), count as f64, Unit::Count, Compare::AtLeast, 1.0))
}

/// Record sets by place in groups that are there.
fn geolocation(check: &ChecklistCheck, desired: &Desired, state: &StackState) -> Found {
    let groups = desired.resources.values().filter(|resource| resource.kind == Kind::Records);
    let there = groups.filter(|group| {
        state.resources.get(&group.address).is_some_and(|record| record.standing == ResourceStatus::Present)
    });
    let sets = there.filter_map(|group| group.typed::<RecordsSpec>()).flat_map(|spec| spec.sets);
    let count = sets.filter(|set| set.policy() == "geolocation").count();
    let name = "geolocation record sets".to_owned();
    let wanted = check.geolocation_sets as f64;
    point("geolocation", verdict::known(name, count as f64, Unit::Count, Compare::AtLeast, wanted))
}

/// The latest figure of another check, against the limit of this list.
fn before(measure: &str, name: &str, limit: f64, unit: Unit, compare: Compare, kept: &[Measurement]) -> Found {
    let all = kept.iter().flat_map(|one| one.found.iter().map(move |found| (one, found)));
    let latest = all.filter(|(_, found)| found.measure == measure).next_back();
    let finding = match latest {
        Some((one, found)) => {
            let mut finding = found.finding.against(compare, limit);
            finding.notes.push(told::how(one, found));
            finding
        }
        None => verdict::unmeasured(name.to_owned(), unit, compare, limit, "no check has measured it yet"),
    };
    point(name, finding)
}

fn nodes(check: &ChecklistCheck) -> Found {
    let name = "nodes that are ready".to_owned();
    let why = "akidb-edge jetson status counts them";
    point("nodes", verdict::unmeasured(name, Unit::Count, Compare::AtLeast, check.jetson_nodes as f64, why))
}
