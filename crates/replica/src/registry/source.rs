//! The document in the place that `deploy` writes it to.

use std::time::Duration;

use tokio::time::timeout;

use akidb_edge_registry::{FILE, LARGEST, Registry};

use super::fault::RegistryFault;
use crate::store::{Etag, ObjectStore, ReadAnswer, StoreFault};

/// Reads the document of a place; none: it is still the known one. One conditional GET.
///
/// # Errors
/// The place does not answer in time, or has no document of this format.
pub async fn fetch(
    store: &dyn ObjectStore,
    known: Option<&Etag>,
    limit: Duration,
) -> Result<Option<(Etag, Registry)>, RegistryFault> {
    match timeout(limit, read(store, known)).await {
        Ok(read) => read,
        Err(_) => {
            let detail = format!("no answer within {} s", limit.as_secs());
            Err(StoreFault::Unreachable { store: store.name(), detail }.into())
        }
    }
}

async fn read(store: &dyn ObjectStore, known: Option<&Etag>) -> Result<Option<(Etag, Registry)>, RegistryFault> {
    let object = match store.get(FILE, known).await? {
        ReadAnswer::Unchanged => return Ok(None),
        ReadAnswer::Object(object) => object,
    };
    let (place, etag) = (format!("{}/{FILE}", store.name()), object.etag.clone());
    let bytes = object.bytes(LARGEST).await;
    let bytes = bytes.map_err(|source| RegistryFault::Read { place: place.clone(), source })?;
    let registry = Registry::from_bytes(&bytes).map_err(|source| RegistryFault::Document { place, source })?;
    Ok(Some((etag, registry)))
}
