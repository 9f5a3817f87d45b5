//! `route cutover --gate`: a name is moved to the distribution step by step, each step is a run of its own in the journal, and a
//! sequential test of the latency decides after every look whether it goes on or back.

mod judge;
mod share;

use std::net::SocketAddr;

use serde_json::json;

use self::judge::{CutoverGate, Judgement};
use self::share::{Cutover, StepShares};
use super::Changing;
use crate::commands::deploy;
use crate::commands::rollback::RollbackOperation;
use crate::commands::selection::{RunSelection, Selection};
use crate::commands::validate::ConnectionArgs;
use crate::commands::workflow::{Platforms, RunArgs};
use crate::commands::{Context, workflow};
use crate::exit::{self, Failure, codes};
use crate::ledger::Ledger;
use crate::measure::gate::Expression;
use crate::plan::Plan;
use crate::plan::routing::CutoverTarget;
use crate::resource::{RunPurpose, StackState, shown};

/// How a name is moved step by step.
#[derive(Clone, Debug, clap::Args)]
pub struct GradualArgs {
    /// Move the name step by step, and back when this limit is missed: p95<25ms@all
    #[arg(long, value_name = "LIMIT")]
    gate: Option<Expression>,
    /// Shares of the answers that lead to the distribution, in percent
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,10,50,100",
          value_parser = clap::value_parser!(u8).range(1..=100))]
    steps: Vec<u8>,
    /// Requests before the first step and at each step
    #[arg(long, value_name = "N", default_value_t = 500)]
    requests: u64,
    /// Requests a second
    #[arg(long, value_name = "N", default_value_t = 50.0)]
    rate: f64,
    /// Path that is asked for
    #[arg(long, value_name = "PATH", default_value = "/ready")]
    path: String,
    #[command(flatten)]
    reach: ConnectionArgs,
}

impl GradualArgs {
    /// The limit, when the cutover goes step by step.
    pub const fn gate(&self) -> Option<&Expression> {
        self.gate.as_ref()
    }
}

/// A cutover on its way.
struct GatedCutover<'a> {
    plan: Plan,
    cutover: Cutover,
    changing: &'a Changing,
    context: &'a Context,
}

/// Moves the name, from where it stands.
///
/// # Errors
/// When something cannot be measured, or a run fails; when the gate is missed, and the name resolves as before.
pub async fn run(
    changing: &Changing,
    args: &GradualArgs,
    limit: &Expression,
    context: &Context,
) -> Result<u8, Failure> {
    let plan = changing.plan.load(context)?;
    let (cutover, shares) = (Cutover::of(&plan)?, StepShares::of(&args.steps)?);
    let state = state(&plan.stack, context).await?;
    let now = cutover.share(&state);
    let address = if args.reach.has_address() { None } else { Some(distribution(&state, context).await?) };
    let mut gate = CutoverGate::new(limit, args, &cutover.host, address)?;
    let moving = GatedCutover { plan, cutover, changing, context };
    let mut told = Vec::new();
    let mut yes = changing.run.yes;
    // Before anybody is sent there, the distribution is measured as it stands.
    let todo = std::iter::once(now).chain(shares.after(now));
    for share in todo {
        if share != now {
            let code = moving.go(share, yes).await?;
            if code != exit::DONE {
                return Ok(code);
            }
            yes = true;
        }
        let judged = gate.look(context).await?;
        context.printer.data(shown!("{} %: {}", share, judged.line()));
        told.push(json!({"percent": share, "judged": judged}));
        if !judged.holds() {
            return moving.back(share, &judged, &told).await;
        }
    }
    context.printer.json(&context.verb, &json!({"gate": limit, "steps": told, "exit": exit::DONE}));
    Ok(exit::DONE)
}

impl GatedCutover<'_> {
    /// One step: a run of its own. Somebody was asked before the first one.
    async fn go(&self, share: u8, yes: bool) -> Result<u8, Failure> {
        let to = if share == 100 { CutoverTarget::Distribution } else { CutoverTarget::Split(share) };
        let steps = [self.cutover.step.clone()];
        let order = RunSelection {
            plan: self.cutover.leading(&self.plan, &to),
            chosen: Selection { steps: steps.clone().into(), ..Selection::default() },
            request: steps.into(),
            adopt: self.changing.adopt.iter().cloned().collect(),
            command: format!("route cutover --gate (to {share} %)"),
            purpose: RunPurpose::Route,
            fallback: None,
            out: None,
        };
        let run = RunArgs { yes, ..self.changing.run.clone() };
        deploy::carry_out(order, &run, None, self.context).await
    }

    /// The last revision at which nothing of the name led to the distribution.
    async fn before(&self) -> Result<Option<u64>, Failure> {
        let ledger = ledger(&self.plan.stack, self.context).await?;
        for run in ledger.recorded().runs.iter().rev().filter(|run| run.ending.is_some()) {
            if self.cutover.share(&ledger.recorded_at(run.revision).await?) == 0 {
                return Ok(Some(run.revision));
            }
        }
        Ok(None)
    }

    /// Undoes all steps: what a deploy would do next is as it was before, too.
    async fn undo(&self) -> Result<u8, Failure> {
        let Some(before) = self.before().await? else {
            return Err(codes::ARGUMENT
                .refused("the journal has no revision before the first step", "akidb-edge status lists them"));
        };
        let run = RunArgs { yes: true, ..self.changing.run.clone() };
        let platforms = Platforms::of_account(self.context).await?;
        let undo = RollbackOperation::of(&self.plan.stack, "rollback", Some(before), Some(&self.plan));
        undo.carry_out(&run, platforms, self.context).await
    }

    /// The gate is missed: the name goes back to where it led before the first step.
    async fn back(&self, share: u8, judged: &Judgement, told: &[serde_json::Value]) -> Result<u8, Failure> {
        let missed = shown!("the gate is missed at {} %: {}", share, judged.line());
        let begun = self.cutover.share(&state(&self.plan.stack, self.context).await?) > 0;
        if begun {
            self.context.printer.remark(shown!("{}; the name is led back", missed));
            let left = match self.undo().await {
                Ok(exit::DONE) => None,
                Ok(_) => Some(shown!("{}, and the name could not be led back completely", missed)),
                Err(bad) => Some(shown!("{}, and the name could not be led back: {}", missed, bad.problem)),
            };
            if let Some(problem) = left {
                let next = "akidb-edge rollback undoes the last step; akidb-edge route explain shows where the name resolves to";
                return Err(codes::MEASUREMENT.error(problem, next));
            }
        }
        self.context.printer.json(&self.context.verb, &json!({"steps": told, "back": begun, "exit": exit::ERROR}));
        let where_to = if begun { "the name resolves as before" } else { "nothing was changed" };
        Err(codes::MEASUREMENT.error(
            shown!("{}; {}", missed, where_to),
            "measure it with akidb-edge validate latency, then run it again",
        ))
    }
}

async fn ledger(stack: &str, context: &Context) -> Result<Ledger, Failure> {
    let store = workflow::store(&context.global, &context.session, stack, None).await?;
    Ok(Ledger::read(store, stack).await?)
}

async fn state(stack: &str, context: &Context) -> Result<StackState, Failure> {
    Ok(ledger(stack, context).await?.recorded())
}

/// An address of the distribution: requests go there whatever share of the answers leads to it.
async fn distribution(state: &StackState, context: &Context) -> Result<SocketAddr, Failure> {
    let known = state.attribute("cdn.distribution.main", "domain_name");
    let Some(domain) = known.as_ref().and_then(|value| value.as_str()) else {
        return Err(
            codes::ARGUMENT.refused("the distribution is not deployed", "deploy the plan first: akidb-edge deploy cdn")
        );
    };
    let unknown = |why: String| {
        codes::MEASUREMENT.error(
            shown!("{} has no address: {}", domain, why),
            "try again when its name resolves, or name an address with --connect-to",
        )
    };
    // Only how it is reached is asked of the resolver; the name that is requested stays that of the cutover.
    let lookup = tokio::net::lookup_host((domain, 443));
    let mut found = tokio::select! {
        found = lookup => found.map_err(|bad| unknown(bad.to_string()))?,
        () = context.session.interrupts.asked() => {
            return Err(codes::ARGUMENT.refused("interrupted: nothing was done", "run the same command again"));
        }
    };
    found.next().ok_or_else(|| unknown("the resolver gave none".to_owned()))
}
