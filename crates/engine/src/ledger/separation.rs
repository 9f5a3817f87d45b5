//! Contents of files and sensitive values are beside the journal, not in it: written before the entry that names them.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use serde_json::Value;

use super::entry::Entry;
use super::error::LedgerError;
use super::lease::Lease;
use super::store::Store;
use super::{Ledger, stored_texts};
use crate::resource::sha256_hex;

/// Contents that are read at the same time.
const AT_ONCE: usize = 16;

impl Ledger {
    /// Writes entries without what nobody should read in them; that is kept apart before.
    pub(super) async fn append(&self, batch: &[Entry], lease: &Lease) -> Result<(), LedgerError> {
        let mut entries = Vec::new();
        for entry in batch {
            let (sealed, contents) = stored_texts::sealed(entry);
            self.keep(&contents).await?;
            entries.push(sealed);
        }
        self.store.append(&entries, lease).await
    }

    async fn keep(&self, contents: &stored_texts::StoredTexts) -> Result<(), LedgerError> {
        for (hash, text) in contents {
            if self.kept.lock().unwrap_or_else(PoisonError::into_inner).contains(hash) {
                continue;
            }
            self.store.keep(hash, text.as_bytes()).await?;
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(hash.clone());
        }
        Ok(())
    }

    /// Takes the contents of files and sensitive values out of data that is written down elsewhere (a saved plan), and keeps
    /// them beside the journal.
    ///
    /// # Errors
    /// When they cannot be kept.
    pub async fn keep_apart(&self, value: &mut Value) -> Result<(), LedgerError> {
        let mut contents = stored_texts::StoredTexts::new();
        stored_texts::seal(value, &mut contents);
        self.keep(&contents).await
    }

    /// Puts back what [`keep_apart`](Self::keep_apart) took out.
    ///
    /// # Errors
    /// When it cannot be read, or is not there.
    pub async fn bring_back(&self, value: &mut Value) -> Result<(), LedgerError> {
        let mut hashes = BTreeSet::new();
        stored_texts::named(value, &mut hashes);
        let contents = contents(&*self.store, &hashes).await?;
        if let Some(lost) = hashes.iter().find(|hash| !contents.contains_key(*hash)) {
            return Err(LedgerError::Missing { place: format!("{} (content {lost})", self.store.place()) });
        }
        stored_texts::open(value, &contents);
        Ok(())
    }
}

/// What was kept apart under these hashes, as far as it is there and still what its hash says.
pub(super) async fn contents(
    store: &dyn Store,
    hashes: &BTreeSet<String>,
) -> Result<stored_texts::StoredTexts, LedgerError> {
    let mut contents = stored_texts::StoredTexts::new();
    let hashes: Vec<&String> = hashes.iter().collect();
    // A bucket answers many at once.
    for some in hashes.chunks(AT_ONCE) {
        let read = futures::future::join_all(some.iter().map(|hash| store.kept(hash))).await;
        for (hash, bytes) in some.iter().zip(read) {
            let bytes = bytes?.filter(|bytes| sha256_hex(bytes) == **hash);
            contents.extend(bytes.and_then(|bytes| Some(((*hash).clone(), String::from_utf8(bytes).ok()?))));
        }
    }
    Ok(contents)
}
