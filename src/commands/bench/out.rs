//! Where a run goes: the terminal, files, and a history.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{compare, history, markdown, tables};
use crate::commands::{Context, may_overwrite, write_private};
use crate::exit::{self, Failure, codes};
use crate::measure::bench::{Against, LevelFigures, Mode, Run, SCHEMA};
use crate::measure::change_point::Settings;
use crate::measure::history::{self as past, Changed};
use crate::measure::hlog;
use crate::measure::verdict::CONFIDENCE;
use crate::report;
use crate::resource::shown;

/// Where a run goes.
#[derive(Clone, Debug, clap::Args)]
pub struct OutArgs {
    /// Write the run with its histograms to this file, for `bench compare`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the tables to this file as Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write an interval log of each level into this folder, for the tools of HdrHistogram
    #[arg(long, value_name = "FOLDER")]
    hlog: Option<PathBuf>,
    /// Add the run to this history (JSON Lines), and show what changed in it
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// What was measured, such as a commit; the time when left out
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// Compare with an earlier run (--out)
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Overwrite files that are not of this command
    #[arg(long)]
    force: bool,
}

/// What was read and checked before anything is sent.
pub struct Ready {
    /// The label of the run.
    pub label: String,
    /// When it began, in milliseconds since 1970.
    pub at_ms: i64,
    before: Option<Run>,
    past: Vec<past::RecordedRun>,
}

impl OutArgs {
    /// Reads what the run is compared with, and looks at the places that are written.
    ///
    /// # Errors
    /// A file that cannot be read, that would be overwritten, or a run that cannot be compared with one of this mode.
    pub fn prepare(&self, mode: Mode) -> Result<Ready, Failure> {
        let is_run = |text: &str| text.contains(SCHEMA);
        let is_ours = |text: &str| text.starts_with(markdown::HEAD);
        self.out.iter().try_for_each(|file| may_overwrite(file, self.force, is_run))?;
        self.markdown.iter().try_for_each(|file| may_overwrite(file, self.force, is_ours))?;
        let before = self.compare.as_deref().map(|file| compare::readable(file, mode)).transpose()?;
        let past = match &self.history {
            Some(file) if file.exists() => history::read(file)?,
            _ => Vec::new(),
        };
        let now = jiff::Timestamp::now();
        let second = now.round(jiff::Unit::Second).unwrap_or(now).to_string();
        let label = self.label.clone().unwrap_or(second);
        Ok(Ready { label, at_ms: now.as_millisecond(), before, past })
    }

    /// Shows the run, writes it everywhere it belongs, and gives the exit code: 1 when it is slower than the run that it is compared with,
    /// 2 when the samples are too small to say. It is shown first: a file that cannot be written takes no figure away.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn finish(&self, run: &Run, ready: Ready, context: &Context) -> Result<u8, Failure> {
        let compared = ready.before.as_ref().map(|before| compare::of(before, run)).transpose()?;
        let lines = run.history(CONFIDENCE);
        let changes = self.changes(&lines, ready.past);
        if context.global.json {
            context.printer.json(&context.verb, &document(run, compared.as_ref(), &changes));
        } else {
            context.printer.data(tables::run(run, context.screen()));
            if let Some(found) = &compared {
                context.printer.data(tables::compared(found, context.screen()));
            }
            if !changes.is_empty() {
                context.printer.data(tables::changed(&changes, context.screen()));
            }
        }
        self.keep(&lines)?;
        self.write(run, compared.as_ref(), &changes)?;
        let code = compared.as_ref().map_or(exit::DONE, compare::code);
        // Not all levels were measured.
        Ok(if code == exit::DONE && context.session.interrupts.have_come() { exit::PENDING } else { code })
    }

    /// What changes in the history with this run, of its tests alone.
    fn changes(&self, lines: &[past::RecordedRun], mut past: Vec<past::RecordedRun>) -> Vec<Changed> {
        if self.history.is_none() {
            return Vec::new();
        }
        past.extend(lines.iter().cloned());
        let mut found = past::changes(&past, &Settings::default());
        found.retain(|one| lines.iter().any(|line| line.test == one.test));
        found
    }

    /// Adds the run to the history.
    fn keep(&self, lines: &[past::RecordedRun]) -> Result<(), Failure> {
        let Some(file) = &self.history else { return Ok(()) };
        let mut text = String::new();
        for line in lines {
            text.push_str(&line.line().map_err(|bad| codes::OUTPUT_FILE.error(shown!("{}", bad), "measure again"))?);
        }
        append(file, text.as_bytes()).map_err(|bad| unwritten(file, &bad, "--history"))
    }

    fn write(&self, run: &Run, compared: Option<&Against>, changes: &[Changed]) -> Result<(), Failure> {
        if let Some(file) = &self.out {
            let bytes =
                serde_json::to_vec(run).map_err(|bad| Failure::internal(shown!("the run is not JSON: {}", bad)))?;
            write_private(file, &bytes).map_err(|bad| unwritten(file, &bad, "--out"))?;
        }
        if let Some(file) = &self.markdown {
            let text = markdown::document(run, compared, changes);
            let text = report::printable(text.as_str());
            write_private(file, text.as_bytes()).map_err(|bad| unwritten(file, &bad, "--markdown"))?;
        }
        if let Some(folder) = &self.hlog {
            interval_logs(run, folder, self.force)?;
        }
        Ok(())
    }
}

/// One interval log for each level. A file that is not one is left alone.
fn interval_logs(run: &Run, folder: &Path, force: bool) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|bad| unwritten(folder, &bad, "--hlog"))?;
    for level in &run.levels {
        let file = folder.join(file_name(&level.name));
        may_overwrite(&file, force, |text| text.starts_with("#[Histogram log"))?;
        let text = hlog::write(&level.recording)
            .map_err(|bad| codes::OUTPUT_FILE.error(shown!("{}: {}", file.display(), bad), "measure again"))?;
        write_private(&file, text.as_bytes()).map_err(|bad| unwritten(&file, &bad, "--hlog"))?;
    }
    Ok(())
}

/// The name of a level's file: letters, digits and dashes.
fn file_name(level: &str) -> String {
    let plain = level.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' });
    format!("{}.hlog", plain.collect::<String>())
}

/// Adds whole lines at once, so that two runs that end together do not mix theirs. A new file is readable by its owner only: the URL of a
/// run may have a token in it.
fn append(file: &Path, lines: &[u8]) -> std::io::Result<()> {
    let mut open = OpenOptions::new().create(true).append(true).mode(0o600).open(file)?;
    open.lock()?;
    open.write_all(lines)?;
    File::sync_all(&open)
}

fn unwritten(file: &Path, bad: &std::io::Error, option: &'static str) -> Failure {
    codes::OUTPUT_FILE
        .error(shown!("{}: {}", file.display(), bad), shown!("name a place that can be written with {}", option))
}

/// The run as the document of `--json`: its figures, without histograms.
fn document(run: &Run, compared: Option<&Against>, changes: &[Changed]) -> serde_json::Value {
    let level = |level: &crate::measure::bench::BenchLevel| {
        json!({
            "name": level.name,
            "load": level.load,
            "figures": LevelFigures::of(level, CONFIDENCE),
            "failures": level.recording.failures.by_kind,
            "statuses": level.recording.statuses,
            "gpu": level.gpu,
        })
    };
    json!({
        "test": run.test,
        "label": run.label,
        "at_ms": run.at_ms,
        "mode": run.mode,
        "confidence": CONFIDENCE,
        "levels": run.levels.iter().map(level).collect::<Vec<_>>(),
        "breaking_point": run.breaking_point,
        "starts": run.starts,
        "comparison": compared,
        "changes": changes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_level_stays_in_its_folder() {
        assert_eq!(file_name("10 connections at 0.5/s"), "10-connections-at-0-5-s.hlog");
        assert_eq!(file_name("../x"), "---x.hlog");
    }

    #[test]
    fn lines_are_added_and_nothing_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("history.jsonl");
        append(&file, b"one\n").expect("written");
        append(&file, b"two\n").expect("written");
        assert_eq!(std::fs::read_to_string(&file).expect("read"), "one\ntwo\n");
    }
}
