//! `models pull`: downloads a model from the hub.

use clap::ValueEnum;

use super::hub::HubArgs;
use crate::commands::Context;
use crate::exit::{self, Failure};
use crate::inference::folder::Variant;
use crate::models::manifest::ModelOrigin;
use crate::models::name::{self, ModelName, Repo};
use crate::models::pull::{PullRequest, PulledModel, offline, pull};
use crate::models::{ModelEvent, ModelStore};
use crate::report::{self, TransferProgress};
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
pub async fn run(args: &Args, store: &ModelStore, context: &Context) -> Result<u8, Failure> {
    let repo = Repo::parse(&args.model)?;
    let name = ModelName::parse(args.name.as_deref().unwrap_or(&repo.name))?;
    let options =
        PullRequest { revision: name::revision(&args.revision)?, variants: args.variant.variants(), repo, name };
    if !args.model.contains('/') {
        context.printer.talk(shown!("looking up {} as {}", args.model, options.repo));
    }
    let shown = TransferProgress::new(context.session.terminal, context.global.quiet, context.session.color);
    let listener = |event: &ModelEvent<'_>| show(&shown, event, context);
    let pulled = if args.hub.is_offline() {
        offline(store, &options, &listener)?
    } else {
        let hub = args.hub.hub()?;
        if hub.token_kept_back {
            context
                .printer
                .remark("the token is not sent: the hub's address begins with http://, so others could read it");
        }
        pull(store, &options, &hub, &listener).await?
    };
    tell(&pulled, args.hub.is_offline(), context);
    Ok(exit::DONE)
}

fn show(shown: &TransferProgress, event: &ModelEvent<'_>, context: &Context) {
    match event {
        ModelEvent::Begun { file, size, here } => {
            if *here > 0 {
                let (here, size) = (report::size(*here), report::size(*size));
                shown.line(shown!("  … {}: resuming after {} of {}", file, here, size));
            }
            shown.begin(file, *size, *here);
        }
        ModelEvent::Moved { file, here } => shown.moved(file, *here),
        ModelEvent::Retrying { file, attempt, after, why } => {
            let after = report::duration(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
            shown.line(shown!("  ↻ {}: try {} in {}: {}", file, attempt, after, why));
        }
        ModelEvent::Right { file, size } => shown.end(file, *size),
        ModelEvent::Remark(text) => context.printer.remark(shown!("{}", text)),
    }
}

fn tell(pulled: &PulledModel, offline: bool, context: &Context) {
    if context.printer.json {
        return context.printer.json("models-pull", pulled);
    }
    let bytes = pulled.files.values().map(|digest| digest.size).sum();
    let all = format!("{}, {}", report::counted(pulled.files.len(), "file"), report::size(bytes));
    let source = match &pulled.source {
        ModelOrigin::Hub { repo, commit, .. } => format!("{repo} at {commit:.12}"),
        ModelOrigin::Import { folder } => format!("imported from {folder}"),
        ModelOrigin::Sync { from, version } => format!("version {version} of {from}"),
    };
    let verdict = match (pulled.unchanged, offline) {
        (true, true) => "is installed and verified; the network was not used".to_owned(),
        (true, false) => "is already installed and verified; nothing was downloaded".to_owned(),
        (false, _) => format!("was installed in {} and verified", pulled.folder),
    };
    context.printer.data(shown!("{} ({}; {}) {}", pulled.name, source, all, verdict));
}
