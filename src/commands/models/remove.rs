//! `models remove`: deletes a model.

use serde_json::json;

use crate::commands::Context;
use crate::exit::{self, Failure, codes};
use crate::models::ModelStore;
use crate::models::name::ModelName;
use crate::models::remove::{look, remove};
use crate::report;
use crate::resource::shown;

/// Which model, and whether to ask.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model
    name: String,
    /// Skip the confirmation prompt
    #[arg(short, long)]
    yes: bool,
}

/// Removes.
pub fn run(args: &Args, store: &ModelStore, context: &Context) -> Result<u8, Failure> {
    let name = ModelName::parse(&args.name)?;
    let removal = look(store, &name)?;
    let folder = store.served(&name).display().to_string();
    let what =
        shown!("{}: {}, {} in {}", name, report::counted(removal.files, "file"), report::size(removal.bytes), folder);
    if !args.yes {
        if !context.session.can_ask {
            return Err(codes::NO_TERMINAL.refused(shown!("{} would be deleted", what), "add --yes"));
        }
        if !context.printer.ask(shown!("{}. Delete it?", what)) {
            return Err(Failure::cancelled());
        }
    }
    let removal = remove(store, &name)?;
    if context.printer.json {
        let body = json!({"name": name.as_str(), "folder": folder, "files": removal.files, "bytes": removal.bytes});
        context.printer.json("models-remove", &body);
    } else {
        context.printer.data(shown!("{} is deleted", what));
    }
    if removal.synced {
        let again = "a running server serves it until it exits; a server with --sync downloads it again";
        context.printer.remark(shown!("it was downloaded by model sync: {}", again));
    }
    Ok(exit::DONE)
}
