//! `serve`: the embedding server.

mod check;
mod flags;

use crate::commands::Context;
use crate::exit::{DONE, Failure, codes};
use crate::resource::{SafeText, counted, shown};
use crate::serve::admission::keys;
use crate::serve::config::{Config, attempt, check as look, layers::Layers, resolve};
use crate::serve::{self, ServeFault, ShutdownOutcome};
pub use flags::Args;

/// Serves until it is told to stop.
///
/// # Errors
/// Why it cannot start.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    if let Some(name) = &args.new_api_key {
        return new_key(name, context);
    }
    if args.print_proto {
        context.printer.data(serve::grpc::proto::TEXT);
        return Ok(DONE);
    }
    if args.print_openapi {
        context.printer.data(SafeText::document(&serve::http::openapi()));
        return Ok(DONE);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let layers = Layers::read(|name| args.of(name), |variable| std::env::var(variable).ok(), args.config.as_deref());
    for used in &layers.former {
        context.printer.remark(shown!("{}", used.warning()));
    }
    if args.check {
        let (config, mut wrong) = attempt(&layers, cores);
        wrong.extend(look::problems(&config));
        return check::show(&layers, &wrong, context);
    }
    let config = resolve(&layers, cores).map_err(|wrong| check::refused(&wrong))?;
    remarks(&config, context);
    let ended = serve::run(config).await?;
    match ended {
        ShutdownOutcome::Done => Ok(DONE),
        ShutdownOutcome::Forced(code) => Ok(code),
        ShutdownOutcome::Unfinished(connections) => Err(codes::UNFINISHED.error(
            shown!("the shutdown time ended with {} in progress", counted(connections, "connection")),
            "allow more with --shutdown-time",
        )),
    }
}

/// What is allowed and should still be known.
fn remarks(config: &Config, context: &Context) {
    let public = !config.http.ip().to_canonical().is_loopback();
    let mutual = config.tls.as_ref().is_some_and(|tls| tls.clients.is_some());
    if public && config.api_keys.is_none() && !mutual {
        context.printer.remark(shown!("{} accepts requests without a key", config.http));
    }
    if let Some(file) = config.api_keys.as_deref().filter(|file| keys::is_public(file)) {
        let file = file.display();
        context.printer.remark(shown!("all users of this machine can read {}; run chmod 600 {}", file, file));
    }
}

/// The key goes to standard output, once; nobody keeps it.
fn new_key(name: &str, context: &Context) -> Result<u8, Failure> {
    let (key, line) =
        keys::mint(name).map_err(|why| codes::ARGUMENT.refused(shown!("{}", why), "choose another name"))?;
    if context.printer.json {
        context.printer.json("api-key", &serde_json::json!({"key": key, "line": line}));
    } else {
        context.printer.data(shown!("{}", key));
        context.printer.data(shown!("{}", line));
    }
    context
        .printer
        .talk("the first line is for the client and is not shown again; the second is for the file of --api-keys");
    Ok(DONE)
}

impl From<ServeFault> for Failure {
    fn from(fault: ServeFault) -> Self {
        match fault {
            ServeFault::Refused { problem, next_step } => {
                codes::SERVER.refused(shown!("{}", problem), shown!("{}", next_step))
            }
            ServeFault::System(why) => codes::SERVER.error(shown!("{}", why), "fix that, then start the server again"),
        }
    }
}
