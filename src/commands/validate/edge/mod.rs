//! `validate edge`: requests through the deployed function, from this machine or from the regions of the plan. They are sent by POST,
//! which no cache answers, so that each one reaches the function.

mod findings;

use std::collections::BTreeMap;
use std::time::Duration;

use super::latency::HERE;
use super::measurements::{self, CheckResult, Measurement};
use super::regions::{self, RegionArgs, RegionCheck};
use super::request::ConnectionArgs;
use super::steps::StepArgs;
use super::vector;
use crate::commands::Context;
use crate::exit::{Failure, codes};
use crate::measure::load::once;
use crate::plan::validation::EdgeCheck;
use crate::resource::shown;

use findings::{EdgeAnswer, RegionAnswers};

/// What takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The header with the function's own time, in milliseconds.
pub const OWN_TIME: &str = "x-akidb-inference-time-ms";
/// Requests a second of a probe: few, so that they are not what is slow.
const RATE: f64 = 5.0;
/// The most requests from one place.
const MOST: u64 = 1000;

/// Send requests through the function at the edge: how many are answered with a vector, and how long the function takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    steps: StepArgs,
    /// Requests from each place, instead of the plan's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MOST))]
    requests: Option<u64>,
    #[command(flatten)]
    reach: ConnectionArgs,
    #[command(flatten)]
    from: RegionArgs,
}

/// Sends them.
///
/// # Errors
/// When nothing can be sent at all.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let plan = args.steps.load(context)?;
    let steps = args.steps.of(&plan, "edge", |validation| validation.edge())?;
    let checks = steps.into_iter().map(|(step, check)| {
        (step.id.clone(), EdgeCheck { requests: args.requests.unwrap_or(check.requests), ..check.clone() })
    });
    let output = args.steps.output(Some(&plan.stack));
    if !args.from.regions.is_empty() {
        let checks: Result<Vec<RegionCheck>, Failure> =
            checks.map(|(step, check)| of_regions(step, check, &args.reach)).collect();
        return regions::run(&checks?, &args.from, output, context).await;
    }
    let mut all = Vec::new();
    for (step, check) in checks {
        let found = measure(&check, &args.reach, context).await?;
        all.push(Measurement::now("edge", Some(&step), vec![HERE.to_owned()], found));
    }
    measurements::finish(&all, output, context).await
}

/// One check from this machine.
///
/// # Errors
/// When nothing can be sent at all, or it is interrupted.
pub async fn measure(check: &EdgeCheck, reach: &ConnectionArgs, context: &Context) -> Result<CheckResult, Failure> {
    need_texts(check)?;
    let targets = reach.posts(&check.request)?;
    let trust = reach.trust(&targets[0])?;
    let mut answers = Vec::new();
    for target in targets.iter().cycle().take(usize::try_from(check.requests.min(MOST)).unwrap_or(usize::MAX)) {
        let answer = tokio::select! {
            answer = once(target, TIMEOUT, &trust) => answer,
            () = context.session.interrupts.asked() => {
                return Err(codes::MEASUREMENT.error("interrupted", "run the same command again"));
            }
        };
        answers.push(match answer {
            Err(bad) => EdgeAnswer { why: Some(bad.to_string()), ..EdgeAnswer::default() },
            Ok(answer) => EdgeAnswer {
                status: answer.status,
                numbers: vector::numbers(&answer.body),
                own: own_time(answer.headers.get(OWN_TIME).and_then(|value| value.to_str().ok())),
                why: None,
            },
        });
    }
    let places = BTreeMap::from([(HERE.to_owned(), RegionAnswers::Answered(answers))]);
    Ok(findings::of(check, &places, false))
}

/// A check by probe functions.
fn of_regions(step: String, check: EdgeCheck, reach: &ConnectionArgs) -> Result<RegionCheck, Failure> {
    need_texts(&check)?;
    let targets = reach.posts(&check.request)?;
    let mut order = regions::order(&targets, check.requests, RATE)?;
    order.read_vectors(OWN_TIME);
    let regions = check.regions.clone();
    let found = move |answers: &BTreeMap<String, regions::RegionAnswer>| {
        let place = |answer: &regions::RegionAnswer| match answer {
            Ok(answer) => RegionAnswers::Answered(answer.of_edge().collect()),
            Err(why) => RegionAnswers::Silent(why.clone()),
        };
        let places = answers.iter().map(|(region, answer)| (region.clone(), place(answer))).collect();
        findings::of(&check, &places, true)
    };
    Ok(RegionCheck { check: "edge", step: Some(step), regions, order, found: Box::new(found) })
}

fn need_texts(check: &EdgeCheck) -> Result<(), Failure> {
    if !check.request.texts.is_empty() && check.requests > 0 {
        return Ok(());
    }
    let problem = shown!("the step has {} texts and {} requests", check.request.texts.len(), check.requests);
    Err(codes::ARGUMENT.refused(problem, "name texts in its request, and at least one request"))
}

/// Milliseconds in a header.
fn own_time(text: Option<&str>) -> Option<Duration> {
    let milliseconds: f64 = text?.trim().parse().ok()?;
    Duration::try_from_secs_f64(milliseconds / 1000.0).ok()
}

impl regions::ProbeAnswer {
    /// The answers as this check looks at them.
    fn of_edge(&self) -> impl Iterator<Item = EdgeAnswer> {
        self.vectors().map(|seen| EdgeAnswer {
            status: seen.status,
            numbers: seen.numbers,
            own: seen.own,
            why: seen.failure.map(|kind| kind.said().to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_header_is_milliseconds() {
        assert_eq!(own_time(Some("12.5")), Some(Duration::from_micros(12_500)));
        for bad in [None, Some(""), Some("-1"), Some("NaN"), Some("1e400")] {
            assert_eq!(own_time(bad), None, "{bad:?}");
        }
    }
}
