//! `validate checklist`: the points before a week is closed, from the journal and from what was measured before. Sends nothing.

use super::dns::{JOURNAL, state};
use super::measurements::{self, Found, Measurement};
use super::steps::StepArgs;
use super::{judge, storage};
use crate::commands::Context;
use crate::desired;
use crate::exit::Failure;
use crate::measure::verdict::{self, Compare, Finding, Unit, Wanted};
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
    let kept = storage::kept(&plan.stack, context).await?;
    let mut all = Vec::new();
    for (step, check) in args.steps.of(&plan, "checklist", |validation| validation.checklist())? {
        let found = measure(check, &desired, &state, &kept);
        let from = vec![JOURNAL.to_owned()];
        all.push(Measurement::now("checklist", Some(&step.id), from, found));
    }
    measurements::finish(&all, args.steps.output(Some(&plan.stack)), context).await
}

/// The points of one list.
pub fn measure(check: &ChecklistCheck, desired: &Desired, state: &StackState, kept: &[Measurement]) -> Vec<Found> {
    let latency = Wanted::new("p95 of the latency", Unit::Milliseconds, Compare::Less, check.latency_ms);
    let least = check.cache_hit_percent / 100.0;
    let hits = Wanted::new("cache hit rate", Unit::Share, Compare::AtLeast, least);
    vec![
        there("distribution", Kind::Distribution, state),
        there("version of the function at the edge", Kind::FunctionVersion, state),
        geolocation(check, desired, state),
        before("latency.p95", &latency, kept),
        before("cdn.cache_hit_rate", &hits, kept),
        nodes(check),
    ]
}

fn point(name: &str, finding: Finding) -> Found {
    Found { measure: format!("checklist.{}", name.replace(' ', "_")), of: None, finding }
}

fn there(name: &str, kind: Kind, state: &StackState) -> Found {
    let there = |address: &&crate::resource::Address| address.kind_name() == kind.name();
    let present = state.resources.iter().filter(|(_, record)| record.standing == ResourceStatus::Present);
    let count = present.filter(|(address, _)| there(address)).count();
    let wish = Wanted::new(format!("{name} is deployed"), Unit::Count, Compare::AtLeast, 1.0);
    point(name, verdict::known(&wish, count as f64))
}

/// Record sets by place in groups that are there.
fn geolocation(check: &ChecklistCheck, desired: &Desired, state: &StackState) -> Found {
    let groups = desired.resources.values().filter(|resource| resource.kind == Kind::Records);
    let there = groups.filter(|group| {
        state.resources.get(&group.address).is_some_and(|record| record.standing == ResourceStatus::Present)
    });
    let sets = there.filter_map(|group| group.typed::<RecordsSpec>()).flat_map(|spec| spec.sets);
    let count = sets.filter(|set| set.policy() == "geolocation").count();
    let wanted = check.geolocation_sets as f64;
    let wish = Wanted::new("geolocation record sets", Unit::Count, Compare::AtLeast, wanted);
    point("geolocation", verdict::known(&wish, count as f64))
}

/// The latest figure of another check, against the limit of this list.
fn before(measure: &str, wish: &Wanted, kept: &[Measurement]) -> Found {
    let mut all = kept.iter().flat_map(|one| one.found.iter().map(move |found| (one, found)));
    let latest = all.rfind(|(_, found)| found.measure == measure);
    let finding = match latest {
        Some((one, found)) => judge::against(&found.finding, wish).with_note(measurements::how(one, found)),
        None => verdict::unmeasured(wish, "no check has measured it yet"),
    };
    point(&wish.name, finding)
}

fn nodes(check: &ChecklistCheck) -> Found {
    let wish = Wanted::new("nodes that are ready", Unit::Count, Compare::AtLeast, check.jetson_nodes as f64);
    point("nodes", verdict::unmeasured(&wish, "akidb-edge jetson status counts them"))
}
