//! `replicate registry`: writes the registry that `deploy` put into a bucket into the database of the primary.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::place::{self, ReplicaPlace};
use crate::commands::Context;
use crate::exit::{self, Failure, codes};
use crate::replica::ObjectStore;
use crate::replica::registry::{self, Registry, RegistryChange, RegistryFault};
use crate::replica::store::Etag;
use crate::report::Printer;
use crate::resource::shown;

/// The registry is looked at this often: one conditional GET, 260,000 in a month.
const POLL: Duration = Duration::from_secs(10);
/// One look may take this long.
const LIMIT: Duration = Duration::from_secs(10);

/// Write the model registry that deploy put into a bucket into the database of the primary.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where deploy put it: s3://BUCKET/registry[?region=REGION], or file:FOLDER with registry.json
    #[arg(long, value_name = "PLACE")]
    from: ReplicaPlace,
    /// SQLite database of the primary; created when it does not exist
    #[arg(long, value_name = "DB")]
    primary: PathBuf,
    /// Take over rows with the same names that something else wrote
    #[arg(long)]
    adopt: bool,
}

/// Writes it once.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let store = place::one(&args.from, context).await?;
    let found = registry::fetch(store.as_ref(), None, LIMIT).await?;
    // Without a known state every answer is a document.
    let Some((_, registry)) = found else { return Ok(exit::DONE) };
    let change = written(&args.primary, registry, args.adopt).await?;
    if context.global.json {
        let RegistryChange { revision, added, changed, removed } = &change;
        let body = json!({"revision": revision, "added": added, "changed": changed, "removed": removed});
        context.printer.json("replicate-registry", &body);
    } else {
        context.printer.data(shown!("{}", told(&change)));
    }
    Ok(exit::DONE)
}

fn told(change: &RegistryChange) -> String {
    if change.is_empty() {
        return format!("registry revision {}: unchanged", change.revision);
    }
    let rows = |what: &str, rows: &[String]| {
        if rows.is_empty() { String::new() } else { format!("; {what} {}", rows.join(", ")) }
    };
    let (added, changed) = (rows("added", &change.added), rows("changed", &change.changed));
    format!("registry revision {}{added}{changed}{}", change.revision, rows("removed", &change.removed))
}

/// Writes it on a thread that may block.
async fn written(database: &Path, registry: Registry, adopt: bool) -> Result<RegistryChange, RegistryFault> {
    let path = database.to_owned();
    let write = tokio::task::spawn_blocking(move || registry::write(&path, &registry, adopt));
    let failed = |bad| RegistryFault::File { path: database.to_owned(), source: std::io::Error::other(bad) };
    write.await.map_err(failed)?
}

/// A registry that a publisher writes into its database whenever it changes.
pub struct WatchedRegistry {
    store: Arc<dyn ObjectStore>,
    database: PathBuf,
    printer: Printer,
    known: Option<Etag>,
    told: Option<String>,
}

impl WatchedRegistry {
    /// The registry of a place, for this database. Nothing is read yet.
    ///
    /// # Errors
    /// The account cannot be reached.
    pub async fn at(place: &ReplicaPlace, database: &Path, context: &Context) -> Result<Self, Failure> {
        let (store, printer) = (place::one(place, context).await?, context.printer.clone());
        Ok(Self { store, database: database.to_owned(), printer, known: None, told: None })
    }

    /// Writes it, when it has changed.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub async fn look(&mut self) -> Result<(), RegistryFault> {
        let Some((etag, registry)) = registry::fetch(self.store.as_ref(), self.known.as_ref(), LIMIT).await? else {
            return Ok(());
        };
        let change = written(&self.database, registry, false).await?;
        self.known = Some(etag);
        if !change.is_empty() {
            self.printer.talk(shown!("{}", told(&change)));
        }
        Ok(())
    }

    /// The same before anything is published. A place that does not answer now does not stop a database that exists from being
    /// published.
    ///
    /// # Errors
    /// What does not change by itself, and every fault while there is no database.
    pub async fn first(&mut self) -> Result<(), RegistryFault> {
        match self.look().await {
            Err(RegistryFault::Store(bad)) if bad.passes() && self.database.exists() => {
                self.remark(&bad.to_string());
                Ok(())
            }
            looked => looked,
        }
    }

    /// Looks again and again. Each fault is said once, until it passes.
    pub async fn keep(mut self) {
        loop {
            tokio::time::sleep(POLL).await;
            match self.look().await {
                Ok(()) => self.told = None,
                Err(bad) => self.remark(&bad.to_string()),
            }
        }
    }

    fn remark(&mut self, why: &str) {
        if self.told.as_deref() != Some(why) {
            self.printer.remark(shown!("the registry is not written: {}", why));
            self.told = Some(why.to_owned());
        }
    }
}

impl From<RegistryFault> for Failure {
    fn from(fault: RegistryFault) -> Self {
        let next = match &fault {
            RegistryFault::Store(bad) if bad.is_absent() => {
                "deploy a plan with a step of kind metadata, then run this again"
            }
            RegistryFault::Foreign { .. } => {
                "akidb-edge replicate registry --adopt takes over such rows; or leave them out of the plan"
            }
            _ => "correct what is named, then run the same command again: the database is unchanged",
        };
        codes::REPLICA.error(shown!("{}", fault), next)
    }
}
