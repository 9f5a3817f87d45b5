//! `validate cdn`: the distribution and its function as the journal knows them, and the cache hit rate as clients see it.

use super::dns::state;
use super::latency::{HERE, LOCAL, hit_rate};
use super::measurements::{self, CheckResult, Found, Measurement};
use super::request::{self, ConnectionArgs};
use super::steps::StepArgs;
use crate::commands::Context;
use crate::exit::{Failure, codes};
use crate::measure::Recording;
use crate::measure::load::{Extent, Load};
use crate::plan::validation::CdnCheck;
use crate::resource::{Address, Kind, ResourceStatus, StackState, shown};

/// Requests a second, unless another rate is asked for.
pub const RATE: f64 = 100.0;

/// Look at the distribution, and measure the cache hit rate over GET.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    steps: StepArgs,
    /// Requests a second
    #[arg(long, value_name = "N", default_value_t = RATE)]
    rate: f64,
    #[command(flatten)]
    reach: ConnectionArgs,
}

/// Looks and measures.
///
/// # Errors
/// When nothing can be measured at all.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let plan = args.steps.load(context)?;
    let state = state(&plan.stack, context).await?;
    let mut all = Vec::new();
    for (step, check) in args.steps.of(&plan, "cdn", |validation| validation.cdn())? {
        let found = measure(check, args.rate, &args.reach, &state, context).await?;
        all.push(Measurement::now("cdn", Some(&step.id), vec![HERE.to_owned()], found));
    }
    measurements::finish(&all, args.steps.output(Some(&plan.stack)), context).await
}

/// One check.
///
/// # Errors
/// When nothing can be sent at all.
pub async fn measure(
    check: &CdnCheck,
    rate: f64,
    reach: &ConnectionArgs,
    state: &StackState,
    context: &Context,
) -> Result<CheckResult, Failure> {
    let (hits, recording) = hits(check, rate, reach, context).await?;
    Ok(CheckResult { found: vec![deployed(check, state), hits], recordings: [(HERE.to_owned(), recording)].into() })
}

/// Whether the journal knows the distribution as there: a run ends only when CloudFront has deployed it.
fn deployed(check: &CdnCheck, state: &StackState) -> Found {
    let address = Address::new("cdn", Kind::Distribution, &check.distribution);
    let there = state.resources.get(&address).is_some_and(|record| record.standing == ResourceStatus::Present);
    let finding = measurements::point(format!("{address} deployed"), there);
    Found { measure: "cdn.deployed".to_owned(), of: Some(address.to_string()), finding }
}

/// The share of hits: each text is asked for once before, so that the cache has it.
async fn hits(
    check: &CdnCheck,
    rate: f64,
    reach: &ConnectionArgs,
    context: &Context,
) -> Result<(Found, Recording), Failure> {
    let targets = reach.gets(&check.request)?;
    let trust = reach.trust(&targets[0])?;
    let fill = Load::open(rate, Extent::Requests(targets.len() as u64));
    request::send(&targets, &fill, &trust, context).await?;
    let load = Load::open(rate, Extent::Requests(check.requests));
    load.check().map_err(|bad| codes::ARGUMENT.refused(shown!("{}", bad), "correct requests and rate"))?;
    let recording = request::send(&targets, &load, &trust, context).await?;
    let mut found = hit_rate("cdn.cache_hit_rate", LOCAL, &recording, check.cache_hit_percent);
    found.of = Some(Address::new("cdn", Kind::Distribution, &check.distribution).to_string());
    Ok((found, recording))
}
