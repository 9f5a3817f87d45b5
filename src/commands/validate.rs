//! `validate`: what can be said without doing anything.

use std::collections::BTreeSet;

use super::workflow::{self, PlanArgs};
use super::{Context, later_plans};
use crate::desired::DesiredStack;
use crate::exit::{self, Failure};
use crate::plan::{Plan, PlanError, PlanErrors};
use crate::report::LocatedFinding;
use crate::resource::shown;
use crate::{desired, report};

/// Check things: `validate plan` looks at a plan file offline, without credentials.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Check a plan file against AWS's rules; no call is made, no credentials are needed
    Plan(PlanFile),
}

#[derive(Debug, clap::Args)]
struct PlanFile {
    /// Plan: a name that the tool carries, or a YAML file (the same as --plan)
    file: Option<String>,
    #[command(flatten)]
    plan: PlanArgs,
}

/// Checks.
///
/// # Errors
/// When the plan has the wrong shape.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let What::Plan(wanted) = &args.what;
    let mut plan_args = wanted.plan.clone();
    plan_args.plan = wanted.file.clone().or(plan_args.plan);
    let plan = plan_args.load(&context.session)?;
    let graphs = Graphs::of(&plan)?;
    let findings = graphs.findings(&plan);
    let counted = graphs.cloud.iter().map(|built| built.desired.resources.len()).max().unwrap_or(0);
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    let warnings = findings.len() - errors;
    if context.global.json {
        let mut document = serde_json::json!({
            "plan": plan.file, "stack": plan.stack, "resources": counted,
            "errors": errors, "warnings": warnings, "findings": findings,
        });
        if let Some(extends) = later_plans::document(plan.lineage(), context.printer.verbose > 0) {
            document["extends"] = extends;
        }
        context.printer.json("validate-plan", &document);
    } else {
        if !findings.is_empty() {
            context.printer.data(report::findings_text(&findings));
        }
        let verdict =
            if errors == 0 { "AWS would accept it, as far as can be said offline" } else { "AWS would refuse it" };
        context.printer.data(shown!(
            "{}: {}, {}, {}: {}",
            plan.file,
            report::counted(counted, "resource"),
            report::counted(errors, "error"),
            report::counted(warnings, "warning"),
            verdict
        ));
        if let Some(text) = later_plans::text(plan.lineage(), context.printer.verbose > 0) {
            context.printer.data(text);
        }
    }
    Ok(if errors == 0 { exit::DONE } else { exit::REFUSED })
}

/// What a plan becomes.
struct Graphs {
    /// The cloud's as it is, and with everything in force at once: steps that run on request are checked, too.
    cloud: Vec<DesiredStack>,
    /// That of the devices, when the plan has some.
    devices: Option<DesiredStack>,
}

impl Graphs {
    /// Builds them as `deploy` and `jetson` do.
    ///
    /// # Errors
    /// Everything in the plan that cannot be, of the cloud and of the devices.
    fn of(plan: &Plan) -> Result<Self, PlanErrors> {
        let every = workflow::every_step(plan);
        let mut graphs = Self { cloud: Vec::new(), devices: None };
        let mut problems: Vec<PlanError> = Vec::new();
        let mut note = |wrong: PlanErrors| {
            for problem in wrong.0 {
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        };
        for requested in [BTreeSet::new(), every] {
            match desired::build(plan, &requested) {
                Ok(built) => graphs.cloud.push(built),
                Err(wrong) => note(wrong),
            }
        }
        if let Err(wrong) = desired::check_fallbacks(plan) {
            note(wrong);
        }
        match workflow::of_devices(plan) {
            Ok(built) => graphs.devices = built,
            Err(wrong) => note(wrong),
        }
        problems.sort_by(|one, other| one.order().cmp(&other.order()));
        if problems.is_empty() { Ok(graphs) } else { Err(PlanErrors(problems)) }
    }

    /// What the checks say, each once. Of the devices' graph only what stops `jetson`: the other rules are about AWS.
    fn findings(&self, plan: &Plan) -> Vec<LocatedFinding> {
        let of = |built: &DesiredStack, other: Option<&DesiredStack>| {
            workflow::findings(plan, built, other.filter(|_| built.crosses(plan)))
        };
        let devices = self.devices.iter().flat_map(|built| of(built, self.cloud.last())).filter(workflow::stops);
        let mut all = Vec::new();
        for finding in self.cloud.iter().flat_map(|built| of(built, self.devices.as_ref())).chain(devices) {
            if !all.contains(&finding) {
                all.push(finding);
            }
        }
        all
    }
}
