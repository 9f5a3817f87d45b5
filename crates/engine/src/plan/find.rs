//! Where a plan is: a file or a built-in one; and which files it may read.

use std::path::Path;

use super::bounds::read_text;
use super::read_scope::ReadScope;
use super::source::SourcePlace;
use super::{BUILT_IN, PlanError, PlanSettings, rules};

/// Finds the text of a plan: a file, `plans/NAME.yaml` below the working directory, or one that the tool carries.
///
/// # Errors
/// When the plan is not found or cannot be read.
pub fn find(name: &str) -> Result<(String, String), PlanError> {
    let is_path = is_path(name);
    let near = format!("plans/{name}.yaml");
    let file = if is_path { name } else { &near };
    match read_text(Path::new(file)) {
        Ok(text) => return Ok((file.to_owned(), text)),
        Err(bad) if is_path || bad.kind() != std::io::ErrorKind::NotFound => {
            return Err(lost(file, format!("the plan cannot be read: {bad}")));
        }
        Err(_) => {}
    }
    let known: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
    let carried = BUILT_IN.iter().find(|(known, _)| *known == name);
    carried
        .map(|(name, text)| (format!("{name} (built in)"), (*text).to_owned()))
        .ok_or_else(|| lost(name, format!("unknown plan {name:?}; built-in plans: {}", known.join(", "))))
}

/// Whether this is the path of a plan file, and not the name of a plan.
pub fn is_path(name: &str) -> bool {
    name.contains('/') || Path::new(name).extension().is_some_and(|ext| ext == "yaml" || ext == "yml")
}

/// Whether this text is a plan that the tool carries.
pub fn is_carried(source: &str) -> bool {
    BUILT_IN.iter().any(|(_, text)| *text == source)
}

/// Where a plan may read. What the tool carries may read where the user works.
pub fn reach(file: &str, source: &str, settings: &PlanSettings) -> ReadScope {
    let given = settings.environment.iter().chain(&settings.variables).map(|(_, value)| value.clone());
    if settings.outside || is_carried(source) {
        ReadScope::anywhere(given)
    } else {
        ReadScope::of(Path::new(file), given)
    }
}

fn lost(file: &str, problem: String) -> PlanError {
    PlanError {
        rule: rules::NOT_FOUND,
        file: file.to_owned(),
        place: SourcePlace { line: 1, column: 1 },
        problem,
        next_step: "use the name of a built-in plan, or the path of a YAML file".to_owned(),
    }
}
