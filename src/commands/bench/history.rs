//! `bench history`: the runs at which a figure changed.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::tables;
use crate::commands::Context;
use crate::exit::{self, Failure, codes};
use crate::measure::bench::more_is_worse;
use crate::measure::change_point::Settings;
use crate::measure::history::{self, Changed, RecordedRun};
use crate::resource::shown;

/// The longest history that is read.
const MOST_BYTES: u64 = 256 << 20;

/// Find the runs of a history at which a figure changed: change points, not single runs that were off.
///
/// The exit code is 1 when a figure got worse within the latest runs that --worse-within names, else 0.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The history (--history of bench url or bench serve)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Leave out changes of less than this percentage
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    least: f64,
    /// The probability of a change that is none, at each
    #[arg(long, value_name = "P", default_value_t = 0.001)]
    p: f64,
    /// Exit with 1 when a figure got worse within this many of the latest runs
    #[arg(long, value_name = "N")]
    worse_within: Option<usize>,
}

/// Finds the changes.
///
/// # Errors
/// A file that is not a history.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let settings = args.settings()?;
    let runs = read(&args.file)?;
    let found = history::changes(&runs, &settings);
    let late = args.worse_within.is_some_and(|within| found.iter().any(|one| is_late_and_worse(one, &runs, within)));
    if context.global.json {
        context.printer.json(&context.verb, &json!({"runs": runs.len(), "settings": settings, "changes": found}));
    } else if found.is_empty() {
        context.printer.data(shown!("no change in {} lines", runs.len()));
    } else {
        context.printer.data(tables::changed(&found, context.screen()));
    }
    Ok(if late { exit::ERROR } else { exit::DONE })
}

impl Args {
    fn settings(&self) -> Result<Settings, Failure> {
        let fine = (0.0..=10_000.0).contains(&self.least) && self.p > 0.0 && self.p < 1.0;
        if !fine {
            return Err(codes::ARGUMENT.refused(
                shown!("--least {} and --p {} cannot be used", self.least, self.p),
                "write a percentage with --least, and a probability between 0 and 1 with --p",
            ));
        }
        Ok(Settings { p: self.p, least: self.least / 100.0, ..Settings::default() })
    }
}

/// Reads a history.
///
/// # Errors
/// A file that is not one. One whose last line has no end is refused as well: another line behind it could not be read.
pub fn read(file: &Path) -> Result<Vec<RecordedRun>, Failure> {
    let unread = |why: String| {
        codes::INPUT_FILE.refused(
            shown!("{}: {}", file.display(), why),
            "name a history that bench wrote with --history, or correct the line",
        )
    };
    let text = crate::files::read_text(file, MOST_BYTES).map_err(|bad| unread(bad.to_string()))?;
    if !text.is_empty() && !text.ends_with('\n') {
        return Err(unread("its last line was cut off".to_owned()));
    }
    history::read(&text).map_err(|bad| unread(bad.to_string()))
}

/// Whether a figure got worse within the latest runs of its test.
fn is_late_and_worse(one: &Changed, runs: &[RecordedRun], within: usize) -> bool {
    let of_test = runs.iter().filter(|run| run.test == one.test && run.figures.contains_key(&one.figure)).count();
    let is_late = one.change.at + within >= of_test.min(history::MOST_RUNS);
    is_late && more_is_worse(&one.figure).is_some_and(|more| more == (one.change.relative() > 0.0))
}
