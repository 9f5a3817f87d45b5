//! `validate dns`: where each continent is sent, with all regions up and with each region down, as it is deployed; and how many regions
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
        let mut found = measure(check, &desired, &state)?;
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
pub fn measure(check: &DnsCheck, desired: &Desired, state: &StackState) -> Result<Vec<Found>, Failure> {
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
        let wish = Wanted::new("places sent right", Unit::Count, Compare::AtLeast, 1.0);
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
    found.push(leads_to_distribution(name, &deployed));
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
        return Err(codes::ARGUMENT.refused(shown!("Route 53 knows no place {:?}", place), next));
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
    let name = format!("{place} is sent to {region}");
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
    let name = format!("{place} is sent elsewhere while {region} is down");
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
    let finding = verdict::unmeasured(&wish, "the name leads to the distribution, so CloudFront chooses who answers");
    Found { measure: PLACES.to_owned(), of: None, finding }
}

fn exact(name: &str, right: bool, answers: &[String]) -> Found {
    let said = if answers.is_empty() { "none".to_owned() } else { answers.join(", ") };
    let finding = measurements::point(name, right).with_note(format!("answers: {said}"));
    Found { measure: PLACES.to_owned(), of: None, finding }
}

/// Whether the name leads to the distribution: after the cutover.
fn leads_to_distribution(name: &str, desired: &Desired) -> Found {
    let answer = dns_answer::answer(desired, &DnsQuestion { name, from: "EU", down: &[] });
    let leads = answer.leads_to.iter().any(|target| is_distribution(target));
    let finding = measurements::point(format!("{name} leads to the distribution"), leads);
    Found { measure: "dns.leads_to_distribution".to_owned(), of: None, finding }
}
