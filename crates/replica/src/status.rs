//! The contents of a bucket.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::calls::Calls;
use crate::chain::{Chain, Found};
use crate::control::{self, ControlFault, Pause, PrimaryLease};
use crate::head::{Head, HeadFault, LATEST, Mode};
use crate::ltx::Header;
use crate::restore::RestoreFault;
use crate::store::ObjectStore;
use crate::trust::Trust;
use crate::txid::Txid;

/// What prices are for.
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);
/// US dollars for a PUT or a LIST in S3 Standard, us-east-1, as listed in 2026.
const DOLLARS: f64 = 0.005 / 1000.0;

/// A snapshot that can be restored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SnapshotEntry {
    /// Its state.
    pub txid: Txid,
    /// When it was published.
    pub published_at: Timestamp,
    /// Bytes of its object.
    pub bytes: u64,
}

/// What publishing costs in a month of 30 days, in US dollars, by S3's list price in us-east-1 (PUT and LIST 0.005 for 1,000).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MonthlyCost {
    /// PUT requests, as in the last hour that had any.
    pub puts: f64,
    /// Their price.
    pub put_dollars: f64,
    /// LIST requests.
    pub lists: f64,
    /// Their price.
    pub list_dollars: f64,
}

/// What lies in a bucket.
#[derive(Clone, Debug)]
pub struct Status {
    /// The newest state.
    pub txid: Txid,
    /// When it was published.
    pub published_at: Timestamp,
    /// Since then: an upper bound of what a reader there is behind a primary that wrote just now.
    pub age: Duration,
    /// When the publisher was last known to have nothing newer, by its own clock, if it gives signs of life while nothing changes: one
    /// that publishes at an interval does.
    pub alive_at: Option<Timestamp>,
    /// Whether somebody publishes continuously, and what the period is otherwise.
    pub continuous: bool,
    /// The period of snapshots.
    pub period: Option<Duration>,
    /// Pages of the database.
    pub pages: u32,
    /// Bytes of a page.
    pub page_size: u32,
    /// Bytes of all objects.
    pub bytes: u64,
    /// All objects.
    pub objects: usize,
    /// Objects that a restore of the newest state reads.
    pub chain_length: usize,
    /// Oldest first.
    pub snapshots: Vec<SnapshotEntry>,
    /// Who publishes; `None` for a bucket that Litestream wrote.
    pub lease: Option<PrimaryLease>,
    /// Whether it is paused.
    pub paused: Option<Pause>,
    /// The id of the key that signed the head.
    pub signed_by: Option<String>,
    /// What it costs.
    pub cost: MonthlyCost,
}

/// How far a place is behind the primary.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lag {
    /// At most so long.
    pub at_most: Duration,
    /// Whether that is about the primary itself. Else it is about the newest of the places that were looked at: the publisher gives no
    /// signs of life while nothing changes, so changes that it has published nowhere cannot be seen here.
    pub of_primary: bool,
}

impl Status {
    /// How far this place is behind: nothing, when it has the newest state of all places and the publisher gives no signs of life; with
    /// such signs, the time since the last one; and the age of its state, when another place has a newer one.
    pub fn lag(&self, newest: Txid, now: Timestamp) -> Lag {
        let since = |at: Timestamp| Duration::try_from(now.duration_since(at)).unwrap_or_default();
        let of_primary = self.alive_at.is_some();
        let at_most = match self.alive_at {
            _ if self.txid < newest => since(self.published_at),
            Some(alive) => since(alive.max(self.published_at)),
            None => Duration::ZERO,
        };
        Lag { at_most, of_primary }
    }
}

/// Looks. It lists the whole bucket: not for polling.
///
/// # Errors
/// The store cannot be read, nothing was published there, or what lies there is refused.
pub async fn status(store: &Arc<dyn ObjectStore>, trust: &Trust, timeout: Duration) -> Result<Status, RestoreFault> {
    let calls = Calls::new(Arc::clone(store), timeout);
    let latest = control::read(&calls).await.map_err(|bad| controlled(&calls, bad))?.map(|(_, latest)| latest);
    let unread = |bad: HeadFault| refused(&calls, LATEST, bad.to_string());
    let head = latest.as_ref().map(|latest| latest.head(trust)).transpose().map_err(unread)?.flatten();
    let chain = Chain::list(&calls).await?;
    let Some(newest) = newest(&chain) else { return Err(RestoreFault::Empty { store: calls.name() }) };
    let header = header_of(&calls, newest).await?;
    let published_at = time(&calls, newest, header.timestamp)?;
    let now = Timestamp::now();
    Ok(Status {
        txid: newest.name.max,
        published_at,
        age: now.duration_since(published_at).try_into().unwrap_or_default(),
        alive_at: head.as_ref().and_then(Head::alive_at),
        continuous: head.as_ref().is_some_and(|head| matches!(head.mode, Mode::Continuous { .. })),
        period: head.as_ref().and_then(Head::period),
        pages: header.commit,
        page_size: header.page_size,
        bytes: chain.objects.iter().map(|one| one.size).sum(),
        objects: chain.objects.len(),
        chain_length: chain.plan(None).map_or(0, |plan| plan.len()),
        snapshots: snapshots(&calls, &chain).await?,
        signed_by: latest.as_ref().and_then(|latest| latest.head.as_ref()?.key().map(str::to_owned)),
        cost: cost(&chain, head.as_ref(), now),
        lease: latest.as_ref().and_then(|latest| latest.lease.clone()),
        paused: latest.and_then(|latest| latest.paused),
    })
}

fn newest(chain: &Chain) -> Option<&Found> {
    chain.objects.iter().max_by_key(|one| (one.name.max, std::cmp::Reverse(one.name.level)))
}

async fn snapshots(calls: &Calls, chain: &Chain) -> Result<Vec<SnapshotEntry>, RestoreFault> {
    let mut found = Vec::new();
    for one in chain.snapshots() {
        let published_at = time(calls, one, header_of(calls, one).await?.timestamp)?;
        found.push(SnapshotEntry { txid: one.name.max, published_at, bytes: one.size });
    }
    Ok(found)
}

async fn header_of(calls: &Calls, found: &Found) -> Result<Header, RestoreFault> {
    let key = found.name.key(calls.layout());
    let bytes = calls.range(&key, 0..Header::SIZE as u64).await?;
    let bytes: [u8; Header::SIZE] =
        bytes.as_ref().try_into().map_err(|_| refused(calls, &key, "it ends too early".to_owned()))?;
    Header::parse(&bytes).map_err(|bad| refused(calls, &key, bad.to_string()))
}

fn time(calls: &Calls, found: &Found, millis: i64) -> Result<Timestamp, RestoreFault> {
    let wrong = |bad: jiff::Error| refused(calls, &found.name.key(calls.layout()), bad.to_string());
    Timestamp::from_millisecond(millis).map_err(wrong)
}

/// What was written in the last hour, as if each hour were like it. A publisher at a period writes three objects each time; a
/// continuous one, each state and at most two heads a second; lists are for the retention, once an hour at most.
fn cost(chain: &Chain, head: Option<&Head>, now: Timestamp) -> MonthlyCost {
    let recent = |one: &&Found| one.written.is_some_and(|at| now.duration_since(at) < SignedDuration::from_hours(1));
    let objects = chain.objects.iter().filter(recent).count() as f64;
    let puts = match head.and_then(Head::period) {
        Some(period) => 3.0 * MONTH.as_secs_f64() / period.as_secs_f64().max(1.0),
        None => objects * 1.2 * MONTH.as_secs_f64() / 3600.0,
    };
    let lists = if puts > 0.0 { MONTH.as_secs_f64() / 3600.0 } else { 0.0 };
    MonthlyCost { puts, put_dollars: puts * DOLLARS, lists, list_dollars: lists * DOLLARS }
}

fn refused(calls: &Calls, key: &str, why: String) -> RestoreFault {
    RestoreFault::Refused { store: calls.name(), key: key.to_owned(), why }
}

pub(crate) fn controlled(calls: &Calls, bad: ControlFault) -> RestoreFault {
    match bad {
        ControlFault::Store(bad) => bad.into(),
        other => refused(calls, LATEST, other.to_string()),
    }
}
