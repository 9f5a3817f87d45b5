//! `validate latency --regions`: a probe function in each region sends the requests, all at once; then they are removed, whatever
//! came of it.

mod findings;
mod probe;
mod stack;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;

use super::dns::state;
use super::measurements::{self, CheckResult, Measurement, Output};
use crate::commands::{Context, workflow};
use crate::desired::probes;
use crate::exit::{self, Failure, codes};
use crate::provider::aws::{self, Clients};
use crate::resource::{ResourceStatus, shown, syntax_check};

pub use findings::{ProbeLocations, of as latency_of};
pub use probe::{ProbeAnswer, ProbeOrder};

use crate::measure::Target;
use probe::{MOST_REQUESTS, MOST_SECONDS, TIMEOUT};

/// The stack whose probes measure addresses that no plan has.
pub const WITHOUT_PLAN: &str = "measure";
/// All regions.
const ALL: &str = "all";
/// How much longer an answer is waited for than its requests take: a cold start, and connections that are opened before.
const PATIENCE: Duration = Duration::from_secs(60);
/// The highest price of a GB-second of Lambda among the regions (af-south-1, list price), and of a request.
const USD_PER_GB_SECOND: f64 = 0.000_022_1;

/// Where to measure from.
#[derive(Clone, Debug, clap::Args)]
pub struct RegionArgs {
    /// Measure from these AWS regions, by probe functions that are removed afterwards; `all` means the step's own
    #[arg(long, value_name = "all|REGION,…", value_delimiter = ',')]
    pub regions: Vec<String>,
    /// Skip the confirmation prompt before probe functions are created
    #[arg(short, long)]
    pub yes: bool,
}

/// What becomes of the answers of the regions.
type RegionFindings = dyn Fn(&BTreeMap<String, RegionAnswer>) -> CheckResult + Send + Sync;

/// A check with the step that it is of.
pub struct RegionCheck {
    /// Its word after `validate`.
    pub check: &'static str,
    /// The step of the plan; none for an address without one.
    pub step: Option<String>,
    /// The regions that `all` means; without any, every one.
    pub regions: Vec<String>,
    /// What is asked of each probe.
    pub order: ProbeOrder,
    /// What becomes of the answers.
    pub found: Box<RegionFindings>,
}

/// What came from a region: what it measured, or why nothing came.
pub type RegionAnswer = Result<ProbeAnswer, String>;

impl RegionArgs {
    /// The regions of a check.
    ///
    /// # Errors
    /// When one of them is not the name of a region.
    fn of(&self, own: &[String]) -> Result<BTreeSet<String>, Failure> {
        let every = || probes::REGIONS.iter().map(|region| (*region).to_owned()).collect();
        let regions: BTreeSet<String> = match self.regions.as_slice() {
            [only] if only == ALL && own.is_empty() => every(),
            [only] if only == ALL => own.iter().cloned().collect(),
            named => named.iter().cloned().collect(),
        };
        match regions.iter().find(|region| !syntax_check::region(region)) {
            None => Ok(regions),
            Some(bad) => Err(codes::ARGUMENT.refused(
                shown!("{:?} is not the name of an AWS region", bad),
                "write --regions all, or --regions us-east-1,eu-central-1",
            )),
        }
    }
}

/// Measures checks from regions, and gives the exit code.
///
/// # Errors
/// When nobody agreed to the probes, or nothing can be measured at all.
pub async fn run(
    checks: &[RegionCheck],
    args: &RegionArgs,
    output: Output<'_>,
    context: &Context,
) -> Result<u8, Failure> {
    let mut orders = Vec::new();
    for one in checks {
        orders.push((one, args.of(&one.regions)?));
    }
    let regions: BTreeSet<String> = orders.iter().flat_map(|(_, regions)| regions.clone()).collect();
    say_cost(&orders, regions.len(), context);
    let stack = probes::stack(output.stack.unwrap_or(WITHOUT_PLAN));
    let put = stack::put(&stack, &regions, args.yes, context).await;
    if put.as_ref().is_err_and(|failure| failure.code == exit::REFUSED) {
        // Nothing was made.
        return put;
    }
    let asked = match &put {
        Ok(_) => ask_all(&orders, &stack, context).await,
        Err(_) => Ok(Vec::new()),
    };
    let removed = remove(&stack, context).await;
    put?;
    let all: Vec<Measurement> = asked?
        .into_iter()
        .zip(&orders)
        .map(|(answers, (one, _))| {
            let from = answers.keys().cloned().collect();
            Measurement::now(one.check, one.step.as_deref(), from, (one.found)(&answers))
        })
        .collect();
    let code = measurements::finish(&all, output, context).await?;
    Ok(if removed { code } else { exit::ERROR })
}

/// Removes the probes; whether none is left. Why one is left was said, and how it goes.
async fn remove(stack: &str, context: &Context) -> bool {
    let left = match stack::remove(stack, true, context).await {
        Ok(exit::DONE) => return true,
        Ok(_) => shown!("probe functions of {} are left", stack),
        Err(failure) => shown!("the probe functions of {} could not be removed: {}", stack, failure.problem),
    };
    context.printer.remark(shown!("{}; akidb-edge validate clean --stack {} removes them", left, stack));
    false
}

/// Removes the probes that an interrupted run left.
///
/// # Errors
/// When nobody agreed, or the journal or the account refuses.
pub async fn clean(stack: &str, yes: bool, context: &Context) -> Result<u8, Failure> {
    stack::remove(stack, yes, context).await
}

/// What a probe is asked: these targets in turn, all of one host.
///
/// # Errors
/// More than a probe sends, or an address that only this machine can reach.
pub fn order(targets: &[Target], requests: u64, rate: f64) -> Result<ProbeOrder, Failure> {
    if requests > MOST_REQUESTS || requests as f64 / rate > MOST_SECONDS {
        return Err(codes::ARGUMENT.refused(
            shown!("{} requests at {} a second are more than a probe sends", requests, rate),
            shown!("at most {} requests and {} seconds: change requests and rate", MOST_REQUESTS, MOST_SECONDS),
        ));
    }
    if targets.iter().any(|target| target.connect_to.is_some()) {
        return Err(codes::ARGUMENT.refused(
            "--connect-to is an address as this machine sees it, and probes are elsewhere",
            "leave --connect-to out, or measure from this machine alone",
        ));
    }
    let urls: Vec<String> = targets.iter().map(|target| target.url.clone()).collect();
    // As Node writes it: in lower case, without the port that the scheme has anyway.
    let host = urls.first().and_then(|text| url::Url::parse(text).ok());
    let host = host.map(|url| url[url::Position::BeforeHost..url::Position::AfterPort].to_owned()).unwrap_or_default();
    let mut order = ProbeOrder::new(host, urls, requests, rate);
    order.headers = targets.first().map(|target| target.headers.clone()).unwrap_or_default();
    let bodies = targets.iter().filter(|target| !target.body.is_empty());
    order.bodies = bodies.map(|target| String::from_utf8_lossy(&target.body).into_owned()).collect();
    Ok(order)
}

type Order<'c> = (&'c RegionCheck, BTreeSet<String>);

/// What it costs at most, before anybody is asked.
fn say_cost(orders: &[Order<'_>], regions: usize, context: &Context) {
    let seconds = |order: &ProbeOrder| order.requests as f64 / order.rate + PATIENCE.as_secs_f64();
    let memory = f64::from(probes::MEMORY_MB) / 1024.0;
    let each = |(one, regions): &Order<'_>| regions.len() as f64 * seconds(&one.order) * memory * USD_PER_GB_SECOND;
    let usd: f64 = orders.iter().map(each).sum();
    let requests: u64 = orders.iter().map(|(one, regions)| one.order.requests * regions.len() as u64).sum();
    context.printer.talk(shown!(
        "a probe function in {} {}, at most {} USD of Lambda at list prices; {} requests to the measured host are billed there",
        regions,
        if regions == 1 { "region" } else { "regions" },
        format!("{usd:.3}"),
        requests
    ));
}

/// Asks the probes of each check, all regions at once.
async fn ask_all(
    orders: &[Order<'_>],
    stack: &str,
    context: &Context,
) -> Result<Vec<BTreeMap<String, RegionAnswer>>, Failure> {
    let there = state(stack, context).await?;
    let present = |region: &str| {
        let record = there.resources.get(&probes::address(region));
        record.is_some_and(|record| record.standing == ResourceStatus::Present)
    };
    let clients = workflow::connect(&context.session).await?.clients;
    let name = probes::name(stack);
    let mut all = Vec::new();
    for (one, regions) in orders {
        let (clients, name, present, order) = (&clients, &name, &present, &one.order);
        let calls = regions.iter().map(|region| async move {
            let answer = if present(region) {
                ask(clients, region, name, order).await
            } else {
                Err("its probe function could not be created".to_owned())
            };
            (region.clone(), answer)
        });
        let answers = tokio::select! {
            answers = join_all(calls) => answers,
            () = context.session.interrupts.asked() => {
                return Err(codes::MEASUREMENT.error("interrupted while the probes measured", "run the same command again"));
            }
        };
        all.push(answers.into_iter().collect());
    }
    Ok(all)
}

async fn ask(clients: &Clients, region: &str, name: &str, order: &ProbeOrder) -> RegionAnswer {
    let payload = serde_json::to_vec(order).map_err(|bad| bad.to_string())?;
    let within = Duration::from_secs_f64(order.requests as f64 / order.rate) + TIMEOUT + PATIENCE;
    let answer = aws::invoke_function(clients, region, name, payload, within).await;
    let answer = answer.map_err(|fault| fault.to_string())?;
    ProbeAnswer::read(&answer).map_err(|bad| bad.to_string())
}
