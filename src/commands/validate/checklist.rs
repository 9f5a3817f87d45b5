//! `validate checklist`: the points before a week is closed, from the journal and from what was measured before. Sends nothing, unless
//! the devices are to be asked.

use std::path::PathBuf;

use super::dns::{JOURNAL, state};
use super::gate::{self, GateArgs};
use super::measurements::{self, Found, Measurement};
use super::steps::StepArgs;
use super::{judge, storage};
use crate::commands::Context;
use crate::commands::jetson::{DevicesArgs, NodeSeen, seen_nodes};
use crate::desired;
use crate::exit::Failure;
use crate::measure::verdict::{self, Compare, MeasuredFinding, Unit, Wanted};
use crate::plan::validation::ChecklistCheck;
use crate::resource::records::RecordsSpec;
use crate::resource::{Desired, Kind, ResourceStatus, StackState};

/// Go through the points before a week is closed, from the journal and from what was measured before.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    devices: DevicesArgs,
    /// Also query the devices and count their nodes, as `jetson status` does
    #[arg(long = "devices")]
    ask_devices: bool,
    /// Only this step of the plan, by its id; all of this check when left out
    #[arg(long, value_name = "ID")]
    step: Vec<String>,
    /// Also write the findings to this file as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    gate: GateArgs,
}

/// Goes through them.
///
/// # Errors
/// When the plan, the journal or the measurements cannot be read.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let steps = StepArgs { plan: args.devices.plan_args().clone(), step: args.step.clone(), junit: args.junit.clone() };
    let plan = args.devices.whole_plan(context)?;
    args.gate.check(&plan)?;
    let nodes = match args.ask_devices {
        true => Some(seen_nodes(&args.devices.load(&[], context)?).await),
        false => None,
    };
    let state = state(&plan.stack, context).await?;
    let desired = desired::build(&plan, &state.requested)?.desired;
    let kept = storage::kept(&plan.stack, context).await?;
    let mut all = Vec::new();
    for (step, check) in steps.of(&plan, "checklist", |validation| validation.checklist())? {
        let found = measure(check, &desired, &state, &kept, nodes.as_deref());
        let from = vec![JOURNAL.to_owned()];
        all.push(Measurement::now("checklist", Some(&step.id), from, found));
    }
    gate::finish(all, &args.gate, &plan, nodes, steps.output(Some(&plan.stack)), context).await
}

/// The points of one list.
pub fn measure(
    check: &ChecklistCheck,
    desired: &Desired,
    state: &StackState,
    kept: &[Measurement],
    nodes: Option<&[NodeSeen]>,
) -> Vec<Found> {
    let latency = Wanted::new("p95 of the latency", Unit::Milliseconds, Compare::Less, check.latency_ms);
    let least = check.cache_hit_percent / 100.0;
    let hits = Wanted::new("cache hit rate", Unit::Share, Compare::AtLeast, least);
    vec![
        there("distribution", Kind::Distribution, state),
        there("version of the function at the edge", Kind::FunctionVersion, state),
        geolocation(check, desired, state),
        before("latency.p95", &latency, kept),
        before("cdn.cache_hit_rate", &hits, kept),
        ready(check, nodes),
    ]
}

fn point(name: &str, finding: MeasuredFinding) -> Found {
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

/// The nodes that the cluster calls ready, when it was asked.
fn ready(check: &ChecklistCheck, nodes: Option<&[NodeSeen]>) -> Found {
    let wish = Wanted::new("nodes that are ready", Unit::Count, Compare::AtLeast, check.jetson_nodes as f64);
    let finding = match nodes {
        None => verdict::unmeasured(&wish, "not asked: add --devices"),
        Some(nodes) if nodes.iter().all(|node| node.node.is_none()) => {
            verdict::unmeasured(&wish, "the cluster did not answer; akidb-edge jetson status shows why")
        }
        Some(nodes) => verdict::known(&wish, nodes.iter().filter(|node| node.node == Some("ready")).count() as f64),
    };
    point("nodes", finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::verdict::Verdict;

    #[test]
    fn nodes_count_when_the_cluster_was_asked_and_answered() {
        let check: ChecklistCheck = serde_json::from_value(serde_json::json!({
            "distribution_status": "Deployed", "function_state": "Active", "jetson_nodes": 2, "geolocation_sets": 4,
            "latency_ms": 50.0, "cache_hit_percent": 95.0,
        }))
        .expect("a check");
        let node = |node| NodeSeen { node, has_jetpack_of_plan: true, gpu_percent: None };
        let verdict = |nodes: Option<&[NodeSeen]>| ready(&check, nodes).finding.verdict;
        assert_eq!(verdict(Some(&[node(Some("ready")), node(Some("ready"))])), Verdict::Pass);
        assert_eq!(verdict(Some(&[node(Some("ready")), node(Some("not ready"))])), Verdict::Fail);
        assert_eq!((verdict(Some(&[node(None)])), verdict(None)), (Verdict::Inconclusive, Verdict::Inconclusive));
    }
}
