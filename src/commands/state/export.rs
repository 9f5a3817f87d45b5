//! `state export`: exports the state to other tools. Offline: only the journal is read.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Which, open};
use crate::commands::{Context, may_overwrite, plan_file};
use crate::exit::{self, Failure, codes};
use crate::export::{self, Export};
use crate::report;
use crate::resource::{SafeText, Untrusted, sensitive, shown};

/// What to write, and where.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// The words to say it in
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// Write to this file (json) or into this directory (terraform, cloudformation) instead of standard output
    #[arg(long, value_name = "FILE|DIR")]
    out: Option<PathBuf>,
    /// Overwrite what --out names, even if it is not an export
    #[arg(long, requires = "out")]
    force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// The whole state as one JSON document
    Json,
    /// Templates to import with, one for each region
    Cloudformation,
    /// HCL with import blocks
    Terraform,
}

/// Writes the state.
///
/// # Errors
/// When the journal cannot be read, or the files cannot be written.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let state = open(&args.which, context).await?.recorded();
    if state.sequence == 0 {
        return Err(codes::UNKNOWN_STACK.refused(
            shown!("{} has no journal there, so there is nothing to export", state.stack),
            "name the location of the journal with --state, and the stack with --stack",
        ));
    }
    let export = match args.format {
        Format::Json => return json(args, &json!({"state": state}), context),
        Format::Terraform => export::terraform::export(&state),
        Format::Cloudformation => export::cloudformation::export(&state),
    };
    if state.resources.is_empty() {
        let problem = shown!("the state of {} is empty: there is nothing to export", state.stack);
        return Err(codes::NOTHING_TO_EXPORT.refused(problem, "deploy first, or name the right --stack and --state"));
    }
    let written = match &args.out {
        Some(directory) => write_all(directory, &export, args.force)?,
        None => print(&export, context)?,
    };
    for file in &written {
        context.printer.talk(shown!("wrote {}", file));
    }
    context.printer.remark(export::OTHERS);
    for note in &export.notes {
        context.printer.remark(shown!("{}: {}", note.address, note.text));
    }
    if context.global.json {
        context.printer.json("export-files", &json!({"files": written, "notes": export.notes}));
    }
    Ok(exit::DONE)
}

fn json(args: &Args, body: &serde_json::Value, context: &Context) -> Result<u8, Failure> {
    let Some(file) = &args.out else {
        context.printer.json("export", body);
        return Ok(exit::DONE);
    };
    may_overwrite(file, args.force, |text| plan_file::has_schema(text, "akidb-edge/export/"))?;
    let text = serde_json::to_string_pretty(&report::document("export", body)).unwrap_or_default();
    std::fs::write(file, text + "\n").map_err(|bad| unwritable(file, &bad))?;
    context.printer.talk(shown!("wrote {}", file.display()));
    Ok(exit::DONE)
}

/// Every file below the directory, which is made when it is not there; what lies there under other names stays.
fn write_all(directory: &Path, export: &Export, force: bool) -> Result<Vec<String>, Failure> {
    // Names of regions are in them, and those are the journal's.
    let mut places = Vec::new();
    for file in &export.files {
        let name = Untrusted::from(&file.name);
        let name = name.file_name().map_err(|bad| {
            codes::DAMAGED.refused(
                shown!("a file of this export would be called {}; nothing was written", bad),
                "check the regions in akidb-edge state show: the journal was edited",
            )
        })?;
        places.push((directory.join(name), &file.text));
    }
    // One of the files says who wrote them.
    let text = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let ours = places.iter().any(|(path, _)| text(path).contains("akidb-edge"));
    for (path, _) in &places {
        may_overwrite(path, force, |_| ours)?;
    }
    std::fs::create_dir_all(directory).map_err(|bad| unwritable(directory, &bad))?;
    let mut written = Vec::new();
    for (path, text) in places {
        std::fs::write(&path, sensitive::hidden(text).as_bytes()).map_err(|bad| unwritable(&path, &bad))?;
        written.push(path.display().to_string());
    }
    Ok(written)
}

/// All files in one text, where they may be in one (Terraform's).
fn print(export: &Export, context: &Context) -> Result<Vec<String>, Failure> {
    if context.global.json || export.files.iter().any(|file| file.name.ends_with(".json")) {
        return Err(codes::OPTIONS.refused(
            shown!("this export has {}", report::counted(export.files.len(), "file")),
            "name a directory for them: --out DIR",
        ));
    }
    let all: Vec<&str> = export.files.iter().map(|file| file.text.trim_end()).collect();
    report::put(SafeText::document(&all.join("\n\n")));
    Ok(Vec::new())
}

fn unwritable(path: &Path, bad: &std::io::Error) -> Failure {
    codes::OUTPUT_FILE.error(shown!("{}: {}", path.display(), bad), "name a place that can be written with --out")
}
