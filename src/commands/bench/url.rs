//! `bench url`: load on an address.

use std::path::PathBuf;

use super::levels::{self, Subject};
use super::load_args::LoadArgs;
use super::out::OutArgs;
use crate::commands::Context;
use crate::exit::{Failure, codes};
use crate::measure::bench::Run;
use crate::measure::{Protocol, Target};
use crate::resource::shown;

/// The longest body that is read from a file.
const LONGEST_BODY: u64 = 16 << 20;

/// Put load on an address: 1, 5, 10, 15, 30 and 50 connections, one level after the other.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The address: http://HOST/PATH or https://HOST/PATH
    url: String,
    /// HTTP method [default: GET, or POST with --body]
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// File whose bytes are the body of each request
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// A header of each request (repeatable)
    #[arg(long, value_name = "NAME=VALUE")]
    header: Vec<String>,
    /// Use HTTP/2 instead of HTTP/1.1
    #[arg(long)]
    http2: bool,
    /// Header and value by which an answer says that a process started for it; such answers are counted
    #[arg(long, value_name = "NAME=VALUE")]
    cold_header: Option<String>,
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    out: OutArgs,
}

/// Measures.
///
/// # Errors
/// When nothing can be measured at all, or a file cannot be read or written.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    args.load.check()?;
    let reach = args.load.reach.clone().of_url(&args.url);
    let target = reach.ready(args.target()?)?;
    let trust = reach.trust(&target)?;
    let ready = args.out.prepare(args.load.mode.mode())?;
    let mut run = Run::new(&args.url, &ready.label, ready.at_ms, args.load.mode.mode());
    let subject = Subject { targets: vec![target], trust, metrics: None };
    levels::measure(&mut run, &subject, &args.load, context).await?;
    args.out.finish(&run, ready, context)
}

impl Args {
    fn target(&self) -> Result<Target, Failure> {
        let mut target = Target::get(&self.url);
        if let Some(file) = &self.body {
            target.body = crate::files::read(file, LONGEST_BODY).map_err(|bad| {
                codes::INPUT_FILE.refused(shown!("{}: {}", file.display(), bad), "name a file with --body")
            })?;
            target.method = "POST".to_owned();
        }
        if let Some(method) = &self.method {
            target.method.clone_from(method);
        }
        if self.http2 {
            target.protocol = Protocol::Http2;
        }
        target.headers = self.header.iter().map(|pair| named("--header", pair)).collect::<Result<_, _>>()?;
        target.signals.cold = self.cold_header.as_ref().map(|pair| named("--cold-header", pair)).transpose()?;
        Ok(target)
    }
}

/// A name and a value. The value may be a key, so it is not shown.
fn named(option: &str, pair: &str) -> Result<(String, String), Failure> {
    let parts = pair.split_once('=').filter(|(name, _)| !name.is_empty());
    parts.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| {
        codes::ARGUMENT
            .refused(shown!("{} has no name and value", option), shown!("write {} content-type=text/plain", option))
    })
}
