//! The verbs. Each one parses, calls the modules in order, and returns an exit code.

pub mod bench;
mod certified;
pub mod complete;
pub mod completions;
mod confirm;
pub mod deploy;
pub mod destroy;
pub mod doctor;
pub mod edge;
mod forgotten;
mod hints;
mod holding_data;
mod iam_policy;
mod imported;
pub mod jetson;
pub mod known_host;
mod later_plans;
pub mod man;
#[cfg(feature = "serve")]
pub mod models;
pub mod option_rules;
mod plan_file;
#[cfg(feature = "serve")]
pub mod replicate;
pub mod report;
mod retained;
pub mod rollback;
pub mod route;
mod selection;
#[cfg(feature = "serve")]
pub mod serve;
pub mod state;
pub mod status;
#[cfg(feature = "serve")]
pub mod try_model;
mod usage;
pub mod validate;
mod verb_hints;
mod workflow;

use std::time::Duration;

use clap::ArgMatches;

use crate::cli::{Cli, Verb};
use crate::exit::{Failure, codes};
use crate::report::{Printer, Screen};
use crate::resource::shown;
use crate::session::Session;

pub use plan_file::SavedPlan;
pub use usage::usage;

/// What every verb gets.
pub struct Context {
    /// Surroundings.
    pub session: Session,
    /// Flags of every verb.
    pub global: crate::cli::Global,
    /// Where words and data go.
    pub printer: Printer,
    /// The verb with a dash between its words: the name of the schema of its JSON document.
    pub verb: String,
    /// The lease that it took, if it did.
    pub held: workflow::HeldLeases,
}

impl Context {
    /// What data on standard output is laid out for.
    pub fn screen(&self) -> Screen {
        Screen::of(self.session.width, self.session.color)
    }
}

/// Runs a verb and gives its exit code. `typed` is the command line as it was read.
pub async fn run(cli: Cli, typed: &ArgMatches) -> u8 {
    let session =
        Session::read(cli.global.no_color, cli.global.route53_rate, Duration::from_secs(cli.global.retry_timeout));
    let session = session.waiting_for_certificates(Duration::from_secs(cli.global.certificate_timeout));
    let session = session.quietly(cli.global.quiet);
    let printer = Printer::new(&session, &cli.global);
    let name = option_rules::verb(typed).join("-");
    let context = Context { session, global: cli.global, printer, verb: name, held: workflow::HeldLeases::default() };
    for used in &cli.former {
        context.printer.remark(shown!("{}", used.warning()));
    }
    let answer = match option_rules::refuse(typed) {
        Ok(()) => workflow::unless_interrupted(&context, Box::pin(verb(cli.verb, &context))).await,
        Err(refused) => Err(refused),
    };
    conclude(answer, &context)
}

async fn verb(verb: Verb, context: &Context) -> Result<u8, Failure> {
    match verb {
        Verb::Deploy(args) => deploy::run(args, context).await,
        Verb::Route(args) => route::run(args, context).await,
        Verb::Rollback(args) => rollback::run(args, context).await,
        Verb::Status(args) => status::run(args, context).await,
        Verb::Destroy(args) => destroy::run(args, context).await,
        Verb::Doctor(args) => doctor::run(args, context).await,
        Verb::State(args) => state::run(args, context).await,
        #[cfg(feature = "serve")]
        Verb::Replicate(args) => replicate::run(args, context).await,
        Verb::Validate(args) => validate::run(args, context).await,
        Verb::Bench(args) => bench::run(args, context).await,
        Verb::Report(args) => report::run(args, context).await,
        Verb::Completions(args) => completions::run(&args, context),
        Verb::Man(args) => man::run(&args, context),
        Verb::Jetson(args) => jetson::run(args, context).await,
        Verb::Edge(args) => edge::run(&args, context),
        #[cfg(feature = "serve")]
        Verb::Serve(args) => serve::run(args, context).await,
        #[cfg(feature = "serve")]
        Verb::Models(args) => models::run(args, context).await,
        Verb::KnownHost(args) => known_host::run(&args),
        #[cfg(feature = "serve")]
        Verb::TryModel => try_model::run(),
    }
}

/// A file of this size is not one that this program wrote.
const LARGEST: u64 = 256 * 1024 * 1024;

/// Whether there is something at a path that is written to and not replaced: a device, a pipe.
fn is_stream(file: &std::path::Path) -> bool {
    std::fs::metadata(file).is_ok_and(|facts| !facts.is_file() && !facts.is_dir())
}

/// Writes a file that only this user may read, as a whole or not at all.
fn write_private(file: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    if is_stream(file) {
        return std::fs::write(file, bytes);
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut draft = tempfile::NamedTempFile::new_in(folder.unwrap_or(std::path::Path::new(".")))?;
    std::io::Write::write_all(&mut draft, bytes)?;
    draft.persist(file).map(drop).map_err(|bad| bad.error)
}

/// Reads a regular file of at most [`LARGEST`] bytes.
fn read_bounded(file: &std::path::Path) -> std::io::Result<Vec<u8>> {
    crate::files::read(file, LARGEST)
}

/// Refuses to write over a file that this program did not write.
fn may_overwrite(file: &std::path::Path, force: bool, ours: impl Fn(&str) -> bool) -> Result<(), Failure> {
    let size = std::fs::metadata(file).map_or(0, |facts| facts.len());
    if force || is_stream(file) {
        return Ok(());
    }
    let bytes = if size > LARGEST { Ok(vec![0]) } else { read_bounded(file) };
    let Ok(bytes) = bytes else { return Ok(()) };
    if bytes.is_empty() || std::str::from_utf8(&bytes).is_ok_and(ours) {
        return Ok(());
    }
    Err(codes::OUTPUT_FILE.refused(
        shown!("{} exists and was not written by akidb-edge: it was left alone", file.display()),
        "choose another path with --out, or add --force to overwrite it",
    ))
}

/// What went wrong, in words and with --json as data; the one document of the run.
fn conclude(answer: Result<u8, Failure>, context: &Context) -> u8 {
    let verb = &context.verb;
    match answer {
        Ok(code) => {
            context.printer.finish(verb, code, None);
            code
        }
        Err(failure) => {
            context.printer.finish(verb, failure.code, Some(failure.document()));
            if failure.is_cancelled() {
                context.printer.talk(failure.shown());
            } else {
                context.printer.failure(failure.shown());
            }
            failure.code
        }
    }
}
