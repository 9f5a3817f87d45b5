//! `validate all`: every step of kind `validate` that a plan has and that can be run from here, one after the other.

use std::path::PathBuf;

use super::dns::{self, state};
use super::measurements::{self, CheckResult, Found, Measurement, Output};
use super::request::Reach;
use super::{cdn, checklist, latency, load, storage};
use crate::commands::Context;
use crate::commands::workflow::PlanArgs;
use crate::desired::{self, DesiredStack};
use crate::exit::Failure;
use crate::measure::verdict::{self, Compare, Unit, Wanted};
use crate::plan::validation::Validation;
use crate::plan::{Plan, StepConfig};
use crate::resource::StackState;

/// Run every step of kind validate of a plan, one after the other.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    plan: PlanArgs,
    /// The host (and port) of the devices' Service, for steps that put load on it; such steps are not run without
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    #[command(flatten)]
    reach: Reach,
    /// Also write the findings to this file as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// Runs them.
///
/// # Errors
/// When the plan or the journal cannot be read, or one of them cannot be measured at all.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let plan = args.plan.load(&context.session)?;
    let state = state(&plan.stack, context).await?;
    let built = desired::build(&plan, &state.requested)?;
    let mut all = Vec::new();
    for step in &plan.steps {
        let StepConfig::Validate(validation) = &step.work else { continue };
        let (found, from) = one(validation, args, &built, &state, &plan, context).await?;
        all.push(Measurement::now(validation.check(), Some(&step.id), vec![from.to_owned()], found));
    }
    measurements::finish(&all, Output { stack: Some(&plan.stack), junit: args.junit.as_deref() }, context).await
}

async fn one(
    validation: &Validation,
    args: &Args,
    built: &DesiredStack,
    state: &StackState,
    plan: &Plan,
    context: &Context,
) -> Result<(CheckResult, &'static str), Failure> {
    let not = |why: &str| {
        let check = validation.check();
        let wish = Wanted::new(format!("validate {check}"), Unit::Count, Compare::AtLeast, 1.0);
        let finding = verdict::unmeasured(&wish, why);
        CheckResult::from(vec![Found { measure: format!("validate.{check}"), of: None, finding }])
    };
    let found = match validation {
        Validation::Latency(check) => latency::measure(check, &args.reach, context).await?,
        Validation::Load(check) => match &args.host {
            Some(host) => load::measure(check, host, &args.reach, context).await?,
            None => not("name the devices' Service with --host"),
        },
        Validation::Cdn(check) => cdn::measure(check, cdn::RATE, &args.reach, state, context).await?,
        Validation::Dns(check) => return Ok((dns::measure(check, &built.desired, state)?.into(), dns::JOURNAL)),
        Validation::Checklist(check) => {
            let kept = storage::kept(&plan.stack, context).await?;
            return Ok((checklist::measure(check, &built.desired, state, &kept).into(), dns::JOURNAL));
        }
        Validation::Replication(_) => not("it writes objects: akidb-edge validate replication --write-test-objects"),
        Validation::Failover(_) => {
            not("a region has to be broken meanwhile: akidb-edge validate failover --watch SECONDS")
        }
        Validation::Edge(_) | Validation::Browser(_) => not("this version does not measure it"),
    };
    Ok((found, latency::HERE))
}
