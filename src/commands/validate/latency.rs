//! `validate latency`: percentiles of requests sent on a clock, with their confidence intervals, against the limits.

use std::time::Duration;

use super::measurements::{self, CheckResult, Found, Measurement};
use super::regions::{self, RegionArgs, RegionCheck};
use super::request::{self, ConnectionArgs};
use super::steps::StepArgs;
use crate::commands::Context;
use crate::exit::{Failure, codes};
use crate::measure::Recording;
use crate::measure::load::{Extent, Load};
use crate::measure::verdict::{self, Compare, Unit, Wanted};
use crate::plan::Step;
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
    from: RegionArgs,
}

/// Measures.
///
/// # Errors
/// When nothing can be measured at all.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    if !args.from.regions.is_empty() {
        return from_regions(args, context).await;
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

/// Measures by probe functions.
async fn from_regions(args: &Args, context: &Context) -> Result<u8, Failure> {
    if let Some(url) = &args.url {
        let checks = [RegionCheck { step: None, check: args.check(url)? }];
        return regions::run(&checks, &args.from, &args.reach.clone().of_url(url), args.steps.output(None), context)
            .await;
    }
    let plan = args.steps.load(context)?;
    let steps = args.steps.of(&plan, "latency", |validation| validation.latency())?;
    let of = |(step, check): (&Step, &LatencyCheck)| RegionCheck { step: Some(step.id.clone()), check: check.clone() };
    let checks: Vec<RegionCheck> = steps.into_iter().map(of).collect();
    regions::run(&checks, &args.from, &args.reach, args.steps.output(Some(&plan.stack)), context).await
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
    if !check.regions.is_empty() {
        found.push(regions(check));
    }
    Ok(CheckResult { found, recordings: [(HERE.to_owned(), recording)].into() })
}

/// The plan wants other places than this machine: that is said, never taken as measured.
fn regions(check: &LatencyCheck) -> Found {
    let why = format!("measured from this machine alone, not from {} (--regions all)", check.regions.join(", "));
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
