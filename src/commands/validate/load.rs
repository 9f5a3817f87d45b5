//! `validate load`: a number of connections for some time: latency, throughput and errors against the limits.

use std::time::Duration;

use super::latency::{CONFIDENCE, HERE, percentiles};
use super::request::{self, Reach};
use super::steps::StepArgs;
use super::told::{self, Found, Measurement};
use crate::commands::Context;
use crate::exit::Failure;
use crate::measure::load::{Extent, Load};
use crate::measure::verdict::{self, Compare, Unit};
use crate::plan::validation::{LoadCheck, RequestPlan};
use crate::resource::shown;

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
    reach: Reach,
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
    told::tell(&all, Some(&plan.stack), context).await
}

/// One check from this machine.
///
/// # Errors
/// When nothing can be sent at all.
pub async fn measure(check: &LoadCheck, host: &str, reach: &Reach, context: &Context) -> Result<Vec<Found>, Failure> {
    let request = RequestPlan {
        host: host.to_owned(),
        path: check.path.clone(),
        texts: check.texts.clone(),
        model: check.model.clone(),
    };
    let targets = reach.posts(&request)?;
    let Some(first) = targets.first() else {
        return Err(Failure::refused("the step names no texts", "add texts: [...] to it"));
    };
    let mut load = Load::closed(check.connections, Extent::For(Duration::from_secs(check.seconds)));
    load.warm_up = Duration::from_secs(check.seconds) / 10;
    load.check().map_err(|bad| Failure::refused(shown!("{}", bad), "correct connections and seconds"))?;
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
        let name = "throughput".to_owned();
        let finding = verdict::rate(name, &recording, Compare::Above, per_second, CONFIDENCE);
        found.push(Found { measure: "jetson.throughput".to_owned(), of: None, finding });
    }
    let name = "requests that failed".to_owned();
    let (failed, sent) = (recording.failed(), recording.requests());
    let finding = verdict::share(name, failed, sent, Compare::Below, 1.0, None, CONFIDENCE);
    found.push(Found { measure: "load.failed".to_owned(), of: None, finding });
    if let Some((least, _)) = check.gpu_percent {
        let why = "the use of the GPU is shown by jetson status on the devices; this check reads no device";
        let finding = verdict::unmeasured("use of the GPU".to_owned(), Unit::Percent, Compare::AtLeast, least, why);
        found.push(Found { measure: "jetson.gpu_use".to_owned(), of: None, finding });
    }
    Ok(found)
}
