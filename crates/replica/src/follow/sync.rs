//! Brings a replica up to date.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::task::block_in_place;

use super::bucket::Bucket;
use super::replica::{Applied, ApplyFault, Goal, Replica};
use super::state::{Memory, State};
use super::{FollowEvent, FollowFault, Follower, Position, Synced};
use crate::fetch::Fetched;
use crate::image::Image;
use crate::restore::build::Built;
use crate::txid::Txid;

/// SQLite looks at every page of a replica for at most this part of the time.
const CHECK_SHARE: u32 = 20;
/// The position is written to the disk in this distance while nothing changes.
const REMEMBER: Duration = Duration::from_secs(1);

/// What a look asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Look {
    /// The head, and what is behind it. Once.
    Whole,
    /// The head; what is behind it when it has moved. One request, as a rule.
    Seldom,
    /// What is behind the last increment; the head once a second. One request, as a rule.
    Quick,
}

/// What a follower knows.
pub(super) struct SyncSession {
    pub bucket: Bucket,
    replica: Option<Replica>,
    memory: Option<Memory>,
    /// When SQLite looked at every page last, and how long that took.
    checked: Option<(Instant, Duration)>,
    written: Option<Instant>,
}

impl SyncSession {
    /// Knows what lies beside the replica.
    pub fn new(bucket: Bucket) -> Self {
        Self { bucket, replica: None, memory: None, checked: None, written: None }
    }

    /// The highest head that was seen.
    fn head(&self) -> Option<(u64, Txid)> {
        self.memory.as_ref().and_then(|memory| memory.head)
    }
}

impl Follower {
    /// Looks, and applies what is new.
    pub(super) async fn look(&mut self, how: Look) -> Result<Synced, FollowFault> {
        self.open().await?;
        let continuous = self.desk.bucket.is_continuous();
        let within = if how == Look::Quick && continuous { Duration::from_secs(1) } else { Duration::ZERO };
        let known = self.desk.head();
        let moved = self.desk.bucket.look(within, known).await?;
        let had = self.read_bytes;
        // Increments may be ahead of the head by half a second.
        let probe = self.desk.bucket.is_continuous() && (moved || how != Look::Seldom);
        let changed = self.catch_up(probe).await?;
        let position = self.seen()?;
        Ok(Synced { position, changed, bytes: self.read_bytes - had })
    }

    async fn open(&mut self) -> Result<(), FollowFault> {
        let path = &self.options.database;
        if self.desk.memory.is_none() {
            let local = |source| FollowFault::Local { path: super::state::folder(path), source };
            std::fs::create_dir_all(super::state::folder(path)).map_err(local)?;
            self.desk.memory = Memory::read(path).map_err(local)?;
        }
        if self.desk.replica.as_ref().is_some_and(|replica| !replica.is_in_its_place()) {
            // Somebody removed it, or put another file there: readers do not see what is written to the former one.
            self.desk.replica = None;
        }
        if self.desk.replica.is_none() && path.exists() {
            let memory = self.desk.memory.as_ref();
            self.desk.replica = Some(waiting(|| Replica::open(path, memory))?);
        }
        Ok(())
    }

    /// Whether the replica has changed. An object that is refused does not hold it up for ever: a later snapshot leads past it.
    async fn catch_up(&mut self, probe: bool) -> Result<bool, FollowFault> {
        match self.go_on(probe).await {
            Err(FollowFault::Refused { store, key, why }) if self.snapshot_is_newer() => {
                self.metrics.change(|all| all.verify_failures += 1);
                self.observer.event(&FollowEvent::Refused { why: format!("{store}: {key}: {why}") });
                self.renew().await.map(|()| true)
            }
            other => other,
        }
    }

    fn snapshot_is_newer(&self) -> bool {
        let here = self.desk.replica.as_ref().and_then(Replica::state).map(|state| state.txid);
        self.desk.bucket.head.as_ref().is_some_and(|head| here.is_some_and(|here| head.snapshot.txid > here))
    }

    /// Applies what is behind the replica's state, as far as it is there.
    async fn go_on(&mut self, probe: bool) -> Result<bool, FollowFault> {
        if let Some(replica) = self.desk.replica.as_mut()
            && !replica.is_untouched()?
        {
            // Somebody else wrote to it: every page is looked at again.
            self.desk.replica = None;
            self.open().await?;
        }
        let mut changed = false;
        loop {
            let Some(state) = self.desk.replica.as_ref().and_then(Replica::state).cloned() else {
                return self.renew().await.map(|()| true);
            };
            let behind = self.desk.bucket.head.as_ref().is_some_and(|head| head.txid > state.txid);
            let objects = if behind || probe { self.desk.bucket.next(state.txid).await? } else { Vec::new() };
            if !objects.is_empty() {
                changed |= self.follow(state, objects).await?;
                continue;
            }
            if !behind && !self.desk.bucket.listing_is_due() {
                return Ok(changed);
            }
            let objects = self.desk.bucket.bridge(state.txid).await?;
            match (objects.is_empty(), behind) {
                (false, _) => changed |= self.follow(state, objects).await?,
                (true, true) => return self.renew().await.map(|()| true),
                // Nothing is newer, or the chain began anew.
                (true, false) => return self.anew(state.txid).await.map(|renewed| renewed | changed),
            }
        }
    }

    /// A bucket without a head: whether its chain began anew, and the replica with it.
    async fn anew(&mut self, have: Txid) -> Result<bool, FollowFault> {
        let newest = crate::chain::Chain::list(self.desk.bucket.calls()).await?.newest().unwrap_or_default();
        if newest <= have {
            return Ok(false);
        }
        self.renew().await.map(|()| true)
    }

    /// Applies increments; `false` when they were of no use and the replica was not renewed either.
    async fn follow(&mut self, state: State, mut objects: Vec<Fetched>) -> Result<bool, FollowFault> {
        self.fits(&state, &objects)?;
        let Some(last) = objects.last() else { return Ok(false) };
        let key = last.name.key(self.desk.bucket.calls().layout());
        let (claim, published_at) = (last.proof.as_ref().map(|proof| proof.claim.clone()), Bucket::published(last));
        let goal = Goal {
            txid: last.name.max,
            epoch: claim.as_ref().map_or(state.epoch, |claim| claim.epoch),
            root: claim.map(|claim| claim.root),
            check: self.check_is_due(),
        };
        let bytes = objects.iter().map(|object| object.size).sum();
        let begun = Instant::now();
        let memory = self.remember(published_at);
        let Some(replica) = self.desk.replica.as_mut() else { return Ok(false) };
        let applied = waiting(|| replica.follow(&mut objects, goal, &memory));
        drop(memory);
        match applied {
            Ok(applied) => {
                if goal.check {
                    self.desk.checked = Some((Instant::now(), begun.elapsed()));
                }
                self.applied(goal, published_at, bytes, objects.len(), applied)?;
                Ok(true)
            }
            Err(ApplyFault::Rebuild) => self.renew().await.map(|()| true),
            Err(ApplyFault::Refused(why)) => Err(self.desk.bucket.refused(&key, &why)),
            Err(ApplyFault::Replica(bad)) => Err(bad),
        }
    }

    /// Whether increments follow the state of the replica, and no former primary wrote them.
    fn fits(&self, state: &State, objects: &[Fetched]) -> Result<(), FollowFault> {
        let (mut root, mut epoch, mut have) = (state.root, state.epoch, state.txid);
        for object in objects {
            let key = || object.name.key(self.desk.bucket.calls().layout());
            if let Some(claim) = object.proof.as_ref().map(|proof| &proof.claim) {
                if object.name.min == have.next() && claim.before != Some(root) {
                    let why = "it follows another state than this replica's: the chain was forked or put back";
                    return Err(self.desk.bucket.refused(&key(), &why));
                }
                if claim.epoch < epoch {
                    let why = format!("the primary of turn {} wrote it, and {epoch} has begun", claim.epoch);
                    return Err(self.desk.bucket.refused(&key(), &why));
                }
                (root, epoch) = (claim.root, claim.epoch);
            }
            have = object.name.max;
        }
        Ok(())
    }

    fn check_is_due(&self) -> bool {
        self.desk.checked.is_none_or(|(at, took)| at.elapsed() >= took * CHECK_SHARE)
    }

    /// Makes the replica equal to the newest state, whatever it is now.
    async fn renew(&mut self) -> Result<(), FollowFault> {
        let path = self.options.database.clone();
        let beside = super::state::folder(&path).join("built");
        let built = self.desk.bucket.newest(&beside).await?;
        self.no_replay(&built)?;
        let published_at = Timestamp::from_millisecond(built.timestamp).unwrap_or(Timestamp::UNIX_EPOCH);
        let epoch = built.claim.as_ref().map_or(0, |claim| claim.epoch);
        // It was checked when it was built.
        let goal = Goal { txid: built.txid, epoch, root: Some(built.root), check: false };
        let memory = self.remember(published_at);
        let applied = match self.desk.replica.as_mut() {
            None => waiting(|| self::install(&path, &built, goal, &memory)).map(|(replica, applied)| {
                self.desk.replica = Some(replica);
                applied
            }),
            Some(replica) => waiting(|| {
                let image = Image::open(&built.path, built.page_size);
                let image = image.map_err(|source| FollowFault::Local { path: built.path.clone(), source })?;
                replica.become_like(&image, goal, &memory)
            }),
        };
        drop(memory);
        match applied {
            Ok(applied) => self.applied(goal, published_at, built.bytes, 1, applied),
            Err(ApplyFault::Replica(bad)) => Err(bad),
            Err(ApplyFault::Refused(why)) => Err(self.desk.bucket.refused("its chain", &why)),
            Err(ApplyFault::Rebuild) => Err(self.desk.bucket.refused("its chain", &"it cannot be applied")),
        }
    }

    /// What was put together may not be older than what is here.
    fn no_replay(&self, built: &Built) -> Result<(), FollowFault> {
        let here = self.desk.memory.as_ref().and_then(|memory| memory.states.last());
        match here {
            Some(here) if built.txid < here.txid => {
                let (there, here) = (built.txid, here.txid);
                let why = format!("the newest state there is {there}, and {here} is here: objects are missing or old");
                Err(self.desk.bucket.refused("its chain", &why))
            }
            _ => Ok(()),
        }
    }

    /// What is written beside the replica just before a transaction is committed.
    fn remember(
        &self,
        published_at: Timestamp,
    ) -> impl Fn(Option<&State>, &State) -> Result<(), FollowFault> + Sync + use<> {
        let path = self.options.database.clone();
        let head = self.desk.bucket.head.as_ref().map(|head| (head.epoch, head.txid)).max(self.desk.head());
        let alive_at = self.desk.bucket.head.as_ref().and_then(|head| head.alive_at());
        move |before, after| {
            let position = Position { txid: after.txid, published_at, seen_at: Timestamp::now(), alive_at };
            let states = before.into_iter().chain([after]).cloned().collect();
            let local = |source| FollowFault::Local { path: super::state::folder(&path), source };
            Memory::new(position, states, head).write(&path).map_err(local)
        }
    }

    fn applied(
        &mut self,
        goal: Goal,
        published_at: Timestamp,
        bytes: u64,
        files: usize,
        applied: Applied,
    ) -> Result<(), FollowFault> {
        self.desk.memory = read_back(&self.options.database)?;
        self.desk.written = Some(Instant::now());
        self.read_bytes += bytes;
        let lag = Timestamp::now().duration_since(published_at).try_into().unwrap_or_default();
        self.metrics.change(|all| {
            (all.txid, all.published_at) = (goal.txid, Some(published_at));
            all.bytes += bytes;
            all.files += files as u64;
            all.swap_seconds = applied.swap.as_secs_f64();
        });
        let Applied { pages, swap, .. } = applied;
        self.observer.event(&FollowEvent::Applied { txid: goal.txid, bytes, pages, lag, swap });
        match &self.desk.replica {
            Some(replica) => waiting(|| replica.tidy()),
            None => Ok(()),
        }
    }

    /// The replica is as new as the bucket.
    fn seen(&mut self) -> Result<Position, FollowFault> {
        let alive_at = self.desk.bucket.head.as_ref().and_then(|head| head.alive_at());
        let head = self.desk.bucket.head.as_ref().map(|head| (head.epoch, head.txid));
        let Some(memory) = self.desk.memory.as_mut() else {
            return Err(FollowFault::Empty { store: self.desk.bucket.name() });
        };
        memory.position.seen_at = memory.position.seen_at.max(Timestamp::now());
        memory.position.alive_at = alive_at;
        memory.head = memory.head.max(head);
        let position = memory.position.clone();
        if self.desk.written.is_none_or(|at| at.elapsed() >= REMEMBER) {
            let path = &self.options.database;
            let local = |source| FollowFault::Local { path: super::state::folder(path), source };
            memory.write(path).map_err(local)?;
            self.desk.written = Some(Instant::now());
        }
        self.metrics.change(|all| {
            (all.txid, all.published_at) = (position.txid, Some(position.published_at));
            all.last_success = Some(position.seen_at);
        });
        self.position.send_replace(Some(position.clone()));
        Ok(position)
    }
}

/// A replica that is not there yet: it appears as a whole.
fn install(
    path: &Path,
    built: &Built,
    goal: Goal,
    memory: super::replica::RecordState<'_>,
) -> Result<(Replica, Applied), ApplyFault> {
    let begun = Instant::now();
    let first = first_page(built).map_err(|source| FollowFault::Local { path: built.path.clone(), source })?;
    let state = State::new(goal.txid, goal.epoch, built.root, built.pages, &first);
    memory(None, &state)?;
    Replica::install(path, &built.path, built.page_size)?;
    let remembered = read_back(path)?;
    let replica = Replica::open(path, remembered.as_ref())?;
    let swap = begun.elapsed();
    Ok((replica, Applied { pages: u64::from(built.pages), swap }))
}

/// The first page of what was built. Its file becomes the replica's: it is closed again before SQLite opens that, because the kernel
/// takes all locks of a process on a file away when the process closes any handle of it. Without its locks, a reader that ends would
/// believe that it is the last one, and would remove the log.
fn first_page(built: &Built) -> io::Result<Vec<u8>> {
    let first = Image::open(&built.path, built.page_size)?.pages_in_order()?.next().transpose()?;
    Ok(first.map(|(_, page)| page).unwrap_or_default())
}

fn read_back(path: &Path) -> Result<Option<Memory>, FollowFault> {
    Memory::read(path).map_err(|source| FollowFault::Local { path: super::state::folder(path), source })
}

/// Does what waits for the disk: beside other tasks where the runtime has threads for it.
fn waiting<T>(work: impl FnOnce() -> T) -> T {
    match tokio::runtime::Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(tokio::runtime::RuntimeFlavor::MultiThread) => block_in_place(work),
        _ => work(),
    }
}
