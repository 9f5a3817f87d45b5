//! `validate dns`: the region of each continent, with all regions up and with each region down, as deployed; and how many regions
//! Route 53 counts as healthy.

use std::collections::BTreeMap;

use super::health_checks;
use super::measurements::{self, Found, Measurement};
use super::steps::StepArgs;
use crate::commands::{Context, workflow};
use crate::desired;
use crate::exit::{Failure, codes};
use crate::ledger::Ledger;
use crate::measure::verdict::{self, Compare, Unit, Wanted};
use crate::plan::validation::DnsCheck;
use crate::plan::{Plan, Step, StepConfig};
use crate::resource::dns_answer::{self, DnsQuestion};
use crate::resource::{Desired, Kind, ResourceStatus, StackState, shown};

/// What is looked at instead of a server.
pub const JOURNAL: &str = "the journal";
/// How many of the expected places are sent where the plan says.
const PLACES: &str = "dns.places_right";

/// Compare where each continent is sent with the plan, with each region up and down. Answers are worked out from the record sets that
/// the journal says are deployed; no resolver is asked. Route 53 is asked which regions its health checks count as healthy now.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    steps: StepArgs,
}

/// Compares.
///
/// # Errors
/// When the plan or the journal cannot be read, or the check names what the plan does not have.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let plan = args.steps.load(context)?;
    let state = state(&plan.stack, context).await?;
    let desired = desired::build(&plan, &state.requested)?.desired;
    let mut all = Vec::new();
    for (step, check) in args.steps.of(&plan, "dns", |validation| validation.dns())? {
        let mut found = measure(check, &plan, &desired, &state)?;
        found.extend(health_checks::measure(&state, context).await);
        all.push(Measurement::now("dns", Some(&step.id), vec![JOURNAL.to_owned()], found));
    }
    measurements::finish(&all, args.steps.output(Some(&plan.stack)), context).await
}

/// What the journal of a stack says.
///
/// # Errors
/// When it cannot be read.
pub async fn state(stack: &str, context: &Context) -> Result<StackState, Failure> {
    let store = workflow::store(&context.global, &context.session, stack, None).await?;
    Ok(Ledger::read(store, stack).await?.recorded())
}

/// One check.
///
/// # Errors
/// When the check names a place, a name or a region that the plan does not have.
pub fn measure(check: &DnsCheck, plan: &Plan, desired: &Desired, state: &StackState) -> Result<Vec<Found>, Failure> {
    let names = dns_answer::names(desired, Some(&check.name));
    let Some(name) = names.first() else {
        let known = dns_answer::names(desired, None).join(", ");
        return Err(codes::ARGUMENT.refused(
            shown!("no record set of the plan is called {:?}", check.name),
            shown!("correct the name in the step: {}", known),
        ));
    };
    if !deployed(desired, state) {
        let why = "the record sets of the plan are not deployed";
        let wish = Wanted::new("locations routed correctly", Unit::Count, Compare::AtLeast, 1.0);
        let finding = verdict::unmeasured(&wish, why);
        return Ok(vec![Found { measure: PLACES.to_owned(), of: None, finding }]);
    }
    let regions = regions(check, desired)?;
    let deployed = as_deployed(desired, state);
    let mut found = Vec::new();
    for (place, region) in &check.expect {
        found.push(up(name, place, region, &regions, &deployed));
        found.push(down(name, place, region, &regions, &deployed));
    }
    found.extend(leads_to_distribution(name, plan, &deployed, state));
    Ok(found)
}

/// The plan's graph with the settings that were deployed: the plan may have been edited since.
pub fn as_deployed(desired: &Desired, state: &StackState) -> Desired {
    let mut deployed = desired.clone();
    for (address, resource) in &mut deployed.resources {
        if let Some(record) = state.resources.get(address).filter(|record| record.kind == resource.kind) {
            resource.spec = record.spec.clone();
        }
    }
    deployed
}

/// Whether every group of record sets that the plan wants is there.
fn deployed(desired: &Desired, state: &StackState) -> bool {
    let mut groups = desired.resources.values().filter(|resource| resource.kind == Kind::Records).peekable();
    let there = |address| state.resources.get(address).is_some_and(|record| record.standing == ResourceStatus::Present);
    groups.peek().is_some() && groups.all(|group| there(&group.address))
}

/// The parts of texts by which record sets refer to each region that the check expects.
fn regions(check: &DnsCheck, desired: &Desired) -> Result<BTreeMap<String, Vec<String>>, Failure> {
    if let Some(place) = check.expect.keys().find(|place| !dns_answer::is_place(place)) {
        let next = "write a continent (EU), a country (JP) or a state (US-CA)";
        return Err(codes::ARGUMENT.refused(shown!("unknown location {:?} for Route 53", place), next));
    }
    let mut all = BTreeMap::new();
    for region in check.expect.values() {
        let parts = dns_answer::down(desired, region);
        if parts.is_empty() {
            return Err(codes::ARGUMENT.refused(
                shown!("no load balancer of the plan is in {:?}", region),
                "name a region of the plan's load balancers in expect",
            ));
        }
        all.insert(region.clone(), parts);
    }
    Ok(all)
}

/// With all regions up, the place is sent to the region that is expected.
fn up(name: &str, place: &str, region: &str, regions: &BTreeMap<String, Vec<String>>, desired: &Desired) -> Found {
    let answer = dns_answer::answer(desired, &DnsQuestion { name, from: place, down: &[] });
    let name = format!("{place} is routed to {region}");
    if answer.leads_to.iter().any(|target| is_distribution(target)) {
        return chosen_by_cloudfront(&name);
    }
    let right = !answer.leads_to.is_empty() && answer.leads_to.iter().all(|target| is_of(target, &regions[region]));
    exact(&name, right, &answer.answers)
}

/// With that region down, the place gets an answer all the same, from elsewhere.
fn down(name: &str, place: &str, region: &str, regions: &BTreeMap<String, Vec<String>>, desired: &Desired) -> Found {
    let down = &regions[region];
    let answer = dns_answer::answer(desired, &DnsQuestion { name, from: place, down });
    let name = format!("{place} is routed elsewhere while {region} is down");
    if answer.leads_to.iter().any(|target| is_distribution(target)) {
        return chosen_by_cloudfront(&name);
    }
    let right = !answer.leads_to.is_empty() && !answer.leads_to.iter().any(|target| is_of(target, down));
    exact(&name, right, &answer.answers)
}

fn is_of(target: &str, parts: &[String]) -> bool {
    parts.iter().any(|part| target.contains(part.as_str()))
}

fn is_distribution(target: &str) -> bool {
    target.contains(".distribution.")
}

/// After the cutover the edge location that answers is chosen by CloudFront, not by the record sets.
fn chosen_by_cloudfront(name: &str) -> Found {
    let wish = Wanted::new(name, Unit::Count, Compare::AtLeast, 1.0);
    let finding = verdict::unmeasured(&wish, "the name points at the distribution, so CloudFront chooses the origin");
    Found { measure: PLACES.to_owned(), of: None, finding }
}

fn exact(name: &str, right: bool, answers: &[String]) -> Found {
    let said = if answers.is_empty() { "none".to_owned() } else { answers.join(", ") };
    let finding = measurements::point(name, right).with_note(format!("answers: {said}"));
    Found { measure: PLACES.to_owned(), of: None, finding }
}

/// The step of the plan that moves the name to the distribution.
fn cutover<'p>(name: &str, plan: &'p Plan, desired: &Desired) -> Option<&'p Step> {
    let geo = |replaces: &String| {
        plan.steps.iter().find_map(|step| match &step.work {
            StepConfig::Routing(routing) => routing.geo.get(replaces),
            _ => None,
        })
    };
    plan.steps.iter().find(|step| match &step.work {
        StepConfig::Cutover(cutover) => geo(&cutover.replaces)
            .is_some_and(|geo| dns_answer::names(desired, Some(&geo.name)).iter().any(|full| full == name)),
        _ => false,
    })
}

/// Whether the name leads to the distribution. Before the cutover that is open, not wrong; without a cutover in the plan it is not asked.
fn leads_to_distribution(name: &str, plan: &Plan, desired: &Desired, state: &StackState) -> Option<Found> {
    let answer = dns_answer::answer(desired, &DnsQuestion { name, from: "EU", down: &[] });
    let leads = answer.leads_to.iter().filter(|target| is_distribution(target)).count();
    let point = format!("{name} points at the distribution");
    let open = |why: String| verdict::unmeasured(&Wanted::new(&point, Unit::Count, Compare::AtLeast, 1.0), why);
    let step = cutover(name, plan, desired);
    let finding = if leads > 0 && leads == answer.leads_to.len() {
        measurements::point(&point, true)
    } else if leads > 0 {
        open(format!("only part of the answers: to continue, akidb-edge route cutover --plan {}", plan.file))
    } else if step?.on_request && !state.requested.contains(&step?.id) {
        open(format!("the cutover is still to come: akidb-edge route cutover --plan {}", plan.file))
    } else {
        measurements::point(&point, false).with_note(format!("answers: {}", answer.answers.join(", ")))
    };
    Some(Found { measure: "dns.leads_to_distribution".to_owned(), of: None, finding })
}
