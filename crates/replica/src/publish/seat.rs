//! The session of a publisher in one bucket: its lease, and what was published last.

use std::time::Duration;

use jiff::Timestamp;

use super::{PublishFault, PublishOptions, PublishTarget};
use crate::calls::Calls;
use crate::chain::{Chain, LookFault, published_at};
use crate::control::{self, ControlFault, PrimaryLease};
use crate::head::{Head, Latest, Mode, Signed};
use crate::store::{Etag, StoreFault};
use crate::trust::Trust;
use crate::txid::Txid;

/// Others may write between a look and a write this often.
const TRIES: usize = 8;

/// A place in a bucket.
pub(super) struct TargetSession {
    /// The target's name.
    pub target: String,
    /// The bucket.
    pub calls: Calls,
    etag: Option<Etag>,
    latest: Latest,
    /// What was published last, when something was by a publisher of this kind.
    pub head: Option<Head>,
    /// The newest state there.
    pub newest: Txid,
    /// When it was published.
    pub newest_at: Timestamp,
    /// The turn of this publisher.
    pub epoch: u64,
    /// Whether somebody may still write increments behind the newest state.
    pub haunted: bool,
}

impl TargetSession {
    /// Looks whether this publisher may publish there.
    pub async fn look(target: &PublishTarget, calls: Calls, options: &PublishOptions) -> Result<Self, PublishFault> {
        let read = control::read(&calls).await.map_err(|bad| controlled(&target.name, bad))?;
        let (etag, latest) = read.map_or((None, Latest::default()), |(etag, latest)| (Some(etag), latest));
        may(&target.name, &latest, options, Timestamp::now())?;
        // A publisher goes on behind whatever lies there; whom to believe is for readers.
        let head = latest.head(&Trust::Unsigned);
        let head = head.map_err(|bad| PublishFault::Foreign { target: target.name.clone(), what: bad.to_string() })?;
        let epoch = latest.lease.as_ref().map_or(0, |lease| lease.epoch);
        let released = latest.lease.as_ref().is_some_and(|lease| lease.released);
        let continuous = head.as_ref().is_none_or(|head| matches!(head.mode, Mode::Continuous { .. }));
        let mut own = Self {
            target: target.name.clone(),
            calls,
            etag,
            latest,
            newest: head.as_ref().map_or(Txid(0), |head| head.txid),
            newest_at: head.as_ref().map_or(Timestamp::UNIX_EPOCH, |head| head.at),
            head,
            epoch,
            haunted: false,
        };
        if continuous {
            own.list(options).await?;
            own.haunted = own.newest > Txid(0) && !released;
        }
        Ok(own)
    }

    /// The place of this publisher, for a call beside the one that holds it. The head is not moved through it.
    pub async fn borrowed(
        target: &PublishTarget,
        calls: Calls,
        options: &PublishOptions,
    ) -> Result<Self, PublishFault> {
        let mut own = Self {
            target: target.name.clone(),
            calls,
            etag: None,
            latest: Latest::default(),
            head: None,
            newest: Txid(0),
            newest_at: Timestamp::UNIX_EPOCH,
            epoch: 0,
            haunted: false,
        };
        own.look_again(options).await?;
        match own.latest.lease.clone() {
            Some(lease) if lease.holder == options.holder => own.epoch = lease.epoch,
            other => {
                let holder = other.map_or_else(|| "somebody".to_owned(), |lease| lease.holder);
                return Err(PublishFault::Fenced { target: own.target, holder });
            }
        }
        own.head = own.latest.head(&Trust::Unsigned).ok().flatten();
        Ok(own)
    }

    /// Who has the turn.
    pub fn lease(&self) -> Option<&PrimaryLease> {
        self.latest.lease.as_ref()
    }

    /// The id of the key that signed the head.
    pub fn signed_by(&self) -> Option<&str> {
        self.latest.head.as_ref().and_then(Signed::key)
    }

    /// Gives the turn back without anything new.
    pub async fn release(&mut self) -> Result<(), PublishFault> {
        let Some(lease) = self.latest.lease.as_mut() else { return Ok(()) };
        (lease.released, lease.until) = (true, Timestamp::now());
        let latest = self.latest.clone();
        let etag = control::write(&self.calls, self.etag.clone(), &latest).await.map_err(|bad| self.fault(bad))?;
        self.etag = Some(etag);
        Ok(())
    }

    /// Finds the newest state by the objects themselves.
    async fn list(&mut self, options: &PublishOptions) -> Result<(), PublishFault> {
        let chain = Chain::list(&self.calls).await.map_err(|bad| self.fault(bad))?;
        let Some(newest) = chain.objects.iter().max_by_key(|one| one.name.max) else { return Ok(()) };
        if self.etag.is_none() && !options.take_over {
            let what = "objects of Litestream lie there. Stop it and use --take-over, or publish to another prefix";
            return Err(PublishFault::Foreign { target: self.target.clone(), what: what.to_owned() });
        }
        if newest.name.max > self.newest {
            self.newest = newest.name.max;
            self.newest_at = published_at(&self.calls, newest).await.map_err(|bad| match bad {
                LookFault::Store(bad) => self.fault(bad),
                LookFault::Refused { .. } => {
                    PublishFault::Foreign { target: self.target.clone(), what: bad.to_string() }
                }
            })?;
        }
        Ok(())
    }

    /// A fault of this bucket.
    pub fn fault(&self, source: StoreFault) -> PublishFault {
        PublishFault::Store { target: self.target.clone(), source }
    }

    /// Whether a call that failed reached the bucket, is not known: looks who has the turn now. The one who lost it learns from whom.
    pub async fn look_again(&mut self, options: &PublishOptions) -> Result<(), PublishFault> {
        let read = control::read(&self.calls).await.map_err(|bad| controlled(&self.target, bad))?;
        let (etag, latest) = read.map_or((None, Latest::default()), |(etag, latest)| (Some(etag), latest));
        let ours = |lease: &PrimaryLease| lease.holder == options.holder && lease.epoch == self.epoch;
        if self.epoch > 0 && !latest.lease.as_ref().is_some_and(ours) {
            let holder = latest.lease.as_ref().map_or_else(|| "somebody".to_owned(), |lease| lease.holder.clone());
            return Err(PublishFault::Fenced { target: self.target.clone(), holder });
        }
        if let Some(pause) = latest.paused.clone() {
            return Err(PublishFault::Paused { target: self.target.clone(), pause });
        }
        (self.etag, self.latest) = (etag, latest);
        Ok(())
    }

    /// Takes the turn: from here on the former holder cannot move the head.
    pub async fn take(&mut self, options: &PublishOptions, holds: LeaseDuration) -> Result<(), PublishFault> {
        let epoch = self.latest.lease.as_ref().map_or(0, |lease| lease.epoch) + 1;
        for _ in 0..TRIES {
            let lease = PrimaryLease { holder: options.holder.clone(), epoch, until: holds.until(), released: false };
            let latest = Latest { lease: Some(lease), ..self.latest.clone() };
            match control::write(&self.calls, self.etag.clone(), &latest).await {
                Ok(etag) => {
                    (self.etag, self.latest, self.epoch) = (Some(etag), latest, epoch);
                    return Ok(());
                }
                Err(bad) if !bad.is_taken() && !bad.passes() => return Err(self.fault(bad)),
                Err(_) => {}
            }
            let read = control::read(&self.calls).await.map_err(|bad| controlled(&self.target, bad))?;
            let (etag, found) = read.map_or((None, Latest::default()), |(etag, latest)| (Some(etag), latest));
            (self.etag, self.latest) = (etag, found);
            if self.latest == latest {
                self.epoch = epoch;
                return Ok(());
            }
            may(&self.target, &self.latest, options, Timestamp::now())?;
        }
        let detail = "others write `latest` all the time".to_owned();
        Err(self.fault(StoreFault::Unreachable { store: self.calls.name(), detail }))
    }

    /// Moves the head, and with it the end of the lease.
    pub async fn move_head(
        &mut self,
        head: Head,
        options: &PublishOptions,
        holds: LeaseDuration,
    ) -> Result<(), PublishFault> {
        let lease = PrimaryLease {
            holder: options.holder.clone(),
            epoch: self.epoch,
            until: holds.until(),
            released: matches!(holds, LeaseDuration::Not),
        };
        let signed = Signed::of(&head, options.key.as_deref());
        let latest = Latest { head: Some(signed), lease: Some(lease), ..self.latest.clone() };
        let written = control::write(&self.calls, self.etag.clone(), &latest).await;
        let unknown = match written {
            Ok(etag) => {
                (self.etag, self.latest, self.head) = (Some(etag), latest, Some(head));
                return Ok(());
            }
            Err(bad) if bad.is_taken() || bad.passes() => bad,
            Err(bad) => return Err(self.fault(bad)),
        };
        self.look_again(options).await?;
        if self.latest == latest {
            self.head = Some(head);
            return Ok(());
        }
        // Not written, and the turn is still ours: the caller tries again.
        Err(self.fault(match unknown {
            taken if taken.is_taken() => StoreFault::Unreachable {
                store: self.calls.name(),
                detail: "`latest` was changed meanwhile".to_owned(),
            },
            other => other,
        }))
    }
}

/// For how long a lease holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum LeaseDuration {
    /// From now.
    For(Duration),
    /// Until its holder ends, or somebody is told to take over.
    UntilReleased,
    /// Its holder has ended.
    Not,
}

impl LeaseDuration {
    fn until(self) -> Timestamp {
        let now = Timestamp::now();
        match self {
            Self::For(time) => now.checked_add(time).unwrap_or(Timestamp::MAX),
            Self::UntilReleased => Timestamp::MAX,
            Self::Not => now,
        }
    }
}

/// Whether this publisher may begin.
fn may(target: &str, latest: &Latest, options: &PublishOptions, now: Timestamp) -> Result<(), PublishFault> {
    if let Some(pause) = &latest.paused {
        return Err(PublishFault::Paused { target: target.to_owned(), pause: pause.clone() });
    }
    match &latest.lease {
        Some(lease) if !lease.released && lease.holder != options.holder && lease.until > now && !options.take_over => {
            let (holder, until) = (lease.holder.clone(), lease.until);
            Err(PublishFault::Held { target: target.to_owned(), holder, until })
        }
        _ => Ok(()),
    }
}

pub(super) fn controlled(target: &str, bad: ControlFault) -> PublishFault {
    let target = target.to_owned();
    match bad {
        ControlFault::Store(source) => PublishFault::Store { target, source },
        other => PublishFault::Foreign { target, what: other.to_string() },
    }
}
