//! `validate load`: a number of connections for some time: latency, throughput and errors against the limits.

use std::time::Duration;

use super::latency::{CONFIDENCE, HERE, percentiles};
use super::measurements::{self, CheckResult, Found, Measurement};
use super::request::{self, ConnectionArgs};
use super::steps::StepArgs;
use crate::commands::Context;
use crate::exit::{Failure, codes};
use crate::measure::load::{Extent, Load};
use crate::measure::verdict::{self, Compare, Unit, Wanted};
use crate::plan::validation::{LoadCheck, RequestPlan};
use crate::resource::shown;

/// The largest share of requests that may fail.
const MOST_FAILED: f64 = 0.01;

/// Put load on the devices or on a host: latency, throughput and errors.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    steps: StepArgs,
    /// The host (and port) that gets the load: the address of the devices' Service
    #[arg(long, value_name = "HOST")]
    host: String,
    /// Seconds, instead of the plan's
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: Option<u64>,
    #[command(flatten)]
    reach: ConnectionArgs,
}

/// Puts load on it.
///
/// # Errors
/// When nothing can be measured at all.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let plan = args.steps.load(context)?;
    let mut all = Vec::new();
    for (step, check) in args.steps.of(&plan, "load", |validation| validation.load())? {
        let check = LoadCheck { seconds: args.seconds.unwrap_or(check.seconds), ..check.clone() };
        let found = measure(&check, &args.host, &args.reach, context).await?;
        all.push(Measurement::now("load", Some(&step.id), vec![HERE.to_owned()], found));
    }
    measurements::finish(&all, args.steps.output(Some(&plan.stack)), context).await
}

/// One check from this machine.
///
/// # Errors
/// When nothing can be sent at all.
pub async fn measure(
    check: &LoadCheck,
    host: &str,
    reach: &ConnectionArgs,
    context: &Context,
) -> Result<CheckResult, Failure> {
    let request = RequestPlan {
        host: host.to_owned(),
        path: check.path.clone(),
        texts: check.texts.clone(),
        model: check.model.clone(),
    };
    let targets = reach.posts(&request)?;
    let Some(first) = targets.first() else {
        return Err(codes::ARGUMENT.refused("the step names no texts", "add texts: [...] to it"));
    };
    let mut load = Load::closed(check.connections, Extent::For(Duration::from_secs(check.seconds)));
    load.warm_up = Duration::from_secs(check.seconds) / 10;
    load.check().map_err(|bad| codes::ARGUMENT.refused(shown!("{}", bad), "correct connections and seconds"))?;
    let trust = reach.trust(first)?;
    let recording = request::send(&targets, &load, &trust, context).await?;
    let mut found = percentiles("load", "", &recording, &check.limits);
    for one in &mut found {
        one.of = None;
        if one.measure == "load.p95" {
            one.measure = "jetson.latency_p95".to_owned();
        }
    }
    if let Some(per_second) = check.requests_per_second {
        let finding = verdict::rate("throughput", &recording, Compare::AtLeast, per_second, CONFIDENCE);
        found.push(Found { measure: "jetson.throughput".to_owned(), of: None, finding });
    }
    let (failed, sent) = (recording.failed(), recording.requests());
    let finding = verdict::share("requests that failed", failed, sent, Compare::Less, MOST_FAILED, CONFIDENCE);
    found.push(Found { measure: "load.failed".to_owned(), of: None, finding });
    if let Some((least, _)) = check.gpu_percent {
        let why = "the use of the GPU is shown by jetson status on the devices; this check reads no device";
        let wish = Wanted::new("use of the GPU", Unit::Share, Compare::AtLeast, least / 100.0);
        let finding = verdict::unmeasured(&wish, why);
        found.push(Found { measure: "jetson.gpu_use".to_owned(), of: None, finding });
    }
    Ok(CheckResult { found, recordings: [(HERE.to_owned(), recording)].into() })
}
