//! `validate plan`: checks a plan without any call.

use crate::commands::workflow::{PlanArgs, Review};
use crate::commands::{Context, later_plans};
use crate::exit::{self, Failure};
use crate::plan::{Plan, PlanErrors, rules};
use crate::report;
use crate::resource::{SafeText, shown};

/// Check a plan file offline, without credentials.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Built-in plan or YAML file (same as --plan)
    file: Option<String>,
    #[command(flatten)]
    plan: PlanArgs,
}

/// Checks.
///
/// # Errors
/// When no plan is named, it cannot be read, or a variable is malformed.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let mut plan_args = args.plan.clone();
    plan_args.plan = args.file.clone().or(plan_args.plan);
    let reading = plan_args.read(&context.session)?;
    if reading.problems.iter().any(|problem| problem.rule == rules::NOT_FOUND) {
        // There is nothing to check.
        return Err(PlanErrors(reading.problems).into());
    }
    let review = Review::of(reading.plan.as_ref(), &reading.problems);
    let file = reading.plan.as_ref().map(|plan| plan.file.clone()).or(plan_args.plan).unwrap_or_default();
    let errors = review.errors();
    let lineage = reading.plan.as_ref().map(Plan::lineage);
    if context.global.json {
        let stack = reading.plan.as_ref().map(|plan| &plan.stack);
        let mut document = serde_json::json!({
            "plan": file, "stack": stack, "resources": review.resources,
            "errors": errors, "warnings": review.findings.len() - errors, "findings": review.findings,
        });
        if let Some(extends) = lineage.and_then(|lineage| later_plans::document(lineage, context.printer.verbose > 0)) {
            document["extends"] = extends;
        }
        context.printer.json("validate-plan", &document);
    } else {
        if !review.findings.is_empty() {
            context.printer.data(report::findings_text(&review.findings));
        }
        context.printer.data(verdict(&file, &review));
        if let Some(text) = lineage.and_then(|lineage| later_plans::text(lineage, context.printer.verbose > 0)) {
            context.printer.data(text);
        }
    }
    Ok(if errors == 0 { exit::DONE } else { exit::REFUSED })
}

/// The last line: what was counted, and what it means.
fn verdict(file: &str, review: &Review) -> SafeText {
    let errors = review.errors();
    let verdict = match (errors, review.is_unreadable) {
        (0, _) => "no problems found (offline checks)".to_owned(),
        (_, true) => "it cannot be deployed as it is".to_owned(),
        (_, false) => format!("{} would refuse it", report::who_refuses(&review.findings)),
    };
    shown!(
        "{}: {}, {}, {}: {}",
        file,
        report::counted(review.resources, "resource"),
        report::counted(errors, "error"),
        report::counted(review.findings.len() - errors, "warning"),
        verdict
    )
}
