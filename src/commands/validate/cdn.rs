//! `validate cdn`: the distribution and the regions behind it as the journal knows them, the cache hit rate as requests from here see it
//! and as CloudWatch counted it for all viewers, and the availability that viewers saw.

use super::dns::{as_deployed, state};
use super::latency::{CONFIDENCE, HERE, LOCAL, hit_rate};
use super::measurements::{self, CheckResult, Found, Measurement};
use super::origin_regions;
use super::request::{self, ConnectionArgs};
use super::steps::StepArgs;
use crate::commands::{Context, workflow};
use crate::desired;
use crate::exit::{Failure, codes};
use crate::measure::Recording;
use crate::measure::load::{Extent, Load};
use crate::measure::verdict::{self, Compare, MeasuredFinding, Unit, Wanted, Window};
use crate::plan::validation::CdnCheck;
use crate::provider::aws::{self, ViewerRate, ViewerShare};
use crate::resource::{Address, Desired, ResourceRecord, ResourceStatus, StackState, shown};

/// Requests a second, unless another rate is asked for.
pub const RATE: f64 = 100.0;

/// Hours of CloudWatch's metrics, unless another number is asked for.
pub const WINDOW_HOURS: u32 = 24;
/// CloudWatch keeps periods of this length for 15 days.
const MOST_HOURS: i64 = 14 * 24;

/// Look at the distribution, and measure the cache hit rate over GET.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    steps: StepArgs,
    /// Requests a second
    #[arg(long, value_name = "N", default_value_t = RATE)]
    rate: f64,
    /// Hours before now of which CloudWatch is asked for the hit rate of all viewers
    #[arg(long, value_name = "N", default_value_t = WINDOW_HOURS, value_parser = clap::value_parser!(u32).range(1..=MOST_HOURS))]
    window_hours: u32,
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
    let desired = desired::build(&plan, &state.requested)?.desired;
    let mut all = Vec::new();
    for (step, check) in args.steps.of(&plan, "cdn", |validation| validation.cdn())? {
        let how = CdnRequests { rate: args.rate, window_hours: args.window_hours, reach: &args.reach };
        let found = measure(check, &how, &desired, &state, context).await?;
        all.push(Measurement::now("cdn", Some(&step.id), vec![HERE.to_owned()], found));
    }
    measurements::finish(&all, args.steps.output(Some(&plan.stack)), context).await
}

/// How a distribution is asked.
pub struct CdnRequests<'a> {
    /// Requests a second.
    pub rate: f64,
    /// Hours before now of which CloudWatch is asked.
    pub window_hours: u32,
    /// How requests reach it.
    pub reach: &'a ConnectionArgs,
}

/// One check.
///
/// # Errors
/// When nothing can be sent at all.
pub async fn measure(
    check: &CdnCheck,
    how: &CdnRequests<'_>,
    desired: &Desired,
    state: &StackState,
    context: &Context,
) -> Result<CheckResult, Failure> {
    let (hits, recording) = hits(check, how.rate, how.reach, context).await?;
    let viewers = viewers(check, how.window_hours, state, context).await;
    let mut found = vec![deployed(check, state), regions(check, desired, state), hits, viewers];
    if let Some(percent) = check.availability_percent {
        found.push(availability(check, percent / 100.0, state, context).await);
    }
    Ok(CheckResult { found, recordings: [(HERE.to_owned(), recording)].into() })
}

/// The address of the distribution of a check. The plan may name one that no address can have.
fn address(check: &CdnCheck) -> String {
    format!("cdn.distribution.{}", check.distribution)
}

/// What the journal knows of it, when it is there.
fn record<'s>(check: &CdnCheck, state: &'s StackState) -> Option<&'s ResourceRecord> {
    let address: Address = address(check).parse().ok()?;
    state.resources.get(&address).filter(|record| record.standing == ResourceStatus::Present)
}

/// The regions behind the origins, as they were deployed.
fn regions(check: &CdnCheck, desired: &Desired, state: &StackState) -> Found {
    let wish = Wanted::new("regions behind the origins", Unit::Count, Compare::AtLeast, 1.0);
    let finding = match record(check, state) {
        None => verdict::unmeasured(&wish, format!("the journal has no {}", address(check))),
        Some(distribution) => {
            let regions = origin_regions::of(&distribution.spec, &as_deployed(desired, state));
            let names = regions.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            verdict::known(&wish, regions.len() as f64).with_note(names)
        }
    };
    Found { measure: "cdn.origin_regions".to_owned(), of: Some(address(check)), finding }
}

/// The share of viewers' requests that CloudFront answered without status 5xx, from CloudWatch.
async fn availability(check: &CdnCheck, least: f64, state: &StackState, context: &Context) -> Found {
    let hours = check.availability_hours;
    let wish = Wanted::new(format!("availability over {hours} h"), Unit::Share, Compare::AtLeast, least);
    let (now, from) = window(hours);
    let finding = match counted(check, ViewerRate::ServerErrors, (from, now), state, context).await {
        Err(why) => verdict::unmeasured(&wish, why),
        Ok(None) => verdict::unmeasured(&wish, format!("CloudWatch has no requests in the last {hours} h")),
        Ok(Some(errors)) => available(&wish.name, &errors, least),
    };
    let finding = finding.within(Window { from_ms: from * 1000, to_ms: now * 1000 });
    Found { measure: "availability.ratio".to_owned(), of: None, finding }
}

/// Requests without status 5xx. Fewer than all of them were counted with a rate: of the others nothing is known.
fn available(name: &str, errors: &ViewerShare, least: f64) -> MeasuredFinding {
    let total = errors.requests.round().max(0.0) as u64;
    // A part of a request that failed is one: never better than it was.
    let failed = (errors.share * errors.requests).ceil() as u64;
    let good = total.saturating_sub(failed);
    let finding = verdict::share(name, good, total, Compare::AtLeast, least, CONFIDENCE).with_note(format!(
        "5xxErrorRate of {} periods, each weighted by its Requests; what never reached CloudFront is not in it",
        errors.periods
    ));
    without_rate(finding, errors)
}

fn without_rate(finding: MeasuredFinding, counted: &ViewerShare) -> MeasuredFinding {
    match counted.without_rate.round() {
        none if none < 1.0 => finding,
        some => finding.with_note(format!("{some} requests are in periods without a rate and left out")),
    }
}

/// Now, and so many hours before, in seconds since 1970.
fn window(hours: u32) -> (i64, i64) {
    let now = jiff::Timestamp::now().as_second();
    (now, now - i64::from(hours) * 3600)
}

/// The hit rate of all viewers, from CloudWatch. Metrics that are missing, or cannot be read, say nothing.
async fn viewers(check: &CdnCheck, hours: u32, state: &StackState, context: &Context) -> Found {
    let least = check.cache_hit_percent / 100.0;
    let wish = Wanted::new("cache hit rate of all viewers (CloudWatch)", Unit::Share, Compare::AtLeast, least);
    let (now, from) = window(hours);
    let finding = match counted(check, ViewerRate::CacheHits, (from, now), state, context).await {
        Err(why) => verdict::unmeasured(&wish, why),
        Ok(None) => {
            let why = format!(
                "CloudWatch has no requests with a hit rate in the last {hours} h: there were no requests, or the additional metrics are off (monitoring: true)"
            );
            verdict::unmeasured(&wish, why)
        }
        Ok(Some(hits)) => of_viewers(&wish.name, &hits, least),
    };
    let finding = finding.within(Window { from_ms: from * 1000, to_ms: now * 1000 });
    Found { measure: "cdn.viewer_hit_rate".to_owned(), of: Some(address(check)), finding }
}

/// A share of whole requests, as near as the weighted rate gives it.
fn of_viewers(name: &str, hits: &ViewerShare, least: f64) -> MeasuredFinding {
    let total = hits.requests.round().max(0.0) as u64;
    let answered = (hits.share * total as f64).round() as u64;
    let finding = verdict::share(name, answered.min(total), total, Compare::AtLeast, least, CONFIDENCE);
    let finding = finding.with_note(format!(
        "CacheHitRate of {} periods, each weighted by its Requests; CloudFront counts no POST in the rate, but in the requests",
        hits.periods
    ));
    without_rate(finding, hits)
}

async fn counted(
    check: &CdnCheck,
    rate: ViewerRate,
    window: (i64, i64),
    state: &StackState,
    context: &Context,
) -> Result<Option<ViewerShare>, String> {
    let id = record(check, state).and_then(|record| record.id.clone());
    let id = id.ok_or_else(|| format!("the journal has no {}", address(check)))?;
    let connected = workflow::connect(&context.session).await;
    let clients = connected.map_err(|bad| format!("CloudWatch cannot be asked: {}", bad.problem.as_str()))?.clients;
    let share = aws::viewer_share(&clients, &id, rate, window).await;
    share.map_err(|fault| format!("CloudWatch cannot be asked (cloudwatch:GetMetricStatistics): {fault}"))
}

/// Whether the journal knows the distribution as there: a run ends only when CloudFront has deployed it.
fn deployed(check: &CdnCheck, state: &StackState) -> Found {
    let finding = measurements::point(format!("{} deployed", address(check)), record(check, state).is_some());
    Found { measure: "cdn.deployed".to_owned(), of: Some(address(check)), finding }
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
    found.of = Some(address(check));
    Ok((found, recording))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::verdict::Verdict;

    fn errors(requests: f64, share: f64) -> ViewerShare {
        ViewerShare { requests, share, periods: 7, without_rate: 0.0 }
    }

    #[test]
    fn few_viewers_decide_nothing() {
        let of = |requests: f64, share: f64| {
            of_viewers("hits", &ViewerShare { requests, share, periods: 2, without_rate: 3.0 }, 0.99)
        };
        assert_eq!(of(100_000.0, 0.995).verdict, Verdict::Pass);
        assert_eq!(of(100_000.0, 0.95).verdict, Verdict::Fail);
        let (good, bad) = (available("a", &errors(1e6, 1e-5), 0.9999), available("a", &errors(1e6, 0.001), 0.9999));
        assert_eq!((good.verdict, bad.verdict), (Verdict::Pass, Verdict::Fail), "{good:?}");
        let day = available("a", &errors(10_000.0, 0.0), 0.9999);
        assert_eq!(
            (day.verdict, day.samples),
            (Verdict::Inconclusive, 10_000),
            "99.99 % needs more than 30,000 requests"
        );
        let few = of(20.0, 1.0);
        assert_eq!((few.verdict, few.samples), (Verdict::Inconclusive, 20));
        assert!(few.notes.iter().any(|note| note.starts_with("3 requests")), "{few:?}");
    }
}
