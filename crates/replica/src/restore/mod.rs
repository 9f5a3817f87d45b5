//! Restores an earlier state of a database.

pub(crate) mod build;
mod choose;

use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::calls::Calls;
use crate::store::{ObjectStore, StoreFault};
use crate::trust::Trust;
use crate::txid::Txid;

/// Which state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RestorePoint {
    /// The newest one.
    Latest,
    /// That one.
    Txid(Txid),
    /// The last one that was published by then.
    Time(Timestamp),
}

impl FromStr for RestorePoint {
    type Err = BadAt;

    /// `latest`, a transaction id, or a time as in RFC 3339.
    fn from_str(text: &str) -> Result<Self, BadAt> {
        let time = || text.parse().map(Self::Time);
        match text {
            "latest" => Ok(Self::Latest),
            text => text.parse().map(Self::Txid).or_else(|_| time()).map_err(|_| BadAt(text.to_owned())),
        }
    }
}

/// What is not a point of a history.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{0:?} is neither a transaction id nor a time: write its 16 hexadecimal digits, or a time such as 2026-12-01T08:00:00Z"
)]
pub struct BadAt(pub String);

/// What is restored. [`RestoreOptions::new`] has the defaults.
#[derive(Clone, Debug)]
pub struct RestoreOptions {
    /// Where objects come from.
    pub store: Arc<dyn ObjectStore>,
    /// Whom it believes.
    pub trust: Trust,
    /// Which state.
    pub at: RestorePoint,
    /// Where the file goes. Nothing may lie there.
    pub output: PathBuf,
    /// One call of the store.
    pub request_timeout: Duration,
}

impl RestoreOptions {
    /// The newest state, 10 s for a call.
    pub fn new(store: Arc<dyn ObjectStore>, trust: Trust, output: PathBuf) -> Self {
        Self { store, trust, at: RestorePoint::Latest, output, request_timeout: Duration::from_secs(10) }
    }
}

/// An object that a restore reads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlannedObject {
    /// Its key.
    pub key: String,
    /// The first state in it.
    pub min: Txid,
    /// The last state in it.
    pub max: Txid,
    /// Its bytes.
    pub size: u64,
}

/// What a restore will do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RestorePlan {
    /// The state that comes of it.
    pub txid: Txid,
    /// When it was published.
    pub published_at: Timestamp,
    /// A snapshot, and what came after it.
    pub objects: Vec<PlannedObject>,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// What was restored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Restored {
    /// What was done.
    pub plan: RestorePlan,
    /// Pages of the database.
    pub pages: u32,
    /// Bytes of a page.
    pub page_size: u32,
    /// Whether a signed Merkle root proves every page. `false` for a bucket that Litestream wrote.
    pub proven: bool,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreFault {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// Nothing was published there.
    #[error("{store}: nothing was published there")]
    Empty {
        /// The store's name.
        store: String,
    },
    /// That has not happened yet.
    #[error("{store}: {wanted} lies in the future: the newest state is {newest}, published at {published_at}")]
    Future {
        /// The store's name.
        store: String,
        /// What was asked for.
        wanted: String,
        /// The newest state.
        newest: Txid,
        /// When it was published.
        published_at: Timestamp,
    },
    /// That is not kept any more, never was, or the chain is broken.
    #[error("{store}: {wanted} cannot be restored: {why}")]
    Gone {
        /// The store's name.
        store: String,
        /// What was asked for.
        wanted: String,
        /// Why, and what can be.
        why: String,
    },
    /// An object is not what it has to be.
    #[error("{store}: {key} is refused: {why}")]
    Refused {
        /// The store's name.
        store: String,
        /// The object.
        key: String,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// What came of it did not pass its check. It was removed.
    #[error("the restored database did not pass its check, and was removed: {said}")]
    Damaged {
        /// What SQLite says.
        said: String,
    },
    /// Something lies there.
    #[error("{} is there already: choose another path, or remove it", .0.display())]
    Exists(PathBuf),
    /// A local file.
    #[error("{}: {source}", path.display())]
    Local {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Which objects a restore would read. Nothing is written (`--dry-run`).
///
/// # Errors
/// The store cannot be read, or that state cannot be restored.
pub async fn plan(options: &RestoreOptions) -> Result<RestorePlan, RestoreFault> {
    let calls = Calls::new(Arc::clone(&options.store), options.request_timeout);
    choose::choose(&calls, options.at, Timestamp::now()).await.map(|(plan, _)| plan)
}

/// Restores. The file appears at `output` at once, after it was checked.
///
/// # Errors
/// The store cannot be read, that state cannot be restored, or what came of it is not right.
pub async fn restore(options: &RestoreOptions) -> Result<Restored, RestoreFault> {
    if let Some(there) = build::files(&options.output).find(|path| path.exists()) {
        return Err(RestoreFault::Exists(there));
    }
    let calls = Calls::new(Arc::clone(&options.store), options.request_timeout);
    let (plan, names) = choose::choose(&calls, options.at, Timestamp::now()).await?;
    let built = build::build(&calls, &options.trust, &names, &options.output).await?;
    build::publish(&built, &options.output)?;
    Ok(Restored { plan, pages: built.pages, page_size: built.page_size, proven: built.proven })
}
