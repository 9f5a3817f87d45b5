//! Who may publish, and whether: the lease and the pause, which stand beside the signed head in the object `latest`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::calls::{Calls, repeated};
use crate::head::{HeadFault, LATEST, LONGEST, Latest};
use crate::store::{Etag, ObjectBody, ObjectMetadata, ObjectStore, Precondition, StoreFault};

/// Others may write between a look and a write this often.
const TRIES: usize = 16;

/// The one primary of a bucket.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PrimaryLease {
    /// Who.
    pub holder: String,
    /// Counts the holders: the next one has a higher number.
    pub epoch: u64,
    /// Another one may take over without being told to from then on.
    pub until: Timestamp,
    /// Whether its holder ended in order.
    pub released: bool,
}

/// Nobody publishes or follows until somebody resumes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pause {
    /// Who asked for it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// Why a pause was not written or taken away.
#[derive(Debug, thiserror::Error)]
pub enum ControlFault {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// Nothing was ever published there.
    #[error("{store}: nothing was published there, so there is nothing to pause")]
    Empty {
        /// The store's name.
        store: String,
    },
    /// What lies there cannot be read.
    #[error("{store}: {what}")]
    Foreign {
        /// The store's name.
        store: String,
        /// What, and what to do.
        what: String,
    },
    /// Others wrote at every try.
    #[error("{store}: others write `latest` all the time; try again")]
    Contended {
        /// The store's name.
        store: String,
    },
}

/// Stops publishing to this store and following from it: the publisher's next write is refused and it sees why; followers see it at
/// their next look and keep the state that they have. Returns the pause that holds, which may be a former one.
///
/// # Errors
/// The store does not do it, or nothing was published there.
pub async fn pause(store: &Arc<dyn ObjectStore>, pause: &Pause, timeout: Duration) -> Result<Pause, ControlFault> {
    let calls = Calls::new(Arc::clone(store), timeout);
    change(&calls, |latest| latest.paused.get_or_insert_with(|| pause.clone()).clone()).await
}

/// Takes a pause away. Returns it, or `None` when there was none.
///
/// # Errors
/// The store does not do it, or nothing was published there.
pub async fn resume(store: &Arc<dyn ObjectStore>, timeout: Duration) -> Result<Option<Pause>, ControlFault> {
    let calls = Calls::new(Arc::clone(store), timeout);
    change(&calls, |latest| latest.paused.take()).await
}

/// The object `latest` as it lies there.
pub(crate) async fn read(calls: &Calls) -> Result<Option<(Etag, Latest)>, ControlFault> {
    let read = repeated(|| calls.read(LATEST, None, LONGEST)).await;
    match read {
        Ok(None) => Ok(None),
        Err(none) if none.is_absent() => Ok(None),
        Err(bad) => Err(bad.into()),
        Ok(Some((etag, bytes))) => {
            let foreign = |bad: HeadFault| ControlFault::Foreign { store: calls.name(), what: bad.to_string() };
            Ok(Some((etag, Latest::parse(&bytes).map_err(foreign)?)))
        }
    }
}

/// Writes `latest` on the condition that it is still the one that was read.
pub(crate) async fn write(calls: &Calls, known: Option<Etag>, latest: &Latest) -> Result<Etag, StoreFault> {
    let on = known.map_or(Precondition::Absent, Precondition::Unchanged);
    calls.put(LATEST, &ObjectBody::Bytes(latest.to_bytes().into()), &ObjectMetadata::new(), &on).await
}

async fn change<T: Send>(calls: &Calls, with: impl Fn(&mut Latest) -> T + Send + Sync) -> Result<T, ControlFault> {
    for _ in 0..TRIES {
        let Some((etag, mut latest)) = read(calls).await? else {
            return Err(ControlFault::Empty { store: calls.name() });
        };
        let former = latest.clone();
        let answer = with(&mut latest);
        if latest == former {
            return Ok(answer);
        }
        match write(calls, Some(etag), &latest).await {
            Ok(_) => return Ok(answer),
            // Somebody else wrote, or nobody knows whether this was written: the next look tells.
            Err(bad) if bad.is_taken() || bad.passes() => {}
            Err(bad) => return Err(bad.into()),
        }
    }
    Err(ControlFault::Contended { store: calls.name() })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{ControlFault, Pause, pause, resume, write};
    use crate::calls::Calls;
    use crate::head::Latest;
    use crate::store::{FolderStore, ObjectStore};

    #[tokio::test]
    async fn a_pause_holds_until_somebody_resumes() {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn ObjectStore> = Arc::new(FolderStore::at(folder.path()));
        let limit = Duration::from_secs(5);
        let by = |by: &str| Pause { by: by.to_owned(), at: Timestamp::now(), reason: "drill".to_owned() };
        assert!(matches!(pause(&store, &by("ann"), limit).await, Err(ControlFault::Empty { .. })));
        write(&Calls::new(Arc::clone(&store), limit), None, &Latest::default()).await.unwrap();
        assert_eq!(pause(&store, &by("ann"), limit).await.unwrap().by, "ann");
        assert_eq!(pause(&store, &by("bob"), limit).await.unwrap().by, "ann");
        assert_eq!(resume(&store, limit).await.unwrap().unwrap().by, "ann");
        assert_eq!(resume(&store, limit).await.unwrap(), None);
    }
}
