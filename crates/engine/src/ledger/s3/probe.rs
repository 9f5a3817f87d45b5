//! Whether the store refuses a write whose condition does not hold, asked without a run. A run asks with its lease.

use uuid::Uuid;

use super::S3Store;
use super::lease::must_refuse;
use super::objects::{WriteCondition, WriteOutcome};
use crate::ledger::error::LedgerError;

impl S3Store {
    /// Asks with an object of its own, which is deleted again. What an earlier run found out is not asked again.
    pub(super) async fn ask_for_conditions(&self) -> Result<(), LedgerError> {
        if self.held().await?.is_some_and(|(held, _)| held.saw_refusals_through(&self.endpoint)) {
            return Ok(());
        }
        let key = self.key(&format!("probe-{}", Uuid::new_v4().simple()));
        let answer = self.probe_at(&key).await;
        // Nothing reads it: where deleting it is not allowed, it stays.
        let _ = self.bucket.delete(&key).await;
        answer
    }

    async fn probe_at(&self, key: &str) -> Result<(), LedgerError> {
        const TEXT: &[u8] = b"akidb-edge doctor: whether a second write is refused\n";
        // A first answer that was lost looks as if the object had been there: it is there in both cases.
        self.bucket.put(key, TEXT, &WriteCondition::New).await?;
        for (condition, header) in must_refuse() {
            if let WriteOutcome::Done(_) = self.bucket.put(key, TEXT, &condition).await? {
                return Err(LedgerError::Unconditional { place: self.bucket.place(""), header });
            }
        }
        Ok(())
    }
}
