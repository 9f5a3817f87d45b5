//! Traffic for a function that embeds requires a current certificate for this model, signed by a key that the plan trusts.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::read_bounded;
use crate::edge::requirement::{Requirement, lacking};
use crate::edge::signature::verify;
use crate::edge::unpack::{UnpackFault, about};
use crate::exit::{Failure, codes};
use crate::plan::edge::{CodePlan, FunctionPlan, ParityPlan};
use crate::plan::{Plan, StepConfig};
use crate::resource::shown;

const NEXT: &str = "certify the package: akidb-edge models certify; then name the file and its key below parity";

/// The time.
pub fn seconds_since_1970() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Refuses a plan with a function whose certificate is missing, old, or of another model. `now` is in seconds since 1970.
///
/// # Errors
/// What is missing.
pub fn need_parity(plan: &Plan, now: i64) -> Result<(), Failure> {
    for step in &plan.steps {
        let StepConfig::EdgeFunction(edge) = &step.work else { continue };
        for (name, function) in &edge.functions {
            of_function(name, function, now)?;
        }
    }
    Ok(())
}

fn of_function(name: &str, function: &FunctionPlan, now: i64) -> Result<(), Failure> {
    let CodePlan::Zip(path) = &function.code else { return Ok(()) };
    let package = match about(Path::new(path)) {
        Ok(package) => package,
        // A zip that cannot be read is told with the rest of the plan, and one without a model embeds nothing.
        Err(UnpackFault::NoModel | UnpackFault::Zip(_)) => return Ok(()),
        Err(bad) => {
            return Err(codes::ARGUMENT.refused(shown!("{}: {}", path, bad), "make it by akidb-edge edge package"));
        }
    };
    let Some(parity) = &function.parity else {
        return Err(codes::ARGUMENT
            .refused(shown!("the function {} embeds ({}), and no certificate covers it", name, path), NEXT));
    };
    let refused =
        |why: String| codes::ARGUMENT.refused(shown!("the function {}: {}: {}", name, parity.file, why), NEXT);
    let certificate = certificate(parity).map_err(refused)?;
    let lacks =
        lacking(&Requirement { tiers: &parity.tiers, max_age_days: parity.max_age_days }, &certificate, &package, now);
    if lacks.is_empty() { Ok(()) } else { Err(refused(lacks.join("; "))) }
}

fn certificate(parity: &ParityPlan) -> Result<crate::edge::certificate::Certificate, String> {
    let bytes = read_bounded(Path::new(&parity.file)).map_err(|why| why.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    verify(&text, &parity.keys).map_err(|bad| bad.to_string())
}
