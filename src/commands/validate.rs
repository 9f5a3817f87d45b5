//! `validate`: what can be said without doing anything.

use std::collections::BTreeSet;

use super::Context;
use super::walk::{self, PlanArgs};
use crate::exit::{self, Failure};
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
    // Everything in force at once: what waits to be asked for must be right, too.
    let every: BTreeSet<String> = plan.steps.iter().map(|step| step.id.clone()).collect();
    let mut findings = Vec::new();
    let mut counted = 0;
    for requested in [BTreeSet::new(), every] {
        let built = desired::build(&plan, &requested)?;
        counted = counted.max(built.desired.resources.len());
        for finding in walk::findings(&plan, &built) {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    let warnings = findings.len() - errors;
    if context.global.json {
        context.voice.json(
            "validate-plan",
            &serde_json::json!({
                "plan": plan.file, "stack": plan.stack, "resources": counted,
                "errors": errors, "warnings": warnings, "findings": findings,
            }),
        );
    } else {
        if !findings.is_empty() {
            context.voice.data(&report::findings_text(&findings));
        }
        let verdict =
            if errors == 0 { "AWS would accept it, as far as can be said offline" } else { "AWS would refuse it" };
        context
            .voice
            .data(&format!("{}: {counted} resources, {errors} errors, {warnings} warnings: {verdict}", plan.file));
    }
    Ok(if errors == 0 { exit::DONE } else { exit::REFUSED })
}
