//! `edge package`: the zip of the function at the edge.

use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::json;

use crate::commands::{Context, write_private};
use crate::edge::about::STATIC;
use crate::edge::package::{PackageFault, PackageVariant, Sources, build};
use crate::exit::{self, Failure, codes};
use crate::report::{self, counted};
use crate::resource::{sha256_hex, shown};

/// More than this is allowed, but starts more slowly.
const GOAL: u64 = 40_000_000;

/// What goes into it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the model, with tokens.json and static.bin as `exporter/build --edge` makes them
    #[arg(long, value_name = "FOLDER", default_value = "models/all-MiniLM-L6-v2")]
    model: PathBuf,
    /// The model's name in requests; the folder's name otherwise
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// Which graph answers
    #[arg(long, value_name = "VARIANT", value_enum, default_value_t = Graph::Int8)]
    variant: Graph,
    /// Leave the static tier out
    #[arg(long)]
    no_static: bool,
    /// Node packages for linux-x64, as templates/lambda/install makes them
    #[arg(long, value_name = "FOLDER", default_value = "templates/lambda/node_modules")]
    modules: PathBuf,
    /// The zip
    #[arg(long, value_name = "FILE", default_value = "dist/akidb-edge-inference.zip")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Graph {
    /// The server's own: 8-bit integers
    Int8,
    /// 8 bits with word embeddings in 4: a quarter smaller, a little less exact
    Edge,
}

impl Graph {
    const fn variant(self) -> PackageVariant {
        match self {
            Self::Int8 => PackageVariant::Int8,
            Self::Edge => PackageVariant::Edge,
        }
    }
}

/// Makes it.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let own = args.model.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let sources = Sources {
        model: &args.model,
        name: args.name.as_deref().unwrap_or(&own),
        variant: args.variant.variant(),
        with_static: !args.no_static,
        modules: &args.modules,
    };
    let package = build(&sources)?;
    let bytes = package.archive.bytes.len() as u64;
    let sha256 = sha256_hex(&package.archive.bytes);
    if let Some(folder) = args.out.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|why| unwritten(args, &why))?;
    }
    write_private(&args.out, &package.archive.bytes).map_err(|why| unwritten(args, &why))?;
    if bytes > GOAL {
        context.printer.remark(shown!("the zip has {}: a cold start fetches all of it", report::size(bytes)));
    }
    if context.printer.json {
        let body = json!({"file": args.out.display().to_string(), "bytes": bytes, "unpacked": package.archive.unpacked,
                          "sha256": sha256, "package": package.about, "files": package.files});
        context.printer.json("edge-package", &body);
    } else {
        let tiers = if package.about.hash(STATIC).is_some() { "tiers full and static" } else { "tier full" };
        let size = format!("{}, {} unpacked", report::size(bytes), report::size(package.archive.unpacked));
        let files = counted(package.files.len(), "file");
        context.printer.data(shown!("{}: {} ({}), {}", args.out.display(), size, files, tiers));
        context.printer.data(shown!("  model {}, version {}", package.about.model, &package.about.version[..16]));
        context.printer.data(shown!("  sha256 {}", sha256));
    }
    Ok(exit::DONE)
}

fn unwritten(args: &Args, why: &std::io::Error) -> Failure {
    codes::PARITY.error(
        shown!("{} cannot be written: {}", args.out.display(), why.to_string()),
        "choose another path with --out",
    )
}

impl From<PackageFault> for Failure {
    fn from(fault: PackageFault) -> Self {
        codes::ARGUMENT.refused(shown!("no package: {}", fault), fault.next_step())
    }
}
