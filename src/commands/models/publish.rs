//! `models publish`: a model of this machine into a bucket or a folder, in the layout that `deploy` writes and servers
//! read.

use clap::ValueEnum;
use serde_json::json;

use crate::commands::Context;
use crate::commands::workflow::connect;
use crate::delivery::folder_store::UploadFolder;
use crate::delivery::layout::{KEPT, MOST_KEPT};
use crate::delivery::publish::{ModelPublishFault, Publication, Published};
use crate::exit::{self, Failure, codes};
use crate::inference::folder::Variant;
use crate::models::name::ModelName;
use crate::models::publish::fit;
use crate::models::{ModelStore, ModelsFault};
use crate::provider::aws::ModelBucket;
use crate::report::{self, counted};
use crate::resource::{Fault, shown};
use crate::serve::model_sync::origin::SyncSource;

/// Which model, and where to.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A model of the store
    name: String,
    /// s3://BUCKET/PREFIX (the prefix of a bucket that deploy fills is models), or file:FOLDER
    #[arg(long, value_name = "PLACE")]
    to: String,
    /// Its name there; the same otherwise
    #[arg(long = "as", value_name = "NAME")]
    new_name: Option<String>,
    /// Which graphs; those that it has otherwise
    #[arg(long, value_name = "VARIANT", value_enum)]
    variant: Vec<Graph>,
    /// Versions before the current one that stay there
    #[arg(long, value_name = "N", default_value_t = KEPT, value_parser = clap::value_parser!(u32).range(..=i64::from(MOST_KEPT)))]
    keep: u32,
    /// Also when the plan of a stack manages the model there
    #[arg(long)]
    replace: bool,
    /// The region of the bucket; the configured one otherwise
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Graph {
    /// 32-bit floats
    Fp32,
    /// 8-bit integers
    Int8,
}

impl Graph {
    const fn variant(self) -> Variant {
        match self {
            Self::Fp32 => Variant::Fp32,
            Self::Int8 => Variant::Int8,
        }
    }
}

/// Publishes.
pub async fn run(args: &Args, store: &ModelStore, context: &Context) -> Result<u8, Failure> {
    let name = ModelName::parse(&args.name)?;
    let there = ModelName::parse(args.new_name.as_deref().unwrap_or(&args.name))?;
    let place: SyncSource = args.to.parse().map_err(|_| {
        codes::ARGUMENT.refused(shown!("invalid --to {:?}", args.to), "write s3://BUCKET/PREFIX or file:FOLDER")
    })?;
    let variants: Vec<Variant> = args.variant.iter().map(|graph| graph.variant()).collect();
    let fit = fit(store, &name, &variants)?;
    let publication = Publication::of(there.as_str(), &fit.folder, &fit.files)?;
    let published = match &place {
        SyncSource::Folder(folder) => {
            publication.publish(&UploadFolder::at(folder.clone()), args.keep, args.replace).await?
        }
        SyncSource::Bucket { bucket, prefix } => {
            let connection = connect(&context.session).await?;
            let region = args.region.as_deref().unwrap_or(&connection.region);
            let bucket = ModelBucket::open(&connection.clients, region, bucket, prefix)?;
            publication.publish(&bucket, args.keep, args.replace).await?
        }
    };
    tell(&there, &place, &published, context);
    Ok(exit::DONE)
}

fn tell(name: &ModelName, place: &SyncSource, published: &Published, context: &Context) {
    if context.printer.json {
        let body = json!({"name": name.as_str(), "to": place.to_string(), "published": published});
        return context.printer.json("models-publish", &body);
    }
    let objects = counted(published.uploaded, "object");
    let uploaded = format!("{objects} uploaded, {}", report::size(published.bytes));
    let is = if published.unchanged { "was already the current version" } else { "is the current version now" };
    let text = shown!("{} {} {} in {} ({})", name, published.version, is, place.to_string(), uploaded);
    context.printer.data(text);
    if !published.removed.is_empty() {
        context.printer.talk(shown!("deleted: {}", published.removed.join(", ")));
    }
}

impl From<ModelPublishFault> for Failure {
    fn from(fault: ModelPublishFault) -> Self {
        match fault {
            ModelPublishFault::File(fault) => ModelsFault::from(fault).into(),
            fault @ ModelPublishFault::TooLarge { .. } => {
                codes::PUBLISH.refused(shown!("{}", fault), "export the graph with its weights in several files")
            }
            fault @ ModelPublishFault::Managed { .. } => codes::PUBLISH.refused(
                shown!("{}", fault),
                "name the new files in that stack's plan and deploy it, or add --replace",
            ),
            ModelPublishFault::Store(why) => match why.downcast::<Fault>() {
                Ok(fault) => (*fault).into(),
                Err(why) => codes::PUBLISH.error(
                    shown!("{}", why),
                    "run the same command again: files that are already there are not uploaded again",
                ),
            },
        }
    }
}
