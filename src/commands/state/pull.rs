//! `state pull`: copies the journal to one file.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::Which;
use crate::commands::{Context, workflow};
use crate::exit::{self, Failure, codes};
use crate::ledger::{JournalCopy, JournalRelation};
use crate::report;
use crate::resource::{counted, shown};

/// Which journal, and where to.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// Write it to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// With --out: write over a file that is not an earlier copy of this journal
    #[arg(long, requires = "out")]
    force: bool,
}

/// Writes the journal.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let stack = args.which.stack(context)?;
    if context.global.json && args.out.is_none() {
        return Err(codes::OPTIONS.refused(
            "the journal is not one JSON document: with --json it is not written to standard output",
            "add --out FILE, or remove --json",
        ));
    }
    let store = workflow::store(&context.global, &context.session, &stack, None).await?;
    let text = store.text().await?;
    let place = store.place();
    let whole = JournalCopy::read(&place, &stack, text.as_bytes())?;
    if whole.entries.is_empty() {
        return Err(codes::UNKNOWN_STACK.refused(
            shown!("{} has no journal at {}", stack, place),
            "name the location of the journal with --state",
        ));
    }
    let Some(out) = &args.out else {
        report::put_exactly(text.trim_end_matches('\n'));
        return Ok(exit::DONE);
    };
    if !args.force {
        need_ours(out, &stack, &whole)?;
    }
    write(out, text.as_bytes())?;
    let artifacts = workflow::directory(&context.global, &stack).map(|directory| directory.join("artefacts"));
    let artifacts = artifacts.filter(|directory| directory.is_dir());
    if context.global.json {
        let document = json!({"stack": stack, "exit": exit::DONE, "from": place, "file": out, "entries": whole.entries.len(),
                              "revision": whole.state.revision(), "artefacts": artifacts});
        context.printer.json("state-pull", &document);
        return Ok(exit::DONE);
    }
    let entries = entries(whole.entries.len());
    context.printer.data(shown!(
        "{}: {}, revision {}, from {} to {}",
        stack,
        entries,
        whole.state.revision(),
        place,
        out.display()
    ));
    if let Some(artifacts) = artifacts {
        context.printer.remark(shown!(
            "{} is not part of the journal: it contains content that a rollback may need; copy it as well",
            artifacts.display()
        ));
    }
    let content = workflow::directory(&context.global, &stack).map(|directory| directory.join("content"));
    if let Some(content) = content.filter(|directory| directory.is_dir()) {
        context.printer.remark(shown!(
            "{} is not part of the journal: it contains file contents and sensitive values that a rollback may need; \
             copy it as well, and keep it private",
            content.display()
        ));
    }
    Ok(exit::DONE)
}

/// So many entries, in words.
pub fn entries(count: usize) -> String {
    counted(count, "entry")
}

/// Refuses to write over anything but an earlier copy of this journal.
fn need_ours(out: &Path, stack: &str, whole: &JournalCopy) -> Result<(), Failure> {
    let foreign = |why: &str| {
        codes::OUTPUT_FILE.refused(
            shown!("{} exists and {}; nothing was written", out.display(), why),
            "name another file, or add --force to write over it",
        )
    };
    if crate::commands::is_stream(out) {
        return Ok(());
    }
    let bytes = match fs::read(out) {
        Err(none) if none.kind() == ErrorKind::NotFound => return Ok(()),
        Err(bad) => return Err(foreign(&format!("cannot be read: {bad}"))),
        Ok(bytes) => bytes,
    };
    let there =
        JournalCopy::read(&out.display().to_string(), stack, &bytes).ok().filter(|there| !there.entries.is_empty());
    let there = there.ok_or_else(|| foreign("is not a journal"))?;
    match whole.follows(&there.text) {
        JournalRelation::Same | JournalRelation::Ahead { .. } => Ok(()),
        JournalRelation::Behind { by } => Err(foreign(&format!("has {} more than the journal", entries(by)))),
        JournalRelation::Differs { line } => Err(foreign(&format!("is another journal: line {line} differs"))),
    }
}

/// The file is there as a whole, or not at all.
fn write(out: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let fault = |bad: std::io::Error| {
        codes::OUTPUT_FILE
            .error(shown!("{}: {}", out.display(), bad), "name a file that can be written; the journal is as it was")
    };
    if crate::commands::is_stream(out) {
        return fs::write(out, bytes).map_err(fault);
    }
    let mut draft = tempfile::NamedTempFile::new_in(folder).map_err(fault)?;
    draft.write_all(bytes).map_err(fault)?;
    draft.as_file().sync_data().map_err(fault)?;
    draft.persist(out).map_err(|bad| fault(bad.error))?;
    Ok(())
}
