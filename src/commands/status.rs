//! `status`: what the journal knows; with --drift, what differs in the world.

use serde_json::json;

use super::Context;
use super::walk::{self, PlanArgs};
use crate::change::Scope;
use crate::desired;
use crate::exit::{self, Failure};
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::report;
use crate::resource::{Artefacts, Level, Remembered, Standing};

/// Show what is there. Without --drift no call is made.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    plan: PlanArgs,
    /// Name of the stack, when no plan is at hand; a plan (in the environment, too) is not read then
    #[arg(long)]
    stack: Option<String>,
    /// Look at the world and compare it with the plan (or with what was deployed last); exit code 2 when it differs
    #[arg(long)]
    drift: bool,
}

/// Shows.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    let plan =
        if args.stack.is_none() && args.plan.plan.is_some() { Some(args.plan.load(&context.session)?) } else { None };
    let Some(stack) = args.stack.clone().or_else(|| plan.as_ref().map(|plan| plan.stack.clone())) else {
        return Err(Failure::refused("no stack is named", "add --plan NAME, or --stack NAME"));
    };
    if args.drift {
        return drift(plan.as_ref(), &stack, context).await;
    }
    let store = walk::store(&context.global, &context.session, &stack, None).await?;
    let lease = store.lease().await?;
    let ledger = Ledger::read(store, &stack).await?;
    let state = ledger.remembered();
    let pending =
        state.leftovers.len() + state.resources.values().filter(|record| record.standing != Standing::Present).count();
    let code = if pending == 0 { exit::DONE } else { exit::PENDING };
    if context.global.json {
        let held = lease.map(|lease| json!({"user": lease.user, "host": lease.host, "command": lease.command, "since": lease.since, "expires": lease.expires}));
        context.voice.json("status", &json!({"stack": stack, "exit": code, "state": state, "lease": held}));
        return Ok(code);
    }
    let voice = &context.voice;
    if state.revision() == 0 {
        voice.data(&format!("{stack}: nothing was deployed yet, by the journal {}", ledger.place()));
        tell_the_rest(&state, plan.as_ref(), context);
        return Ok(code);
    }
    voice.data(&format!(
        "{stack}: revision {}, {}, journal {}",
        state.revision(),
        report::counted(state.resources.len(), "resource"),
        ledger.place()
    ));
    if !state.resources.is_empty() {
        voice.data(&report::resources_table(&state, context.session.width));
    }
    for run in state.runs.iter().rev().take(5) {
        let ending =
            run.ending.map_or("was killed, or still runs".to_owned(), |ending| format!("{ending:?}").to_lowercase());
        voice.data(&format!(
            "revision {:<3} {}  {}  {} by {}: {ending}",
            run.revision,
            run.at,
            run.command,
            report::counted(usize::try_from(run.changes).unwrap_or(0), "change"),
            run.by
        ));
    }
    tell_the_rest(&state, plan.as_ref(), context);
    if let Some(lease) = lease {
        voice
            .data(&format!("being changed by {}@{} ({}) since {}", lease.user, lease.host, lease.command, lease.since));
    }
    Ok(code)
}

fn tell_the_rest(state: &Remembered, plan: Option<&Plan>, context: &Context) {
    let voice = &context.voice;
    if let Some(fallback) = &state.fallback {
        voice.data(&format!("the fallback {fallback} is in force"));
    }
    for left in &state.leftovers {
        voice.data(&format!("to be deleted by a later run: {} {}: {}", left.address, left.id, left.reason));
    }
    let steps = plan.into_iter().flat_map(|plan| &plan.steps);
    for step in steps.filter(|step| step.on_request && !state.requested.contains(&step.id)) {
        voice.data(&format!("waits to be asked for: step {} ({})", step.id, step.title));
    }
}

async fn drift(plan: Option<&Plan>, stack: &str, context: &Context) -> Result<u8, Failure> {
    walk::no_devices(context, stack, "provision --dry-run").await?;
    let connection = walk::connect(&context.session).await?;
    let store = walk::store(&context.global, &context.session, stack, Some(&connection)).await?;
    let ledger = Ledger::read(store, stack).await?;
    let remembered = ledger.remembered();
    let wanted = match plan {
        Some(plan) => desired::build(plan, &remembered.requested)?.desired,
        None => remembered.as_desired(),
    };
    let providers = walk::with_artefacts(&connection, Artefacts::default());
    let (identity, observed) = connection.look(&wanted, &remembered, &providers, |_| true).await?;
    let header = walk::header(&connection, &identity, stack, plan, &context.global);
    context.voice.header(&header);
    let changes = walk::difference(&wanted, &remembered, &observed, &Scope::default())?;
    let code = if changes.is_empty() { exit::DONE } else { exit::PENDING };
    if context.global.json {
        let mut body = report::changes_json(&changes);
        body["header"] = json!(header);
        body["exit"] = json!(code);
        context.voice.json("drift", &body);
    } else {
        context.voice.data(&report::changes_text(
            &changes,
            context.voice.verbose > 0,
            context.session.colour,
            Level::Usable,
        ));
    }
    Ok(code)
}
