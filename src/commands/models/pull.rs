//! `models pull`: a model from the hub.

use clap::ValueEnum;

use super::hub::HubArgs;
use crate::commands::Context;
use crate::exit::{self, Failure};
use crate::inference::folder::Variant;
use crate::models::manifest::Source;
use crate::models::name::{self, ModelName, Repo};
use crate::models::pull::{Pulled, Wish, offline, pull};
use crate::models::{Event, Store};
use crate::report::{self, Transfers};
use crate::resource::shown;

/// Which model.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// OWNER/NAME of the hub; NAME alone is one of sentence-transformers
    #[arg(value_name = "NAME|REPO")]
    model: String,
    /// A branch, a tag or a commit
    #[arg(long, value_name = "REVISION", default_value = "main")]
    revision: String,
    /// Which graphs
    #[arg(long, value_name = "VARIANT", value_enum, default_value_t = Graphs::Fp32)]
    variant: Graphs,
    /// The name in the store; the last part of the repository's name otherwise
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    hub: HubArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Graphs {
    /// 32-bit floats
    Fp32,
    /// 8-bit integers
    Int8,
    /// Both
    All,
}

impl Graphs {
    fn variants(self) -> Vec<Variant> {
        match self {
            Self::Fp32 => vec![Variant::Fp32],
            Self::Int8 => vec![Variant::Int8],
            Self::All => vec![Variant::Fp32, Variant::Int8],
        }
    }
}

/// Fetches.
pub async fn run(args: &Args, store: &Store, context: &Context) -> Result<u8, Failure> {
    let repo = Repo::parse(&args.model)?;
    let name = ModelName::parse(args.name.as_deref().unwrap_or(&repo.name))?;
    let wish = Wish { revision: name::revision(&args.revision)?, variants: args.variant.variants(), repo, name };
    if !args.model.contains('/') {
        context.voice.talk(shown!("{} is looked up as {}", args.model, wish.repo));
    }
    let shown = Transfers::new(context.session.terminal, context.global.quiet, context.session.colour);
    let listener = |event: &Event<'_>| show(&shown, event, context);
    let pulled = if args.hub.is_offline() {
        offline(store, &wish, &listener)?
    } else {
        let hub = args.hub.hub()?;
        if hub.token_kept_back {
            context
                .voice
                .remark("the token is not sent: the hub's address begins with http://, so others could read it");
        }
        pull(store, &wish, &hub, &listener).await?
    };
    tell(&pulled, args.hub.is_offline(), context);
    Ok(exit::DONE)
}

fn show(shown: &Transfers, event: &Event<'_>, context: &Context) {
    match event {
        Event::Begun { file, size, here } => {
            if *here > 0 {
                let (here, size) = (report::size(*here), report::size(*size));
                shown.line(shown!("  … {}: {} of {} are here, it goes on from there", file, here, size));
            }
            shown.begin(file, *size, *here);
        }
        Event::Moved { file, here } => shown.moved(file, *here),
        Event::Retrying { file, attempt, after, why } => {
            let after = report::duration(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
            shown.line(shown!("  ↻ {}: try {} in {}: {}", file, attempt, after, why));
        }
        Event::Right { file, size } => shown.end(file, *size),
        Event::Remark(text) => context.voice.remark(shown!("{}", text)),
    }
}

fn tell(pulled: &Pulled, offline: bool, context: &Context) {
    if context.voice.json {
        return context.voice.json("models-pull", pulled);
    }
    let bytes = pulled.files.values().map(|digest| digest.size).sum();
    let all = format!("{}, {}", report::counted(pulled.files.len(), "file"), report::size(bytes));
    let source = match &pulled.source {
        Source::Hub { repo, commit, .. } => format!("{repo} at {commit:.12}"),
        Source::Import { folder } => format!("imported from {folder}"),
        Source::Sync { from, version } => format!("version {version} of {from}"),
    };
    let verdict = match (pulled.unchanged, offline) {
        (true, true) => "is here, every hash is right; the network was not used".to_owned(),
        (true, false) => "is here already, every hash is right; nothing was fetched".to_owned(),
        (false, _) => format!("is in {}, every hash is right", pulled.folder),
    };
    context.voice.data(shown!("{} ({}; {}) {}", pulled.name, source, all, verdict));
}
