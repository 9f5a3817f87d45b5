//! `bench serve`: load on an embedding server.

use super::levels::{self, Subject};
use super::load_args::{LoadArgs, ModeArg};
use super::out::OutArgs;
use super::server::Server;
use crate::commands::Context;
use crate::commands::validate::ConnectionArgs;
use crate::exit::{Failure, codes};
use crate::measure::bench::{Run, ServerStart};
use crate::measure::{Target, load};
use crate::plan::validation::RequestPlan;
use crate::resource::shown;

/// The route that is measured.
const PATH: &str = "/api/v1/embed";
/// The text of each request when none is named: eleven tokens with all-MiniLM-L6-v2.
const TEXT: &str = "How do I reset the password of my account?";

/// Put load on an embedding server: 1, 5, 10, 15, 30 and 50 connections, each request one text.
///
/// Without --address a server is started on a free port of this machine and ended afterwards, with its cache of vectors off. A server
/// that runs already answers texts that it has seen from that cache.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A running server (http://HOST:PORT), instead of one that is started
    #[arg(long, value_name = "URL")]
    address: Option<String>,
    /// Model, instead of the server's default
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Text that is embedded (repeatable) [default: one of eleven tokens]
    #[arg(long, value_name = "TEXT")]
    text: Vec<String>,
    /// Starts of the server, with --mode cold-start
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    starts: u16,
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    out: OutArgs,
    /// Flags of the server that is started: `-- --models FOLDER --variant int8`
    #[arg(last = true, value_name = "SERVER FLAGS")]
    flags: Vec<String>,
}

/// Measures.
///
/// # Errors
/// When no server starts, nothing can be measured, or a file cannot be read or written.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    args.load.check()?;
    let ready = args.out.prepare(args.load.mode.mode())?;
    let mut run = Run::new(&args.test(), &ready.label, ready.at_ms, args.load.mode.mode());
    match (&args.address, args.load.mode) {
        (Some(address), _) => levels::measure(&mut run, &args.subject(address)?, &args.load, context).await?,
        (None, ModeArg::ColdStart) => args.starts(&mut run, context).await?,
        (None, _) => {
            let server = Server::start(&args.flags).await?;
            let measured = match args.subject(&server.address) {
                Ok(subject) => levels::measure(&mut run, &subject, &args.load, context).await,
                Err(bad) => Err(bad),
            };
            server.stop().await?;
            measured?;
        }
    }
    args.out.finish(&run, ready, context)
}

impl Args {
    /// What the run is a test of. The port of a server that is started is another one each time.
    fn test(&self) -> String {
        let model = self.model.as_ref().map_or_else(String::new, |model| format!(", model {model}"));
        match &self.address {
            Some(address) => format!("{address}{PATH}{model}"),
            None if self.flags.is_empty() => format!("serve{model}"),
            None => format!("serve {}{model}", self.flags.join(" ")),
        }
    }

    fn subject(&self, address: &str) -> Result<Subject, Failure> {
        let read = ::url::Url::parse(address).ok().filter(|read| read.host_str().is_some() && read.path() == "/");
        let Some(read) = read else {
            return Err(codes::ARGUMENT.refused(
                shown!("--address {:?} is not the address of a server", address),
                "write --address http://HOST:PORT, without a path",
            ));
        };
        let host = read[::url::Position::BeforeHost..::url::Position::AfterPort].to_owned();
        let texts = if self.text.is_empty() { vec![TEXT.to_owned()] } else { self.text.clone() };
        let reach: ConnectionArgs = self.load.reach.clone().of_url(address);
        let metrics = reach.ready(Target::get(&format!("{}/metrics", address.trim_end_matches('/'))))?;
        let request = RequestPlan { host, path: PATH.to_owned(), texts, model: self.model.clone() };
        let targets = reach.posts(&request)?;
        let trust = reach.trust(&metrics)?;
        Ok(Subject { targets, trust, metrics: Some(metrics) })
    }

    /// Starts of the server, each with its first request.
    async fn starts(&self, run: &mut Run, context: &Context) -> Result<(), Failure> {
        for number in 0..self.starts {
            let server = Server::start(&self.flags).await?;
            let answered = self.first_answer(&server).await;
            server.stop().await?;
            let start = answered?;
            let millis = super::tables::ms(start.ready_ms);
            context.printer.talk(shown!("start {} of {}: ready after {} ms", number + 1, self.starts, millis));
            run.starts.push(start);
        }
        Ok(())
    }

    async fn first_answer(&self, server: &Server) -> Result<ServerStart, Failure> {
        let subject = self.subject(&server.address)?;
        let target = &subject.targets[0];
        let timeout = std::time::Duration::from_millis(self.load.timeout_ms);
        let failed = |why: String| {
            codes::MEASUREMENT
                .error(shown!("the first request was not answered: {}", why), "check the flags and the key")
        };
        let exchange = load::once(target, timeout, &subject.trust).await.map_err(|bad| failed(bad.to_string()))?;
        let first_answer = server.began.elapsed();
        if let Some(wrong) = exchange.wrong {
            return Err(failed(wrong.to_string()));
        }
        let ms = |of: std::time::Duration| of.as_secs_f64() * 1e3;
        Ok(ServerStart {
            listening_ms: ms(server.listening),
            ready_ms: ms(server.ready),
            first_answer_ms: ms(first_answer),
            first_request_ms: ms(exchange.timing.total),
        })
    }
}
