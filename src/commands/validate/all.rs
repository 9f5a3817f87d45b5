//! `validate all`: every step of kind `validate` that a plan has and that can be run from here, one after the other.

use std::path::PathBuf;

use super::dns::{self, state};
use super::health_checks;
use super::measurements::{Measurement, Output};
use super::request::ConnectionArgs;
use super::{browser, cdn, checklist, cost, edge, gate, latency, load, offline, production, storage};
use crate::commands::Context;
use crate::commands::workflow::PlanArgs;
use crate::desired::{self, DesiredStack};
use crate::exit::{Failure, codes};
use crate::plan::validation::Validation;
use crate::plan::{Plan, StepConfig};
use crate::resource::{StackState, shown};

/// Run every step of kind validate of a plan, one after the other.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    plan: PlanArgs,
    /// The host (and port) of the devices' Service, for steps that put load on it; such steps are not run without
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    #[command(flatten)]
    reach: ConnectionArgs,
    #[command(flatten)]
    browsers: browser::SuiteArgs,
    #[command(flatten)]
    gate: gate::GateArgs,
    /// Also write the findings to this file as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// Runs them.
///
/// # Errors
/// When the plan or the journal cannot be read, or one of them cannot be measured at all.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let plan = args.plan.load(context)?;
    args.gate.check(&plan)?;
    let state = state(&plan.stack, context).await?;
    let built = desired::build(&plan, &state.requested)?;
    let mut all = Vec::new();
    for step in &plan.steps {
        let StepConfig::Validate(validation) = &step.work else { continue };
        let run = OneRun { args, built: &built, state: &state, plan: &plan, before: &all };
        let measured = run.measure(validation, &step.id, context).await?;
        all.push(measured);
    }
    if all.is_empty() {
        return Err(codes::ARGUMENT.refused(
            shown!("the plan {} has no step of kind validate", plan.file),
            "add one, or measure an address: akidb-edge validate latency --url URL",
        ));
    }
    let output = Output { stack: Some(&plan.stack), junit: args.junit.as_deref() };
    gate::finish(all, &args.gate, &plan, None, output, context).await
}

/// What one check of a run over all of them goes by.
struct OneRun<'a> {
    args: &'a Args,
    built: &'a DesiredStack,
    state: &'a StackState,
    plan: &'a Plan,
    /// What was measured before it in this run.
    before: &'a [Measurement],
}

impl OneRun<'_> {
    async fn measure(&self, validation: &Validation, step: &str, context: &Context) -> Result<Measurement, Failure> {
        let check = validation.check();
        let not = |why: &str| Ok(Measurement::not_run(check, step, why));
        let (reach, desired) = (&self.args.reach, &self.built.desired);
        let (from, result) = match validation {
            Validation::Latency(check) => (latency::HERE, latency::measure(check, reach, context).await?),
            Validation::Load(check) => match &self.args.host {
                Some(host) => (latency::HERE, load::measure(check, host, reach, context).await?),
                None => return not("name the devices' Service with --host"),
            },
            Validation::Cdn(check) => {
                let how = cdn::CdnRequests { rate: cdn::RATE, window_hours: cdn::WINDOW_HOURS, reach };
                (latency::HERE, cdn::measure(check, &how, desired, self.state, context).await?)
            }
            Validation::Dns(check) => {
                let mut found = dns::measure(check, self.plan, desired, self.state)?;
                found.extend(health_checks::measure(self.state, context).await);
                (dns::JOURNAL, found.into())
            }
            Validation::Checklist(check) => {
                let mut kept = storage::kept(&self.plan.stack, context).await?;
                kept.extend_from_slice(self.before);
                (dns::JOURNAL, checklist::measure(check, desired, self.state, &kept, None).into())
            }
            Validation::Replication(_) => {
                return not("it writes objects: akidb-edge validate replication --write-test-objects");
            }
            Validation::Failover(_) => {
                return not("a region has to be broken meanwhile: akidb-edge validate failover --watch SECONDS");
            }
            Validation::Edge(check) => (latency::HERE, edge::measure(check, reach, context).await?),
            Validation::Browser(check) if !self.args.browsers.has_page(check) => {
                return not("name the page with --page, or with url: in the step");
            }
            Validation::Browser(check) => {
                (latency::HERE, browser::measure(check, &self.args.browsers, reach, context).await?.into())
            }
            Validation::Offline(check) => (latency::HERE, offline::measure(check, reach).await?.into()),
            Validation::Metadata(_) => {
                return not("name whom to trust: akidb-edge validate metadata --trust FILE, or --unsigned");
            }
            Validation::Cost(check) => (cost::BILLING, cost::measure(check, context).await.into()),
            Validation::Production(check) => (latency::HERE, production::measure(check, reach).await?.into()),
        };
        Ok(Measurement::now(check, Some(step), vec![from.to_owned()], result))
    }
}
