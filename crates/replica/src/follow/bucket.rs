//! The requests of a follower to a bucket.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::FollowFault;
use crate::calls::Calls;
use crate::chain::{Chain, PlanFault};
use crate::fetch::{FetchFault, Fetched, fetch, once};
use crate::head::{Head, LATEST, LONGEST, Latest, Mode};
use crate::ltx::{Name, SNAPSHOT_LEVEL};
use crate::restore::RestoreFault;
use crate::restore::build::{Built, build};
use crate::store::Etag;
use crate::trust::Trust;
use crate::txid::Txid;

/// Increments of one transaction.
const AT_ONCE: usize = 64;
/// Bytes of them.
const MOST: u64 = 32 << 20;
/// A bucket without a head is listed in this distance: its next object may have been merged.
const LISTED: Duration = Duration::from_secs(10);

/// A bucket, and what is known of it.
pub(super) struct Bucket {
    calls: Calls,
    trust: Trust,
    scratch: PathBuf,
    etag: Option<Etag>,
    /// The head that was seen last.
    pub head: Option<Head>,
    /// Whether the bucket has a head at all; Litestream writes none.
    pub headless: bool,
    looked: Option<Instant>,
    listed: Option<Instant>,
}

impl Bucket {
    /// Asks this store.
    pub fn new(calls: Calls, trust: Trust, scratch: &Path) -> Self {
        let scratch = scratch.to_owned();
        Self { calls, trust, scratch, etag: None, head: None, headless: false, looked: None, listed: None }
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.calls.name()
    }

    /// The calls.
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// Looks at the head, unless that was done in this time. Whether it has changed.
    pub async fn look(&mut self, unless_within: Duration, known: Option<(u64, Txid)>) -> Result<bool, FollowFault> {
        if self.looked.is_some_and(|looked| looked.elapsed() < unless_within) {
            return Ok(false);
        }
        let read = match self.calls.read(LATEST, self.etag.as_ref(), LONGEST).await {
            Err(none) if none.is_absent() => {
                (self.headless, self.looked) = (true, Some(Instant::now()));
                return Ok(false);
            }
            read => read?,
        };
        self.looked = Some(Instant::now());
        let Some((etag, bytes)) = read else { return Ok(false) };
        let latest = Latest::parse(&bytes).map_err(|bad| self.refused(LATEST, &bad))?;
        if let Some(pause) = latest.paused {
            return Err(FollowFault::Paused(pause));
        }
        let head = latest.head(&self.trust).map_err(|bad| self.refused(LATEST, &bad))?;
        if let (Some(head), Some(known)) = (&head, known)
            && (head.epoch, head.txid) < known
        {
            let why = format!("it is at {}, but {} was read before: an older version was restored", head.txid, known.1);
            return Err(self.refused(LATEST, &why));
        }
        (self.etag, self.head, self.headless) = (Some(etag), head, false);
        Ok(true)
    }

    pub(super) fn refused(&self, key: &str, why: &impl ToString) -> FollowFault {
        FollowFault::Refused { store: self.name(), key: key.to_owned(), why: why.to_string() }
    }

    /// The next look asks for the head again, whatever is known of it.
    pub fn forget(&mut self) {
        (self.etag, self.looked) = (None, None);
    }

    /// Whether increments come one by one.
    pub fn is_continuous(&self) -> bool {
        self.headless || self.head.as_ref().is_some_and(|head| matches!(head.mode, Mode::Continuous { .. }))
    }

    /// The increments behind a state, as far as they are there and can be guessed, for one transaction.
    pub async fn next(&self, state: Txid) -> Result<Vec<Fetched>, FollowFault> {
        let mut found: Vec<Fetched> = Vec::new();
        let mut bytes = 0;
        while found.len() < AT_ONCE && bytes < MOST {
            let have = found.last().map_or(state, |last| last.name.max);
            let spans = self.head.iter().flat_map(|head| &head.spans);
            let span = spans.filter(|(min, max)| *min <= have.next() && *max > have).max_by_key(|(_, max)| *max);
            let (min, max) = span.copied().unwrap_or((have.next(), have.next()));
            let name = Name::of(0, min, max);
            let key = name.key(self.calls.layout());
            match once(&self.calls, &key, name, &self.trust, &self.scratch).await {
                Ok(object) => {
                    bytes += object.size;
                    found.push(object);
                }
                Err(FetchFault::Store(none)) if none.is_absent() => break,
                // What was brought so far is good.
                Err(FetchFault::Store(_)) if !found.is_empty() => break,
                Err(bad) => return Err(self.fault(bad)),
            }
        }
        Ok(found)
    }

    /// The increments behind a state by a listing, when they lead to the newest state; else nothing: the chain began anew, or they
    /// were removed.
    pub async fn bridge(&mut self, state: Txid) -> Result<Vec<Fetched>, FollowFault> {
        self.listed = Some(Instant::now());
        let chain = Chain::list(&self.calls).await?;
        let newest = chain.newest().unwrap_or_default();
        let (mut have, mut names) = (state, Vec::new());
        while have < newest && names.len() < AT_ONCE {
            let next = chain.objects.iter().filter(|one| one.name.level != SNAPSHOT_LEVEL);
            let next = next.filter(|one| one.name.min <= have.next() && one.name.max > have);
            let Some(next) = next.max_by_key(|one| (one.name.max, std::cmp::Reverse(one.name.min))) else { break };
            names.push(next.name);
            have = next.name.max;
        }
        if have < newest && names.len() < AT_ONCE {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for name in names {
            found.push(fetch(&self.calls, name, &self.trust, &self.scratch).await.map_err(|bad| self.fault(bad))?);
        }
        Ok(found)
    }

    /// Whether a listing is due in a bucket without a head.
    pub fn listing_is_due(&self) -> bool {
        self.headless && self.listed.is_none_or(|listed| listed.elapsed() >= LISTED)
    }

    /// Builds the newest state beside the replica, checked.
    pub async fn newest(&self, beside: &Path) -> Result<Built, FollowFault> {
        let mut missing = None;
        for _ in 0..3 {
            let chain = Chain::list(&self.calls).await?;
            let plan = chain.plan(None).map_err(|bad| match bad {
                PlanFault::Empty => FollowFault::Empty { store: self.name() },
                bad => self.refused("its chain", &bad),
            })?;
            let names: Vec<Name> = plan.iter().map(|one| one.name).collect();
            match build(&self.calls, &self.trust, &names, beside).await {
                Ok(built) => return Ok(built),
                // Removed since the listing.
                Err(RestoreFault::Store(none)) if none.is_absent() => missing = Some(none),
                Err(bad) => return Err(self.built(bad)),
            }
        }
        Err(missing.map_or(FollowFault::Empty { store: self.name() }, Into::into))
    }

    fn built(&self, bad: RestoreFault) -> FollowFault {
        match bad {
            RestoreFault::Store(bad) => bad.into(),
            RestoreFault::Refused { store, key, why } => FollowFault::Refused { store, key, why },
            RestoreFault::Local { path, source } => local(path, source),
            other => self.refused("its chain", &other),
        }
    }

    fn fault(&self, bad: FetchFault) -> FollowFault {
        match bad {
            FetchFault::Store(bad) => bad.into(),
            FetchFault::Refused { key, why } => self.refused(&key, &why),
            FetchFault::Local { path, source } => local(path, source),
        }
    }

    /// When what is there was published, by an increment's own word.
    pub fn published(object: &Fetched) -> Timestamp {
        let said = object.proof.as_ref().map(|proof| proof.claim.at);
        said.or_else(|| Timestamp::from_millisecond(object.header.timestamp).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

fn local(path: PathBuf, source: std::io::Error) -> FollowFault {
    match source.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => FollowFault::Full { path },
        _ => FollowFault::Local { path, source },
    }
}
