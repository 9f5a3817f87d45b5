//! `bench`: load on an address or on the embedding server, levels of connections one after the other; two runs compared, and many runs
//! searched for changes. Nothing is changed on the server.

mod cold;
mod compare;
mod history;
mod levels;
mod load_args;
mod markdown;
mod out;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "serve")]
mod server;
mod tables;
mod url;

use super::Context;
use crate::exit::Failure;

/// Measure under load, compare runs, and find changes over many runs.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Put load on an address
    Url(url::Args),
    /// Put load on an embedding server: a running one, or one that is started for it
    #[cfg(feature = "serve")]
    Serve(serve::Args),
    /// Compare two runs, level by level
    Compare(compare::Args),
    /// Find the runs of a history at which a figure changed
    History(history::Args),
}

/// Measures or compares.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    // A server that was started ends with this process, whatever ends it in order.
    context.session.interrupts.listen();
    match args.what {
        What::Url(args) => url::run(&args, context).await,
        #[cfg(feature = "serve")]
        What::Serve(args) => serve::run(&args, context).await,
        What::Compare(args) => compare::run(&args, context),
        What::History(args) => history::run(&args, context),
    }
}
