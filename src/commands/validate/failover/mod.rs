//! `validate failover`: watches clients, each region and Route 53 while somebody breaks a region. It breaks nothing itself.

mod timeline;
mod watch;

use std::str::FromStr;

use super::dns::state;
use super::latency::HERE;
use super::measurements::{self, CheckResult, Measurement};
use super::request::ConnectionArgs;
use super::steps::StepArgs;
use crate::commands::{Context, workflow};
use crate::desired;
use crate::exit::{Failure, codes};
use crate::measure::Target;
use crate::measure::load::{Extent, Load, Reuse};
use crate::plan::validation::{FailoverCheck, RequestPlan};
use crate::resource::health_check::HealthCheckSpec;
use crate::resource::{Address, Desired, Kind, StackState, dns_answer, shown};

use watch::{FailoverWatch, WatchedRegion};

/// Measure an outage while you break a region: how soon Route 53 detects it, and for how long clients see failures.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    steps: StepArgs,
    /// Watch for this long; break one region after the other meanwhile
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(5..=3600))]
    watch: u64,
    /// Requests a second of the client, each on a connection of its own
    #[arg(long, value_name = "N", default_value_t = 5.0)]
    rate: f64,
    /// Path that clients ask for
    #[arg(long, value_name = "PATH", default_value = "/ready")]
    path: String,
    /// URL to query the state of a region, instead of the host of its health check
    #[arg(long, value_name = "REGION=URL")]
    origin: Vec<Origin>,
    #[command(flatten)]
    reach: ConnectionArgs,
}

/// A region and where it answers.
#[derive(Clone, Debug)]
struct Origin {
    region: String,
    url: String,
}

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (region, url) = text.split_once('=').ok_or("write REGION=URL")?;
        Ok(Self { region: region.to_owned(), url: url.to_owned() })
    }
}

/// Watches.
///
/// # Errors
/// When the plan or the journal cannot be read, or nothing can be sent at all.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let plan = args.steps.load(context)?;
    let state = state(&plan.stack, context).await?;
    let desired = desired::build(&plan, &state.requested)?.desired;
    let mut all = Vec::new();
    for (step, check) in args.steps.of(&plan, "failover", |validation| validation.failover())? {
        let result = measure(check, args, &desired, &state, context).await?;
        all.push(Measurement::now("failover", Some(&step.id), vec![HERE.to_owned()], result));
        if context.session.interrupts.have_come() {
            break;
        }
    }
    measurements::finish(&all, args.steps.output(Some(&plan.stack)), context).await
}

async fn measure(
    check: &FailoverCheck,
    args: &Args,
    desired: &Desired,
    state: &StackState,
    context: &Context,
) -> Result<CheckResult, Failure> {
    let request = RequestPlan { host: check.host.clone(), path: args.path.clone(), texts: Vec::new(), model: None };
    let targets = args.reach.gets(&request)?;
    let length = std::time::Duration::from_secs(args.watch);
    let mut load = Load { reuse: Reuse::PerRequest, ..Load::open(args.rate, Extent::For(length)) };
    load.timeout = watch::TIMEOUT;
    load.check().map_err(|bad| codes::ARGUMENT.refused(shown!("{}", bad), "correct --rate and --watch"))?;
    let regions: Result<Vec<WatchedRegion>, Failure> =
        check.regions.iter().map(|region| watched(region, args, desired, state)).collect();
    let regions = regions?;
    // The status of health checks is the account's; without any there is nobody to ask.
    let connection = match regions.iter().any(|region| region.health_check.is_some()) {
        true => Some(workflow::connect(&context.session).await?),
        false => None,
    };
    let watch = FailoverWatch { load, length, clients: connection.as_ref().map(|connection| &*connection.clients) };
    context.printer.talk(shown!(
        "watching for {} s: break one region after the other now ({})",
        args.watch,
        check.regions.join(", ")
    ));
    let trust = args.reach.trust(&targets[0])?;
    let origins = args.reach.authorities()?;
    // Ctrl-C ends the watch, and what was seen until then counts.
    workflow::end_in_order(context);
    let seen = watch.run(&targets[0], &trust, &regions, &origins, context).await?;
    let found = timeline::findings(check, &seen.regions, &seen.recording.timeline.outages(0.5));
    Ok(CheckResult { found, recordings: [(HERE.to_owned(), seen.recording)].into() })
}

/// Where a region is asked, and its health check.
fn watched(region: &str, args: &Args, desired: &Desired, state: &StackState) -> Result<WatchedRegion, Failure> {
    let keys = dns_answer::targets(desired).into_iter().filter(|(_, own)| own == region).map(|(key, _)| key);
    let addresses: Vec<Address> = keys.map(|key| Address::new("routing", Kind::HealthCheck, &key)).collect();
    let wanted = addresses.iter().find_map(|address| desired.resources.get(address));
    let spec = wanted.and_then(|resource| resource.typed::<HealthCheckSpec>());
    let named = args.origin.iter().find(|origin| origin.region == region).map(|origin| origin.url.clone());
    let url = named.or_else(|| spec.map(|spec| url_of(&spec))).ok_or_else(|| {
        codes::ARGUMENT.refused(
            shown!("the plan has no health check of {:?}", region),
            shown!("add --origin {}=https://HOST/ready", region),
        )
    })?;
    let target = Target::get(&url);
    target.check().map_err(|bad| codes::ARGUMENT.refused(shown!("{}", bad), "correct --origin"))?;
    let health_check = addresses.iter().find_map(|address| state.resources.get(address)?.id.clone());
    Ok(WatchedRegion { region: region.to_owned(), target, health_check })
}

fn url_of(spec: &HealthCheckSpec) -> String {
    let scheme = if spec.protocol.starts_with("HTTPS") { "https" } else { "http" };
    format!("{scheme}://{}:{}{}", spec.host, spec.port, spec.path)
}
