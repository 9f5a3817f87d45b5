//! `models import`: copies a local folder into the store.

use std::path::PathBuf;

use serde_json::json;

use crate::commands::Context;
use crate::exit::{self, Failure};
use crate::models::import::import;
use crate::models::name::ModelName;
use crate::models::{ModelStore, ModelsFault};
use crate::report;
use crate::resource::shown;

/// Which folder.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder in the sentence-transformers layout with an ONNX graph
    path: PathBuf,
    /// Name in the store [default: the folder name]
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
}

/// Takes it in.
pub fn run(args: &Args, store: &ModelStore, context: &Context) -> Result<u8, Failure> {
    let whole = args.path.canonicalize().map_err(ModelsFault::file(&args.path))?;
    let own = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = ModelName::parse(args.name.as_deref().unwrap_or(&own))?;
    let manifest = import(store, &args.path, &name)?;
    let folder = store.folder(&name).display().to_string();
    if context.printer.json {
        let body = json!({"name": name.as_str(), "source": manifest.source, "folder": folder, "files": manifest.files});
        context.printer.json("models-import", &body);
    } else {
        let files = report::counted(manifest.files.len(), "file");
        let size = report::size(manifest.size());
        context.printer.data(shown!(
            "{} ({}, {}) was imported into {}; every file was verified",
            name,
            files,
            size,
            folder
        ));
    }
    Ok(exit::DONE)
}
