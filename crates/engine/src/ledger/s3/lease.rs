//! The lease of a journal in a bucket: one object, only ever replaced as it was read. It is not deleted when it is given back:
//! not every store makes a deletion conditional. It also records that the store supports conditional writes.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::S3Store;
use super::objects::{WriteCondition, WriteOutcome};
use crate::ledger::error::LedgerError;
use crate::ledger::lease::Lease;

/// So often a lease is tried for that somebody else changes at the same time.
const TRIES: usize = 6;
/// An ETag that no object has.
const NO_ETAG: &str = "\"00000000000000000000000000000000\"";

/// The object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct LeaseObject {
    /// Who has it, or had it last.
    #[serde(flatten)]
    pub(super) lease: Lease,
    /// It was given back, or taken away.
    #[serde(default)]
    pub(super) released: bool,
    /// Through what the store was last seen to refuse a write whose condition does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    conditional: Option<String>,
}

impl LeaseObject {
    /// Whether a run through this endpoint saw the store refuse what it must refuse.
    pub(super) fn saw_refusals_through(&self, endpoint: &str) -> bool {
        self.conditional.as_deref() == Some(endpoint)
    }
}

/// Conditions that do not hold for an object that is there, each with its header.
pub(super) fn must_refuse() -> [(WriteCondition, &'static str); 2] {
    [(WriteCondition::New, "If-None-Match"), (WriteCondition::Same(NO_ETAG.to_owned()), "If-Match")]
}

/// What this process knows of the lease.
#[derive(Default)]
pub(super) struct LeaseView {
    /// ETag of the object as we last wrote it.
    etag: Option<String>,
    /// Through what the store was seen to refuse.
    conditional: Option<String>,
    /// What was there before.
    pub(super) before: PreviousHolder,
}

/// What is known of whoever held the lease before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum PreviousHolder {
    /// The lease was given back: its holder writes no more.
    Released,
    /// There was no lease: there was no run yet, or an older version gave it back or took it away.
    #[default]
    Unknown,
    /// It ran out, or its process is gone.
    Stale,
}

impl S3Store {
    fn lease_key(&self) -> String {
        self.key("lease.json")
    }

    /// The lease that lies there, with its ETag; one that cannot be read is nobody's.
    pub(super) async fn held(&self) -> Result<Option<(LeaseObject, String)>, LedgerError> {
        let object = self.bucket.get(&self.lease_key()).await?;
        Ok(object.and_then(|object| Some((serde_json::from_slice(&object.bytes).ok()?, object.etag))))
    }

    async fn write_lease(
        &self,
        lease: &Lease,
        released: bool,
        condition: &WriteCondition,
    ) -> Result<bool, LedgerError> {
        let mut seat = self.seat.lock().await;
        let held = LeaseObject { lease: lease.clone(), released, conditional: seat.conditional.clone() };
        // Plain data: it always has a JSON form.
        let text = serde_json::to_vec(&held).unwrap_or_default();
        let etag = match self.bucket.put(&self.lease_key(), &text, condition).await? {
            WriteOutcome::Done(etag) => Some(etag),
            // Our own write whose answer was lost looks the same as somebody else's: read it to tell.
            WriteOutcome::Refused => {
                let there = self.bucket.get(&self.lease_key()).await?;
                there.filter(|there| there.bytes == text).map(|there| there.etag)
            }
        };
        let written = etag.is_some();
        if written {
            seat.etag = etag;
        }
        Ok(written)
    }

    /// Takes the lease.
    pub(super) async fn sit_down(&self, lease: &Lease) -> Result<(), LedgerError> {
        for _ in 0..TRIES {
            let there = self.bucket.get(&self.lease_key()).await?;
            let held = there.as_ref().and_then(|there| serde_json::from_slice::<LeaseObject>(&there.bytes).ok());
            let before = match &held {
                _ if there.is_none() => PreviousHolder::Unknown,
                Some(held) if held.released => PreviousHolder::Released,
                Some(held) if !held.lease.is_stale(&self.host) => {
                    return Err(LedgerError::Locked(Box::new(held.lease.clone())));
                }
                _ => PreviousHolder::Stale,
            };
            {
                let mut seat = self.seat.lock().await;
                seat.conditional = held.and_then(|held| held.conditional).filter(|seen| *seen == self.endpoint);
                seat.before = before;
            }
            let condition = there.map_or(WriteCondition::New, |there| WriteCondition::Same(there.etag));
            if self.write_lease(lease, false, &condition).await? {
                return self.ask_with_lease(lease).await;
            }
        }
        Err(LedgerError::LeaseLost("other processes keep taking it".to_owned()))
    }

    /// Makes sure, once for each way to the store, that it refuses a write whose condition does not hold. The lease that was
    /// just written is there and must not be: each of these writes must be refused.
    async fn ask_with_lease(&self, lease: &Lease) -> Result<(), LedgerError> {
        if self.seat.lock().await.conditional.is_some() {
            return Ok(());
        }
        let held = LeaseObject { lease: lease.clone(), released: false, conditional: None };
        let text = serde_json::to_vec(&held).unwrap_or_default();
        for (condition, header) in must_refuse() {
            let answer = match self.bucket.put(&self.lease_key(), &text, &condition).await {
                Ok(WriteOutcome::Refused) => continue,
                Ok(WriteOutcome::Done(_)) => Err(LedgerError::Unconditional { place: self.bucket.place(""), header }),
                Err(bad) => Err(bad),
            };
            // Here nothing protects the lease of somebody else but a look.
            if self.held().await.ok().flatten().is_some_and(|(held, _)| held.lease.token == lease.token) {
                let given_back = LeaseObject { released: true, lease: given_back(lease), ..held };
                let text = serde_json::to_vec(&given_back).unwrap_or_default();
                let _ = self.bucket.put(&self.lease_key(), &text, &WriteCondition::Always).await;
            }
            return answer;
        }
        self.seat.lock().await.conditional = Some(self.endpoint.clone());
        Ok(())
    }

    /// Writes a later end.
    pub(super) async fn stay(&self, lease: &Lease) -> Result<(), LedgerError> {
        let etag = self.seat.lock().await.etag.clone();
        if let Some(etag) = etag
            && self.write_lease(lease, false, &WriteCondition::Same(etag)).await?
        {
            return Ok(());
        }
        // Our own heartbeat whose answer was lost looks the same as somebody else's lease: read it to tell.
        let taken_away = || LedgerError::LeaseLost("it was taken away (state unlock)".to_owned());
        let (held, etag) = self.held().await?.ok_or_else(taken_away)?;
        if held.lease.token != lease.token {
            let Lease { user, host, .. } = held.lease;
            return Err(if held.released {
                taken_away()
            } else {
                LedgerError::LeaseLost(format!("{user}@{host} took it"))
            });
        }
        if held.released {
            return Err(taken_away());
        }
        let lost = || LedgerError::LeaseLost("another process took it".to_owned());
        if self.write_lease(lease, false, &WriteCondition::Same(etag)).await? { Ok(()) } else { Err(lost()) }
    }

    /// Gives the lease back; one that is not ours is left alone.
    pub(super) async fn stand_up(&self, lease: &Lease) -> Result<(), LedgerError> {
        let etag = self.seat.lock().await.etag.clone();
        if let Some(etag) = etag
            && self.write_lease(&given_back(lease), true, &WriteCondition::Same(etag)).await?
        {
            return Ok(());
        }
        let ours = |held: &LeaseObject| held.lease.token == lease.token && !held.released;
        let Some((_, etag)) = self.held().await?.filter(|(held, _)| ours(held)) else { return Ok(()) };
        // Only as it was read: somebody may take it over in between.
        self.write_lease(&given_back(lease), true, &WriteCondition::Same(etag)).await.map(drop)
    }

    /// Takes the lease away from whoever holds it. The journal is closed to that holder first: should this process end in
    /// between, the holder cannot write and its lease ends by itself.
    pub(super) async fn take_away(&self) -> Result<(), LedgerError> {
        let mut fenced = false;
        for _ in 0..TRIES {
            let Some(there) = self.bucket.get(&self.lease_key()).await? else { return Ok(()) };
            let held: LeaseObject = match serde_json::from_slice(&there.bytes) {
                Ok(held) => held,
                // Cut off or written by something else: nobody can hold it, and the next run takes it over.
                Err(_) => return Ok(()),
            };
            if held.released {
                return Ok(());
            }
            if !fenced {
                self.fence(Uuid::new_v4()).await?;
                fenced = true;
            }
            self.seat.lock().await.conditional.clone_from(&held.conditional);
            // A heartbeat may have come in between.
            if self.write_lease(&given_back(&held.lease), true, &WriteCondition::Same(there.etag)).await? {
                return Ok(());
            }
        }
        Err(LedgerError::LeaseLost("its holder keeps renewing it".to_owned()))
    }
}

/// The lease as it lies there when nobody has it: an older version sees one that has run out.
fn given_back(lease: &Lease) -> Lease {
    Lease { expires: lease.since, ..lease.clone() }
}
