//! `jetson uninstall`: removes everything that was installed on the devices, agents first, the server last.

use serde_json::{Value, json};

use super::device_target::{DevicePart, DeviceTarget};
use crate::commands::workflow::{self, AccessArgs, EmptyBucketsArgs, PlanArgs, Platforms, RunArgs};
use crate::commands::{Context, hints};
use crate::desired::{DesiredStack, jetson};
use crate::exit::{self, Failure};
use crate::ledger::Ledger;
use crate::report;
use crate::resource::{Changes, Desired, RunPurpose, shown};

/// Remove everything that was installed on the devices: cluster, packages, files, power modes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: DeviceStackArgs,
    #[command(flatten)]
    access: AccessArgs,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    empty: EmptyBucketsArgs,
    /// Limit to these devices
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
}

/// Which stack of devices: of a plan, or by its name.
#[derive(Clone, Debug, clap::Args)]
pub struct DeviceStackArgs {
    /// The plan.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// Stack name, instead of a plan; the addresses of the devices are in the journal
    #[arg(long)]
    pub stack: Option<String>,
}

impl DeviceStackArgs {
    /// The name of the stack of devices.
    ///
    /// # Errors
    /// When neither a stack nor a plan is named.
    pub fn name(&self, context: &Context) -> Result<String, Failure> {
        match &self.stack {
            Some(stack) if stack.ends_with(jetson::SUFFIX) => Ok(stack.clone()),
            Some(stack) => Ok(format!("{stack}{}", jetson::SUFFIX)),
            None => {
                let stack = jetson::stack(&self.plan.load(context)?);
                let goes_by = format!(
                    "the plan only names the stack and files to upload; the rest is recorded in the journal of \
                             {stack}"
                );
                self.plan.say_what_variables_do(&context.printer, &goes_by);
                Ok(stack)
            }
        }
    }
}

/// Takes it away.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    let stack = args.which.name(context)?;
    let store = workflow::store(&context.global, &context.session, &stack, None).await?;
    // A wrong place of the state looks like devices that are clean already.
    let recorded = Ledger::read(store, &stack).await?.recorded();
    if recorded.sequence == 0 {
        return Err(hints::refusal(&stack, None, context));
    }
    if recorded.resources.is_empty() && recorded.pending_deletions.is_empty() {
        return Ok(nothing_left(&stack, context));
    }
    let aim = DeviceTarget {
        command: format!("jetson uninstall --stack {stack}"),
        purpose: RunPurpose::Destroy,
        built: DesiredStack { desired: Desired::new(&stack), ..DesiredStack::default() },
        stack,
        plan: None,
        hosts: args.host,
        part: DevicePart::All,
    };
    let run = args.run.emptying(args.empty);
    aim.carry_out(Platforms::of_devices(&args.access, context), &run, context).await
}

/// The devices are clean: there is none to connect to.
fn nothing_left(stack: &str, context: &Context) -> u8 {
    if context.printer.json {
        let mut body = json!({"stack": stack, "exit": exit::DONE, "outcome": Value::Null});
        let changes = report::changes_json(&Changes::default());
        if let (Some(all), Some(more)) = (body.as_object_mut(), changes.as_object()) {
            all.extend(more.clone());
        }
        context.printer.json(&context.verb, &body);
    } else {
        context.printer.data(shown!("nothing to uninstall: the journal of {} has no resources\n", stack));
    }
    exit::DONE
}
