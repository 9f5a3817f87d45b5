//! The steps of a plan that a check runs.

use std::path::PathBuf;

use super::measurements::Output;
use crate::commands::Context;
use crate::commands::workflow::PlanArgs;
use crate::exit::{Failure, codes};
use crate::plan::validation::Validation;
use crate::plan::{Plan, Step, StepConfig};
use crate::resource::shown;

/// The plan, and the steps of it.
#[derive(Clone, Debug, clap::Args)]
pub struct StepArgs {
    #[command(flatten)]
    pub plan: PlanArgs,
    /// Only this step of the plan, by its id; all of this check when left out
    #[arg(long, value_name = "ID")]
    pub step: Vec<String>,
    /// Also write the findings to this file as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

impl StepArgs {
    /// Loads the plan.
    ///
    /// # Errors
    /// When it has problems.
    pub fn load(&self, context: &Context) -> Result<Plan, Failure> {
        self.plan.load(context)
    }

    /// Where what is found goes.
    pub fn output<'a>(&'a self, stack: Option<&'a str>) -> Output<'a> {
        Output { stack, junit: self.junit.as_deref() }
    }

    /// The steps of kind `validate` that are wanted: those named, or all that `fits` takes, with what `fits` took.
    ///
    /// # Errors
    /// When a step is named that the plan does not have, or that is another check; or when the plan has none.
    pub fn of<'p, T>(
        &self,
        plan: &'p Plan,
        check: &str,
        fits: impl Fn(&'p Validation) -> Option<T>,
    ) -> Result<Vec<(&'p Step, T)>, Failure> {
        let taken = |step: &'p Step| match &step.work {
            StepConfig::Validate(validation) => fits(validation).map(|taken| (step, taken)),
            _ => None,
        };
        let all: Vec<(&Step, T)> = plan.steps.iter().filter_map(taken).collect();
        let ids = |all: &[(&Step, T)]| all.iter().map(|(step, _)| step.id.clone()).collect::<Vec<_>>().join(", ");
        if all.is_empty() {
            return Err(codes::ARGUMENT.refused(
                shown!("the plan {} has no step of kind validate with {}", plan.file, check),
                "add one, or measure an address with --url (docs/guides/measure.md)",
            ));
        }
        if let Some(unknown) = self.step.iter().find(|id| !all.iter().any(|(step, _)| step.id == **id)) {
            return Err(codes::ARGUMENT.refused(
                shown!("the plan has no step {:?} that validates {}", unknown, check),
                shown!("name one of: {}", ids(&all)),
            ));
        }
        let wanted = |step: &Step| self.step.is_empty() || self.step.contains(&step.id);
        Ok(all.into_iter().filter(|(step, _)| wanted(step)).collect())
    }
}
