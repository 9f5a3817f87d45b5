//! The verbs. Each one parses, calls the rooms in order, and returns an exit code.

mod asking;
pub mod completions;
pub mod deploy;
pub mod destroy;
mod full;
pub mod jetson;
pub mod known_host;
#[cfg(feature = "serve")]
pub mod models;
mod order;
pub mod report;
pub mod rollback;
pub mod route;
mod saved;
#[cfg(feature = "serve")]
pub mod serve;
pub mod state;
pub mod status;
pub mod validate;
mod walk;

use std::time::Duration;

use crate::cli::{Cli, Verb};
use crate::exit::Failure;
use crate::report::Voice;
use crate::session::Session;

/// What every verb gets.
pub struct Context {
    /// Surroundings.
    pub session: Session,
    /// Flags of every verb.
    pub global: crate::cli::Global,
    /// Where words and data go.
    pub voice: Voice,
}

/// Runs a verb.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(cli: Cli) -> Result<u8, (Failure, Context)> {
    let session = Session::read(cli.global.no_color, cli.global.route53_rate, Duration::from_secs(cli.global.patience));
    let session = session.waiting_for_certificates(Duration::from_secs(cli.global.certificate_wait));
    let session = session.quietly(cli.global.quiet);
    let voice = Voice::new(&session, &cli.global);
    let context = Context { session, global: cli.global, voice };
    let answer = match cli.verb {
        Verb::Deploy(args) => deploy::run(args, &context).await,
        Verb::Route(args) => route::run(args, &context).await,
        Verb::Rollback(args) => rollback::run(args, &context).await,
        Verb::Status(args) => status::run(args, &context).await,
        Verb::Destroy(args) => destroy::run(args, &context).await,
        Verb::State(args) => state::run(args, &context).await,
        Verb::Validate(args) => validate::run(&args, &context),
        Verb::Report(args) => report::run(args, &context).await,
        Verb::Completions(args) => completions::run(&args),
        Verb::Jetson(args) => jetson::run(args, &context).await,
        #[cfg(feature = "serve")]
        Verb::Serve(args) => serve::run(args, &context).await,
        #[cfg(feature = "serve")]
        Verb::Models(args) => models::run(args, &context).await,
        Verb::KnownHost(args) => known_host::run(&args),
    };
    answer.map_err(|failure| (failure, context))
}
