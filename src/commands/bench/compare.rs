//! `bench compare`: two runs against one another.

use std::path::{Path, PathBuf};

use super::tables;
use crate::commands::Context;
use crate::exit::{self, Failure, codes};
use crate::measure::bench::{Against, ComparedOutcome, MOST_BYTES, Mode, Run, against};
use crate::resource::shown;

/// The probability that any percentile of a comparison is called different though none is.
const ERROR: f64 = 0.05;

/// Compare two runs, level by level: percentiles, answers per second and all requests, each with its test.
///
/// The exit code is 1 when a percentile got slower, 2 when the samples are too small to say, else 0.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run before (--out of bench url or bench serve)
    #[arg(value_name = "FILE")]
    before: PathBuf,
    /// The run after
    #[arg(value_name = "FILE")]
    after: PathBuf,
}

/// Compares.
///
/// # Errors
/// A file that is not a run.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let found = of(&read(&args.before)?, &read(&args.after)?)?;
    if context.global.json {
        context.printer.json(&context.verb, &found);
    } else {
        context.printer.data(tables::compared(&found, context.screen()));
    }
    Ok(code(&found))
}

/// Reads a run.
///
/// # Errors
/// A file that is not one.
pub fn read(file: &Path) -> Result<Run, Failure> {
    let unread = |why: String| {
        codes::INPUT_FILE.refused(
            shown!("{}: {}", file.display(), why),
            "name a file that bench url or bench serve wrote with --out",
        )
    };
    let text = crate::files::read_text(file, MOST_BYTES).map_err(|bad| unread(bad.to_string()))?;
    Run::read(&text).map_err(|bad| unread(bad.to_string()))
}

/// Reads a run that one of this mode can be compared with.
///
/// # Errors
/// A file that is not one, or that is of another mode.
pub fn readable(file: &Path, mode: Mode) -> Result<Run, Failure> {
    let run = read(file)?;
    // What cannot be compared with itself cannot be compared with anything.
    of(&run, &Run { mode, ..run.clone() })?;
    Ok(run)
}

/// Compares two runs. Loads of another kind are refused: their figures mean something else.
///
/// # Errors
/// Runs that cannot be compared.
pub fn of(before: &Run, after: &Run) -> Result<Against, Failure> {
    if before.mode != after.mode {
        return Err(codes::INPUT_FILE.refused(
            shown!("one run is of --mode {}, the other of --mode {}", before.mode.name(), after.mode.name()),
            "compare runs of one mode",
        ));
    }
    against(before, after, ERROR)
        .map_err(|bad| codes::INPUT_FILE.error(shown!("the runs cannot be compared: {}", bad), "measure again"))
}

/// The exit code.
pub const fn code(found: &Against) -> u8 {
    match found.outcome {
        ComparedOutcome::Slower | ComparedOutcome::Mixed => exit::ERROR,
        ComparedOutcome::TooFew => exit::PENDING,
        ComparedOutcome::Same | ComparedOutcome::Faster => exit::DONE,
    }
}
