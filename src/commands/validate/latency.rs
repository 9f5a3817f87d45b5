//! `validate latency`: percentiles of requests sent on a clock, with their confidence intervals, against the limits.

use std::time::Duration;

use super::machines::{self, VantagePoint};
use super::measurements::{self, CheckResult, Found, Measurement};
use super::regions::{self, ProbeLocations, RegionArgs, RegionCheck};
use super::request::{self, ConnectionArgs};
use super::steps::StepArgs;
use crate::commands::Context;
use crate::commands::workflow::AccessArgs;
use crate::exit::{Failure, codes};
use crate::measure::Recording;
use crate::measure::load::{Extent, Load};
use crate::measure::verdict::{self, Compare, Unit, Wanted};
use crate::plan::validation::{LatencyCheck, LimitsPlan, RequestPlan};
use crate::resource::shown;

/// The confidence of the intervals.
pub const CONFIDENCE: f64 = 0.95;
/// Where requests are sent from.
pub const HERE: &str = "this machine";
/// The `subject` of a criterion about results of this machine.
pub const LOCAL: &str = "local";

/// Measure latency: percentiles with their confidence intervals against the limits.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    steps: StepArgs,
    /// Measure this address instead of the steps of a plan
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Requests, with --url
    #[arg(long, value_name = "N", default_value_t = 1000)]
    requests: u64,
    /// Requests a second, with --url
    #[arg(long, value_name = "N", default_value_t = 100.0)]
    rate: f64,
    /// Limit of the 95th percentile in milliseconds, with --url
    #[arg(long, value_name = "MS")]
    p95_ms: Option<f64>,
    /// Limit of the 99th percentile in milliseconds, with --url
    #[arg(long, value_name = "MS")]
    p99_ms: Option<f64>,
    #[command(flatten)]
    reach: ConnectionArgs,
    #[command(flatten)]
    regions: RegionArgs,
    /// Measure from your own machines over SSH (they need Python 3.8 and sudo), or `local` from this one
    #[arg(long, value_name = "local|ssh:HOST,…", value_delimiter = ',', conflicts_with = "regions")]
    from: Vec<VantagePoint>,
    #[command(flatten)]
    access: AccessArgs,
}

/// Measures.
///
/// # Errors
/// When nothing can be measured at all.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    if !args.regions.regions.is_empty() {
        return by_probes(args, ProbeLocations::Regions, context).await;
    }
    if args.from.iter().any(|place| matches!(place, VantagePoint::Machine(_))) {
        return by_probes(args, ProbeLocations::Machines, context).await;
    }
    if let Some(url) = &args.url {
        let check = args.check(url)?;
        let found = measure(&check, &args.reach.clone().of_url(url), context).await?;
        let all = [Measurement::now("latency", None, vec![HERE.to_owned()], found)];
        return measurements::finish(&all, args.steps.output(None), context).await;
    }
    let plan = args.steps.load(context)?;
    let mut all = Vec::new();
    for (step, check) in args.steps.of(&plan, "latency", |validation| validation.latency())? {
        let found = measure(check, &args.reach, context).await?;
        all.push(Measurement::now("latency", Some(&step.id), vec![HERE.to_owned()], found));
    }
    measurements::finish(&all, args.steps.output(Some(&plan.stack)), context).await
}

/// Measures by probes: functions in regions, or the user's machines over SSH.
async fn by_probes(args: &Args, from: ProbeLocations, context: &Context) -> Result<u8, Failure> {
    let of_url = args.url.as_ref().map(|url| args.reach.clone().of_url(url));
    let reach = of_url.as_ref().unwrap_or(&args.reach);
    let (checks, stack): (Vec<(Option<String>, LatencyCheck)>, _) = match &args.url {
        Some(url) => (vec![(None, args.check(url)?)], None),
        None => {
            let plan = args.steps.load(context)?;
            let steps = args.steps.of(&plan, "latency", |validation| validation.latency())?;
            (
                steps.into_iter().map(|(step, check)| (Some(step.id.clone()), check.clone())).collect(),
                Some(plan.stack.clone()),
            )
        }
    };
    let checks = checks.into_iter().map(|(step, check)| probed(step, check, reach, from));
    let checks = checks.collect::<Result<Vec<RegionCheck>, Failure>>()?;
    let output = args.steps.output(stack.as_deref());
    match from {
        ProbeLocations::Regions => regions::run(&checks, &args.regions, output, context).await,
        ProbeLocations::Machines => machines::run(&checks, &args.from, &args.access, output, context).await,
    }
}

fn probed(
    step: Option<String>,
    check: LatencyCheck,
    reach: &ConnectionArgs,
    from: ProbeLocations,
) -> Result<RegionCheck, Failure> {
    let order = regions::order(&reach.gets(&check.request)?, check.requests, check.rate)?;
    let regions = check.regions.clone();
    let found = Box::new(move |answers: &_| regions::latency_of(&check, answers, from));
    Ok(RegionCheck { check: "latency", step, regions, order, found })
}

impl Args {
    fn check(&self, url: &str) -> Result<LatencyCheck, Failure> {
        let read = url::Url::parse(url).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https") && url.host_str().is_some() && url.username().is_empty()
        });
        let Some(read) = read else {
            return Err(codes::ARGUMENT.refused(
                shown!("--url {:?} is not an http or https address", url),
                "write --url https://HOST/PATH, without a user",
            ));
        };
        let host = &read[url::Position::BeforeHost..url::Position::AfterPort];
        let path = &read[url::Position::BeforePath..url::Position::AfterQuery];
        let request = RequestPlan { host: host.to_owned(), path: path.to_owned(), texts: Vec::new(), model: None };
        Ok(LatencyCheck {
            regions: Vec::new(),
            request,
            requests: self.requests,
            rate: self.rate,
            limits: LimitsPlan { p50_ms: None, p95_ms: self.p95_ms, p99_ms: self.p99_ms },
            cache_hit_percent: None,
            requests_per_second: None,
            subject: None,
        })
    }
}

/// One check from this machine.
///
/// # Errors
/// When nothing can be sent at all.
pub async fn measure(check: &LatencyCheck, reach: &ConnectionArgs, context: &Context) -> Result<CheckResult, Failure> {
    let targets = reach.gets(&check.request)?;
    let load = Load::open(check.rate, Extent::Requests(check.requests));
    load.check().map_err(|bad| codes::ARGUMENT.refused(shown!("{}", bad), "correct requests and rate"))?;
    let trust = reach.trust(&targets[0])?;
    let recording = request::send(&targets, &load, &trust, context).await?;
    let mut found = percentiles("latency", LOCAL, &recording, &check.limits);
    if let Some(percent) = check.cache_hit_percent {
        found.push(hit_rate("latency.cache_hit_rate", LOCAL, &recording, percent));
    }
    if let Some(per_second) = check.requests_per_second {
        let finding = match check.regions.is_empty() {
            true => verdict::rate("throughput", &recording, Compare::AtLeast, per_second, CONFIDENCE),
            false => {
                let wish = Wanted::new("throughput", Unit::PerSecond, Compare::AtLeast, per_second);
                verdict::unmeasured(&wish, "it is that of all regions at once (--regions all)")
            }
        };
        found.push(Found { measure: "load.throughput".to_owned(), of: Some(LOCAL.to_owned()), finding });
    }
    if !check.regions.is_empty() {
        found.push(not_from_regions(check));
    }
    Ok(CheckResult { found, recordings: [(HERE.to_owned(), recording)].into() })
}

/// The plan wants regions, and none of them was measured from: that is said, never taken as measured.
pub fn not_from_regions(check: &LatencyCheck) -> Found {
    let why = format!("nothing was sent from {} (--regions all)", check.regions.join(", "));
    let wish = Wanted::new("regions measured", Unit::Count, Compare::AtLeast, check.regions.len() as f64);
    let finding = verdict::unmeasured(&wish, why);
    Found { measure: "latency.regions_measured".to_owned(), of: None, finding }
}

/// The percentiles that have limits: the word, the quantile, the limit in milliseconds.
pub fn limited(limits: &LimitsPlan) -> impl Iterator<Item = (&'static str, f64, f64)> + use<> {
    let all = [("p50", 0.5, limits.p50_ms), ("p95", 0.95, limits.p95_ms), ("p99", 0.99, limits.p99_ms)];
    all.into_iter().filter_map(|(word, quantile, limit)| Some((word, quantile, limit?)))
}

/// The percentiles that have limits, against them.
pub fn percentiles(measure: &str, of: &str, recording: &Recording, limits: &LimitsPlan) -> Vec<Found> {
    let judged = |(word, quantile, limit): (&'static str, f64, f64)| {
        let limit = Duration::try_from_secs_f64(limit / 1000.0).unwrap_or(Duration::ZERO);
        let name = format!("{word} of the latency");
        let finding = verdict::latency(&name, recording, quantile, Compare::Less, limit, CONFIDENCE);
        Found { measure: format!("{measure}.{word}"), of: Some(of.to_owned()), finding }
    };
    limited(limits).map(judged).collect()
}

/// The share of answers from the cache.
pub fn hit_rate(measure: &str, of: &str, recording: &Recording, percent: f64) -> Found {
    let (hits, total) = recording.cache_hits();
    let wanted = percent / 100.0;
    let finding = verdict::share("cache hit rate", hits, total, Compare::AtLeast, wanted, CONFIDENCE);
    Found { measure: measure.to_owned(), of: Some(of.to_owned()), finding }
}
