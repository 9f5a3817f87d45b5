//! The files of a chain: each is read and names the plan before it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::lineage::SourceFile;
use crate::plan::find::{find, is_carried, is_path};
use crate::plan::hidden;
use crate::plan::load::parsed;
use crate::plan::read_scope::ReadScope;
use crate::plan::source::SourceText;
use crate::plan::{PlanError, PlanErrors, objects, rules};
use crate::resource::sha256_hex;

/// How many plans may come before the one that the user named.
pub const LONGEST: usize = 8;

/// A file of a chain.
#[derive(Debug)]
pub struct ChainFile {
    /// Its name.
    pub file: String,
    /// As it was read.
    pub source: String,
    /// Its data.
    pub text: SourceText,
}

/// Reads a chain: from the plan that the user named to the one that extends no other.
///
/// # Errors
/// A file that cannot be read or does not hold a plan, a cycle of `extends`, and more than [`LONGEST`] earlier plans.
pub fn read(first: ChainFile, outside: bool) -> Result<Vec<ChainFile>, PlanErrors> {
    let mut chain = Vec::new();
    let mut link = first;
    loop {
        link.all_is_visible()?;
        let Some(said) = link.text.value.get("extends").cloned() else {
            chain.push(link);
            return Ok(chain);
        };
        let earlier = link.earlier(&chain, &said, outside)?;
        chain.push(std::mem::replace(&mut link, earlier));
    }
}

impl ChainFile {
    /// What is recorded of it.
    pub fn facts(&self, reach: ReadScope) -> SourceFile {
        SourceFile {
            file: self.file.clone(),
            sha256: sha256_hex(self.source.as_bytes()),
            bytes: self.source.len() as u64,
            on_disk: Path::new(&self.file).is_file(),
            reach,
        }
    }

    fn problem(&self, path: &str, problem: impl Into<String>, next_step: impl Into<String>) -> PlanError {
        let (problem, next_step) = (problem.into(), next_step.into());
        PlanError { rule: rules::EXTENDS, file: self.file.clone(), place: self.text.place(path), problem, next_step }
    }

    fn refused(&self, problem: impl Into<String>, next_step: impl Into<String>) -> PlanErrors {
        PlanErrors(vec![self.problem("extends", problem, next_step)])
    }

    /// Nothing is done with a name that a reader would not see as it is.
    fn all_is_visible(&self) -> Result<(), PlanErrors> {
        let found = hidden::found(&self.text.value);
        let hidden = |(path, problem): (String, String)| PlanError {
            rule: rules::HIDDEN,
            ..self.problem(&path, problem, hidden::NEXT)
        };
        let problems: Vec<PlanError> = found.into_iter().map(hidden).collect();
        if problems.is_empty() { Ok(()) } else { Err(PlanErrors(problems)) }
    }

    /// The plan that this one extends; `chain` are those that came to this one.
    fn earlier(&self, chain: &[Self], said: &Value, outside: bool) -> Result<Self, PlanErrors> {
        let Value::String(name) = said else {
            return Err(self.refused("extends is not a text", "write the name of a plan, or the path of a YAML file"));
        };
        let (file, source) = self.found(name, outside)?;
        if chain.iter().chain([self]).any(|link| is_same(&link.file, &file)) {
            let all = chain.iter().chain([self]).map(|link| link.file.as_str()).chain([file.as_str()]);
            let all: Vec<&str> = all.collect();
            return Err(self.refused(
                format!("circular extends: {}", all.join(", then ")),
                "remove extends from one of these plans",
            ));
        }
        if chain.len() >= LONGEST {
            return Err(self.refused(
                format!("more than {LONGEST} plans extend each other"),
                "write what the earliest of them say in one plan",
            ));
        }
        let text = parsed(&file, &source)?;
        let ambiguous = objects::ambiguous_numbers(&file, &source);
        if !ambiguous.is_empty() {
            return Err(PlanErrors(ambiguous));
        }
        let link = Self { file, source, text };
        if link.text.value.is_object() {
            return Ok(link);
        }
        let problem = link.problem("", "a plan is a mapping of names to settings", "see plans/README.md");
        Err(PlanErrors(vec![problem]))
    }

    /// The file and text of an earlier plan. A path is one from the folder of this file, and stays in it.
    fn found(&self, name: &str, outside: bool) -> Result<(String, String), PlanErrors> {
        let file = if is_path(name) { beside(&self.file, name) } else { name.to_owned() };
        let reach = if outside {
            ReadScope::anywhere(std::iter::empty())
        } else {
            ReadScope::of(Path::new(&self.file), std::iter::empty())
        };
        let may = |file: &str| {
            let next = "move it there, or allow it: --allow-files-outside";
            reach.check(file).map_err(|why| self.refused(format!("extends: {why}"), next))
        };
        if is_path(name) {
            may(&file)?;
        }
        let (file, source) = find(&file).map_err(|lost| {
            let why = if is_path(name) { format!("{}: {}", lost.file, lost.problem) } else { lost.problem };
            self.refused(
                format!("extends {name:?}: {why}"),
                "write the name of a plan, or the path of a YAML file from this one's folder",
            )
        })?;
        if !is_carried(&source) {
            may(&file)?;
        }
        Ok((file, source))
    }
}

/// A path from the folder of a file.
fn beside(file: &str, name: &str) -> String {
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    folder.join(name).display().to_string()
}

/// Whether two names lead to one file.
fn is_same(one: &str, other: &str) -> bool {
    let whole = |file: &str| fs::canonicalize(file).ok();
    one == other || whole(one).is_some_and(|place| whole(other) == Some(place))
}
