//! `jetson rollback`: the devices as they were after an earlier run.

use super::AccessArgs;
use super::uninstall::WhichArgs;
use super::walk::{self, Aim, Part};
use crate::commands::Context;
use crate::commands::walk::RunArgs;
use crate::commands::{kept, rollback};
use crate::desired::Built;
use crate::exit::Failure;
use crate::ledger::Ledger;
use crate::resource::{Artefacts, RunPurpose};

/// Undo the last run on the devices, or go back to a revision.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    access: AccessArgs,
    #[command(flatten)]
    run: RunArgs,
    /// Go back to the state after this revision (0: before the first one); akidb-edge status --stack lists them
    #[arg(long, value_name = "REVISION")]
    to: Option<u64>,
}

/// Goes back.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    let stack = args.which.name(context)?;
    let store = crate::commands::walk::store(&context.global, &context.session, &stack, None).await?;
    let ledger = Ledger::read(store, &stack).await?;
    let now = ledger.remembered();
    let target = rollback::target(args.to, &ledger, &now).await?;
    rollback::say_what_is_undone(&now, &target, context);
    let mut artefacts = kept::kept_artefacts(&context.global, &stack);
    artefacts.extend(files(&args, context)?);
    let to = args.to.map_or(String::new(), |to| format!(" --to {to}"));
    let aim = Aim {
        command: format!("jetson rollback{to} --stack {stack}"),
        purpose: RunPurpose::Rollback { to: args.to },
        built: Built { desired: target.as_desired(), artefacts, ..Built::default() },
        stack,
        plan: None,
        hosts: Vec::new(),
        part: Part::All,
        sequence: Some(now.sequence),
        fleet: None,
    };
    ledger.close().await?;
    walk::carry_out(aim, &args.access, &args.run, context).await
}

/// The files of the plan, when one is at hand: going back may need their bytes.
fn files(args: &Args, context: &Context) -> Result<Artefacts, Failure> {
    let mut artefacts = Artefacts::default();
    if args.which.stack.is_some() || args.which.plan.plan.is_none() {
        return Ok(artefacts);
    }
    for (path, facts) in args.which.plan.load(&context.session)?.files {
        if let Ok((sha256, bytes)) = facts.content {
            artefacts.add_file(&sha256, path.into(), bytes);
        }
    }
    Ok(artefacts)
}
