//! `validate metadata`: how far the metadata database in each region's bucket is behind its primary.

use std::time::Duration;

use futures::future::join_all;

use super::judge;
use super::latency::HERE;
use super::measurements::{self, Found, Measurement};
use super::steps::StepArgs;
use crate::commands::Context;
use crate::commands::replicate::{ReplicaPlace, TrustArgs, open};
use crate::exit::{Failure, codes};
use crate::measure::verdict::{self, Compare, MeasuredFinding, Unit, Wanted};
use crate::plan::validation::MetadataCheck;
use crate::plan::{Plan, StepConfig};
use crate::replica::Trust;
use crate::replica::status::{Status, status};
use crate::resource::bucket::BucketSpec;
use crate::resource::shown;

/// One call of a store.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The measure.
const MEASURE: &str = "metadata.lag";

/// Look at the metadata database in the bucket of each region: how far is it behind its primary?
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    steps: StepArgs,
    #[command(flatten)]
    trust: TrustArgs,
}

/// Looks.
///
/// # Errors
/// When the plan cannot be read, or the account cannot be reached.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let (plan, trust) = (args.steps.load(context)?, args.trust.read()?);
    let mut all = Vec::new();
    for (step, check) in args.steps.of(&plan, "metadata", |validation| validation.metadata())? {
        let found = measure(check, &plan, &trust, context).await?;
        all.push(Measurement::now("metadata", Some(&step.id), vec![HERE.to_owned()], found));
    }
    measurements::finish(&all, args.steps.output(Some(&plan.stack)), context).await
}

/// One check.
///
/// # Errors
/// When the plan has no such step, or the account cannot be reached.
async fn measure(check: &MetadataCheck, plan: &Plan, trust: &Trust, context: &Context) -> Result<Vec<Found>, Failure> {
    let targets = open(&places(check, plan)?, context).await?;
    let looks =
        targets.iter().map(|target| async move { (target.name.as_str(), status(&target.store, trust, TIMEOUT).await) });
    let all: Vec<(&str, Result<Status, String>)> =
        join_all(looks).await.into_iter().map(|(name, seen)| (name, seen.map_err(|bad| bad.to_string()))).collect();
    let newest = all.iter().filter_map(|(_, seen)| seen.as_ref().ok()).max_by_key(|seen| seen.txid);
    let wish = Wanted::new("lag of the metadata", Unit::Seconds, Compare::AtMost, check.seconds as f64);
    let one = |(name, seen): &(&str, Result<Status, String>)| {
        let wish = Wanted { name: format!("{} in {name}", wish.name), ..wish.clone() };
        let finding = match seen {
            Ok(seen) => lag(&wish, seen, newest),
            Err(why) => verdict::unmeasured(&wish, why.as_str()),
        };
        ((*name).to_owned(), finding)
    };
    let all: Vec<(String, MeasuredFinding)> = all.iter().map(one).collect();
    let slowest = Wanted { name: format!("{} in the slowest region", wish.name), ..wish.clone() };
    let overall = Found { measure: MEASURE.to_owned(), of: None, finding: judge::slowest(&slowest, &all) };
    let each = all.into_iter().map(|(name, finding)| Found { measure: MEASURE.to_owned(), of: Some(name), finding });
    Ok(each.chain([overall]).collect())
}

/// The buckets of the step that a check names.
fn places(check: &MetadataCheck, plan: &Plan) -> Result<Vec<ReplicaPlace>, Failure> {
    let Some(StepConfig::Metadata(metadata)) = plan.step(&check.step).map(|step| &step.work) else {
        return Err(codes::ARGUMENT
            .refused(shown!("the plan has no step {:?} of kind metadata", check.step), "correct step: in the check"));
    };
    let place = |bucket: &BucketSpec| ReplicaPlace::Bucket {
        bucket: bucket.name.clone(),
        prefix: check.prefix.trim_matches('/').to_owned(),
        region: Some(bucket.region.clone()),
    };
    Ok(metadata.buckets.values().map(place).collect())
}

/// Between nothing and the age of the newest transaction there: a primary on which nothing is written publishes nothing. A bucket that
/// lacks a transaction that another one has is behind since that was published.
fn lag(wish: &Wanted, seen: &Status, newest: Option<&Status>) -> MeasuredFinding {
    let behind = newest.filter(|newest| newest.txid > seen.txid).map_or(0.0, |newest| newest.age.as_secs_f64());
    let age = seen.age.as_secs_f64();
    let figure = MeasuredFinding { low: Some(behind.min(age)), high: Some(age), ..verdict::known(wish, age) };
    judge::against(&figure, wish).with_note(format!("transaction {}, published {age:.0} s ago", seen.txid))
}
