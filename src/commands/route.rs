//! `route`: changes and explains DNS routing.

mod gated;

use std::collections::BTreeSet;

use serde_json::json;

use super::Context;
use super::deploy;
use super::selection::{RunSelection, Selection};
use super::workflow::{self, PlanArgs, RunArgs};
use crate::desired;
use crate::exit::{self, Failure, codes};
use crate::plan::{Plan, StepConfig};
use crate::report;
use crate::resource::dns_answer::{self, DnsQuestion};
use crate::resource::{Address, Desired, Kind, RunPurpose, places, shown};

/// Change DNS routing, or explain how a name resolves.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Deploy the plan's geolocation record sets
    Geo(Changing),
    /// Deploy the plan's latency record sets
    Latency(Changing),
    /// Point a DNS name at the distribution, in one change batch; undo with rollback
    Cutover(CuttingOver),
    /// Show which answer a location gets, and why; makes no call
    Explain(Explaining),
}

#[derive(Debug, clap::Args)]
struct Changing {
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    run: RunArgs,
    /// Adopt an existing resource that this stack does not own
    #[arg(long, value_name = "ADDRESS")]
    adopt: Vec<Address>,
}

#[derive(Debug, clap::Args)]
struct CuttingOver {
    #[command(flatten)]
    changing: Changing,
    #[command(flatten)]
    gate: gated::GradualArgs,
}

#[derive(Debug, clap::Args)]
struct Explaining {
    #[command(flatten)]
    plan: PlanArgs,
    /// Name below the zone, full name, or @ for the zone itself [default: all routed names]
    #[arg(long)]
    name: Option<String>,
    /// Continents (EU), countries (JP) or states (US-CA) to resolve from
    #[arg(long, value_delimiter = ',', default_value = "NA,SA,EU,AF,AS,OC")]
    from: Vec<String>,
    /// Load balancers (names from the plan), regions or other targets to assume are down
    #[arg(long, value_delimiter = ',', value_name = "TARGET")]
    down: Vec<String>,
    /// Show the answers after this requested step (a cutover)
    #[arg(long, value_name = "STEP")]
    request: Vec<String>,
}

/// Routes.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    match args.what {
        What::Geo(changing) => change("geo", changing, context).await,
        What::Latency(changing) => change("latency", changing, context).await,
        What::Cutover(CuttingOver { changing, gate }) => match gate.gate() {
            Some(limit) => gated::run(&changing, &gate, limit, context).await,
            None => change("cutover", changing, context).await,
        },
        What::Explain(explaining) => explain(&explaining, context),
    }
}

async fn change(what: &str, changing: Changing, context: &Context) -> Result<u8, Failure> {
    let plan = changing.plan.load(context)?;
    let (targets, request) = match what {
        "cutover" => cutovers(&plan)?,
        _ => (groups(&plan, what)?, BTreeSet::new()),
    };
    let command = format!("route {what} --plan {}", changing.plan.plan.as_deref().unwrap_or_default());
    let chosen = Selection { targets, steps: request.clone(), ..Selection::default() };
    let adopt = changing.adopt.into_iter().collect();
    let purpose = RunPurpose::Route;
    let order = RunSelection { plan, chosen, request, adopt, command, purpose, fallback: None, out: None };
    deploy::carry_out(order, &changing.run, None, context).await
}

fn cutovers(plan: &Plan) -> Result<(Vec<String>, BTreeSet<String>), Failure> {
    let steps: BTreeSet<String> = plan
        .steps
        .iter()
        .filter(|step| matches!(step.work, StepConfig::Cutover(_)))
        .map(|step| step.id.clone())
        .collect();
    if steps.is_empty() {
        return Err(codes::UNKNOWN_NAME.refused("the plan has no cutover", "add a step of kind cutover"));
    }
    Ok((Vec::new(), steps))
}

fn groups(plan: &Plan, what: &str) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for step in &plan.steps {
        if let StepConfig::Routing(routing) = &step.work {
            let keys: Vec<&String> =
                if what == "geo" { routing.geo.keys().collect() } else { routing.latency.keys().collect() };
            names.extend(keys.into_iter().map(|key| Address::new("routing", Kind::Records, key).to_string()));
        }
    }
    if names.is_empty() {
        return Err(codes::UNKNOWN_NAME
            .refused(shown!("the plan has no {} routing", what), shown!("add {} to a step of kind routing", what)));
    }
    Ok(names)
}

fn explain(args: &Explaining, context: &Context) -> Result<u8, Failure> {
    let plan = args.plan.load(context)?;
    deploy::need_requests(&plan, &args.request)?;
    let requested: BTreeSet<String> = args.request.iter().cloned().collect();
    let built = desired::build(&plan, &requested)?;
    for finding in workflow::findings(&plan, &built, None).iter().filter(|finding| finding.is_error()) {
        context.printer.remark(finding.line());
    }
    let names = dns_answer::names(&built.desired, args.name.as_deref());
    if names.is_empty() {
        let known = dns_answer::names(&built.desired, None);
        let next = shown!("leave --name out to see all of them: {}", known.join(", "));
        return Err(codes::UNKNOWN_NAME.refused("no record set of the plan has that name", next));
    }
    let down = places_and_targets(args, &built.desired)?;
    let answers: Vec<_> = names
        .iter()
        .flat_map(|name| args.from.iter().map(move |from| (name, from)))
        .map(|(name, from)| dns_answer::answer(&built.desired, &DnsQuestion { name, from, down: &down }))
        .collect();
    if context.global.json {
        context.printer.json("route-explain", &json!({"plan": plan.file, "down": args.down, "answers": answers}));
    } else {
        context.printer.data(report::answers_table(&answers, context.screen()));
    }
    Ok(exit::DONE)
}

/// What is down, in the words of the record sets. Refuses places and targets that nobody knows.
fn places_and_targets(args: &Explaining, desired: &Desired) -> Result<Vec<String>, Failure> {
    if let Some(unknown) = args.from.iter().find(|from| !dns_answer::is_place(from)) {
        let known: Vec<&str> = places::continents().collect();
        let next = shown!(
            "continents: {}; countries: two letters of ISO 3166-1, such as JP; states: such as US-CA",
            known.join(", ")
        );
        return Err(codes::UNKNOWN_NAME.refused(shown!("unknown Route 53 location {:?}", unknown), next));
    }
    let mut all = Vec::new();
    for word in &args.down {
        let parts = dns_answer::down(desired, word);
        if parts.is_empty() {
            let known: Vec<String> =
                dns_answer::targets(desired).into_iter().map(|(key, region)| format!("{key} ({region})")).collect();
            let next = shown!("load balancers with their regions: {}", known.join(", "));
            return Err(codes::UNKNOWN_NAME.refused(shown!("unknown target {:?}", word), next));
        }
        all.extend(parts);
    }
    Ok(all)
}
