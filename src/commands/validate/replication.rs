//! `validate replication`: how soon an object that is written in one bucket appears in another. Writes test objects, and only when that
//! was said.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::latency::HERE;
use super::measurements::{self, Found, Measurement};
use super::steps::StepArgs;
use crate::commands::{Context, workflow};
use crate::desired;
use crate::exit::{Failure, codes};
use crate::ledger::{ObjectApi, WriteCondition};
use crate::measure::verdict::{self, Compare, Unit, Wanted};
use crate::plan::Plan;
use crate::plan::validation::ReplicationCheck;
use crate::provider::aws::bucket_objects;
use crate::resource::{Kind, shown};

/// The keys of test objects begin like this, below the prefix of the check.
const NAME: &str = "akidb-edge-validate";
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// Measure how soon an object that is written in one bucket appears in the bucket that it is replicated to.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    steps: StepArgs,
    /// Write test objects into the buckets and delete them again; without this nothing is written and nothing is measured
    #[arg(long)]
    write_test_objects: bool,
    /// Test objects in each direction
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    objects: u32,
}

/// Measures.
///
/// # Errors
/// When the plan cannot be read, it names buckets that it does not have, or a bucket refuses.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    if !args.write_test_objects {
        return Err(codes::ARGUMENT.refused(
            "replication can only be measured by writing test objects",
            "add --write-test-objects: they are written below the prefix of the check and deleted afterwards",
        ));
    }
    let plan = args.steps.load(context)?;
    let connection = workflow::connect(&context.session).await?;
    let mut all = Vec::new();
    for (step, check) in args.steps.of(&plan, "replication", |validation| validation.replication())? {
        let mut ways = vec![(bucket(&plan, &check.from)?, bucket(&plan, &check.to)?)];
        if check.bidirectional {
            ways.push((bucket(&plan, &check.to)?, bucket(&plan, &check.from)?));
        }
        let mut found = Vec::new();
        for (from, to) in ways {
            let open = |bucket: &Bucket| {
                let client = connection.clients.state_s3(&bucket.region)?;
                Ok::<_, Failure>(bucket_objects(&client, &bucket.name))
            };
            let way = Way { from: open(&from)?, to: open(&to)?, check };
            let lags = way.lags(args.objects).await?;
            found.push(judged(&from.name, &to.name, &lags, check));
        }
        all.push(Measurement::now("replication", Some(&step.id), vec![HERE.to_owned()], found));
    }
    measurements::finish(&all, args.steps.output(Some(&plan.stack)), context).await
}

/// A bucket of the plan.
struct Bucket {
    name: String,
    region: String,
}

/// The bucket that a check names: by its address in the plan, by its name there, or by its name in AWS.
fn bucket(plan: &Plan, named: &str) -> Result<Bucket, Failure> {
    let desired = desired::build(plan, &std::collections::BTreeSet::new())?.desired;
    let text =
        |spec: &serde_json::Value, field: &str| spec.get(field).and_then(|value| value.as_str().map(str::to_owned));
    let buckets = desired.resources.values().filter(|resource| resource.kind == Kind::Bucket);
    let all: Vec<(String, Bucket)> = buckets
        .filter_map(|resource| {
            let bucket = Bucket { name: text(&resource.spec, "name")?, region: text(&resource.spec, "region")? };
            Some((resource.address.to_string(), bucket))
        })
        .collect();
    let known: Vec<String> = all.iter().map(|(address, _)| address.clone()).collect();
    let fits = |(address, bucket): &(String, Bucket)| address == named || bucket.name == named;
    all.into_iter().find(fits).map(|(_, bucket)| bucket).ok_or_else(|| {
        codes::ARGUMENT.refused(
            shown!("the plan has no bucket {:?}", named),
            shown!("name one by its address or its name: {}", known.join(", ")),
        )
    })
}

/// One direction.
struct Way<'a> {
    from: Arc<dyn ObjectApi>,
    to: Arc<dyn ObjectApi>,
    check: &'a ReplicationCheck,
}

impl Way<'_> {
    /// Seconds until each object appeared; those that did not within the limit count as the time that was waited.
    async fn lags(&self, objects: u32) -> Result<Vec<f64>, Failure> {
        let mut lags = Vec::new();
        for _ in 0..objects {
            let key = format!("{}{NAME}/{}", self.check.prefix, uuid::Uuid::now_v7());
            let lag = self.lag(&key).await;
            // The object goes, whatever came of it; what is left is named.
            let (here, there) = tokio::join!(self.from.delete(&key), self.to.delete(&key));
            lags.push(lag?);
            here.and(there)?;
        }
        Ok(lags)
    }

    async fn lag(&self, key: &str) -> Result<f64, Failure> {
        self.from.put(key, key.as_bytes(), &WriteCondition::Always).await?;
        let begun = Instant::now();
        // Twice the limit, so that a miss shows how far it is away; then it is given up.
        let end = Duration::from_secs(self.check.seconds.saturating_mul(2));
        loop {
            if self.to.get(key).await?.is_some_and(|object| object.bytes == key.as_bytes()) || begun.elapsed() > end {
                return Ok(begun.elapsed().as_secs_f64());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn judged(from: &str, to: &str, lags: &[f64], check: &ReplicationCheck) -> Found {
    let name = format!("objects of {from} appear in {to}");
    let wish = Wanted::new(name, Unit::Seconds, Compare::AtMost, check.seconds as f64);
    let finding = verdict::each(&wish, lags, 1);
    Found { measure: "replication.lag".to_owned(), of: Some(check.rule.clone()), finding }
}
