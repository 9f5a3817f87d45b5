//! Documents that lie elsewhere and come back (saved plans): only who can read the journal's place can make one that is taken.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Ledger;
use super::error::LedgerError;

/// Where the key lies, among what is kept apart from the journal. No hash has this name.
const KEY: &str = "key-of-saved-plans";

impl Ledger {
    /// HMAC-SHA-256 over bytes, in hexadecimal, by a key that is kept beside the journal. It is made when it is not there.
    ///
    /// # Errors
    /// When the key cannot be read or kept.
    pub async fn code_of(&self, bytes: &[u8]) -> Result<String, LedgerError> {
        if self.store.kept(KEY).await?.is_none() {
            let fresh = [*uuid::Uuid::new_v4().as_bytes(), *uuid::Uuid::new_v4().as_bytes()].concat();
            self.store.keep(KEY, &fresh).await?;
        }
        // Another process may have kept its own in between.
        let key = self.store.kept(KEY).await?.unwrap_or_default();
        Ok(hex::encode(mac(&key, bytes).map(|mac| mac.finalize().into_bytes().to_vec()).unwrap_or_default()))
    }

    /// Whether a code is that of these bytes. Without a key none is.
    ///
    /// # Errors
    /// When the key cannot be read.
    pub async fn is_code_of(&self, bytes: &[u8], code: &str) -> Result<bool, LedgerError> {
        let Some(key) = self.store.kept(KEY).await? else { return Ok(false) };
        let (Some(mac), Ok(code)) = (mac(&key, bytes), hex::decode(code)) else { return Ok(false) };
        // In constant time.
        Ok(mac.verify_slice(&code).is_ok())
    }
}

/// Nothing for an empty key.
fn mac(key: &[u8], bytes: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok().filter(|_| !key.is_empty())?;
    mac.update(bytes);
    Some(mac)
}
