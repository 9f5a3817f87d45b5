//! Common arguments of verbs: the plan, its variables, and options of the run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::review;
use crate::commands::Context;
use crate::execute::RunOptions;
use crate::exit::{Failure, codes};
use crate::plan::{self, Plan, PlanSettings, Reading};
use crate::report::Printer;
use crate::resource::{Level, shown};
use crate::session::Session;

/// Which plan, with which values.
#[derive(Clone, Debug, clap::Args)]
pub struct PlanArgs {
    /// Built-in plan (week13) or YAML file
    #[arg(long, value_name = "NAME|FILE", env = "AKIDB_EDGE_PLAN")]
    pub plan: Option<String>,
    /// Set a variable of the plan
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub var: Vec<String>,
    /// Set variables from a file of NAME: VALUE lines
    #[arg(long, value_name = "FILE")]
    pub var_file: Vec<PathBuf>,
    /// Allow the plan to read files outside its own folder
    #[arg(long)]
    pub allow_files_outside: bool,
}

impl PlanArgs {
    /// Loads the plan, and says which former keys it uses.
    ///
    /// # Errors
    /// When none is named, a variable is malformed, or the plan has problems.
    pub fn load(&self, context: &Context) -> Result<Plan, Failure> {
        match self.read(&context.session)? {
            Reading { plan: Some(plan), problems } if problems.is_empty() => {
                review::say_former_keys(&plan, &context.printer);
                Ok(plan)
            }
            Reading { plan, problems } => Err(review::refusal(plan.as_ref(), &problems)),
        }
    }

    /// Reads the plan as far as it goes.
    ///
    /// # Errors
    /// When none is named, or a variable is malformed.
    pub fn read(&self, session: &Session) -> Result<Reading, Failure> {
        let Some(name) = &self.plan else {
            return Err(codes::NO_PLAN.refused("missing --plan", "add --plan week13, or --plan FILE"));
        };
        let settings = PlanSettings {
            variables: self.variables()?,
            environment: session.variables.clone(),
            outside: self.allow_files_outside,
        };
        Ok(plan::read(name, &settings))
    }

    /// Says what variables are for in a verb that goes by the journal: they only decide how the plan is read.
    pub fn say_what_variables_do(&self, printer: &Printer, goes_by: &str) {
        if !self.var.is_empty() || !self.var_file.is_empty() {
            printer.talk(shown!("--var and --var-file only decide how the plan is read: {}", goes_by));
        }
    }

    fn variables(&self) -> Result<BTreeMap<String, String>, Failure> {
        let mut all = BTreeMap::new();
        for file in &self.var_file {
            let text = plan::read_text(file).map_err(|bad| {
                codes::INPUT_FILE.refused(shown!("{}: {}", file.display(), bad), "name a file that can be read")
            })?;
            for (at, line) in text
                .lines()
                .enumerate()
                .filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
            {
                let Some((name, value)) = line.split_once([':', '=']) else {
                    // The line may hold what nobody else should see.
                    let problem = shown!("{}:{}: expected NAME: VALUE", file.display(), at + 1);
                    return Err(codes::INPUT_FILE.refused(problem, "write one variable on each line"));
                };
                all.insert(name.trim().to_owned(), value.trim().trim_matches('"').to_owned());
            }
        }
        for pair in &self.var {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(codes::ARGUMENT.refused("--var must be NAME=VALUE", "write --var domain=example.com"));
            };
            all.insert(name.to_owned(), value.to_owned());
        }
        Ok(all)
    }
}

/// How a run is to go.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// Skip the confirmation prompt
    #[arg(short, long)]
    pub yes: bool,
    /// Show what would change without changing anything; exit code 2 if there are changes
    #[arg(long)]
    pub dry_run: bool,
    /// Wait until changes are `accepted`, `usable` or `propagated`
    #[arg(long, value_name = "LEVEL", default_value = "usable", value_parser = levels())]
    pub wait: Level,
    /// Set by the verbs that can delete what holds data.
    #[arg(skip)]
    pub empty_buckets: bool,
    /// Maximum number of concurrent steps
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..))]
    pub parallelism: u16,
}

/// For verbs that can delete what holds data.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct EmptyBucketsArgs {
    /// Also delete the data of deleted resources: objects, old versions, messages, volumes, namespace contents
    #[arg(long)]
    pub empty_buckets: bool,
}

impl RunArgs {
    /// The same, with what is said about data that goes.
    #[must_use]
    pub fn emptying(mut self, empty: EmptyBucketsArgs) -> Self {
        self.empty_buckets = empty.empty_buckets;
        self
    }

    /// How the engine is to go.
    pub fn options(&self) -> RunOptions {
        RunOptions { at_once: usize::from(self.parallelism), wait: self.wait, empty_buckets: self.empty_buckets }
    }
}

/// The levels, as the help and the shell list them.
fn levels() -> impl TypedValueParser<Value = Level> {
    let level = |word: String| match word.as_str() {
        "accepted" => Level::Accepted,
        "propagated" => Level::Propagated,
        _ => Level::Usable,
    };
    PossibleValuesParser::new(["accepted", "usable", "propagated"]).map(level)
}
