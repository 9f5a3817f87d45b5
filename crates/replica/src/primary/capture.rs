//! Follows the WAL of a primary and creates an increment of committed changes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::Timestamp;

use super::increment::{Changes, Segment, write};
use super::{PATIENCE, Primary, SnapshotTask};
use crate::ltx::LtxFault;
use crate::merkle::{Root, Tree};
use crate::publish::{PrimaryFault, Reason};
use crate::txid::Txid;
use crate::wal::{Generation, Place, Tail, Wal};

/// An increment has no more pages than this; with more, a snapshot takes its place. Each takes some 70 bytes of memory.
const MOST_PAGES: usize = 1 << 17;
/// How often a moment without a commit is looked for, before writers are kept waiting for one.
const TRIES: usize = 3;

/// What a look at the log showed, besides increments.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outlook {
    /// Everything that stands in it was read.
    Settled,
    /// Something stands in it that is not committed, or not visible yet: another look is due although nothing may be written.
    Unsettled,
    /// The chain cannot go on: a snapshot has to begin a new one.
    Broken(Reason),
}

/// Follows a log. Behind each look, everything that was committed before it is in what it brought.
pub(crate) struct Capture {
    primary: Primary,
    spool: PathBuf,
    /// Where the log was read to; nothing: it had none yet.
    read: Option<(Generation, Place)>,
    /// The hashes over the database as it was read.
    tree: Option<Tree>,
    /// The last state.
    txid: Txid,
    /// The last time that was given to a state: times never go back.
    at: Timestamp,
    /// Whether the pin may read the database alone, so that it keeps frames from being copied.
    loose: bool,
}

impl Capture {
    /// Follows the log of this primary.
    pub fn open(database: &Path, spool: &Path) -> Result<Self, PrimaryFault> {
        let primary = Primary::open(database)?;
        let at = Timestamp::UNIX_EPOCH;
        Ok(Self { primary, spool: spool.to_owned(), read: None, tree: None, txid: Txid(0), at, loose: true })
    }

    /// The primary.
    pub fn primary(&self) -> &Primary {
        &self.primary
    }

    /// The last state.
    pub fn txid(&self) -> Txid {
        self.txid
    }

    /// The last state, and its time.
    pub fn last(&self) -> (Txid, Timestamp) {
        (self.txid, self.at)
    }

    /// The root over it.
    pub fn root(&self) -> Result<Option<Root>, PrimaryFault> {
        self.tree.as_ref().map(Tree::root).transpose().map_err(|source| file(&self.spool, source))
    }

    /// Bytes of the log's present filling, as far as it was read.
    pub fn filled(&self) -> u64 {
        self.read.map_or(0, |(generation, place)| place.frames * (u64::from(generation.page_size) + 24))
    }

    /// The next state gets a number behind this one, and no time before that one.
    pub fn renumber(&mut self, behind: Txid, at: Timestamp) {
        self.txid = self.txid.max(behind);
        self.at = self.at.max(at);
    }

    fn scan(&self, wal: &Wal, from: Place, to: u64) -> Result<Option<Tail>, PrimaryFault> {
        wal.scan(from, to, MOST_PAGES).map_err(|source| file(&Wal::beside(self.primary.path()), source))
    }

    /// The place behind everything that is committed.
    fn present(&self) -> Result<Option<(Generation, Place)>, PrimaryFault> {
        let (wal, frames) = self.primary.seen()?;
        let Some(wal) = wal else { return Ok(None) };
        let generation = wal.generation();
        let near = self.read.filter(|(known, place)| *known == generation && place.frames <= frames);
        let from = near.map_or(generation.start(), |(_, place)| place);
        let tail = self.scan(&wal, from, frames)?;
        let torn = || file(&Wal::beside(self.primary.path()), std::io::Error::other("committed frames are damaged"));
        Ok(Some((generation, tail.ok_or_else(torn)?.end)))
    }

    /// Begins a new chain: a snapshot of the present state. Increments go on from there; the copy is made beside.
    pub fn begin_chain(&mut self) -> Result<SnapshotTask, PrimaryFault> {
        self.tree = None;
        let mut known = self.present()?;
        for _ in 0..TRIES {
            let task = SnapshotTask::begin(self.primary.path())?;
            let now = self.present()?;
            if known == now {
                return Ok(self.chain_from(now, task));
            }
            known = now;
        }
        let (now, task) = self.while_locked(|own| Ok((own.present()?, SnapshotTask::begin(own.primary.path())?)))?;
        Ok(self.chain_from(now, task))
    }

    fn chain_from(&mut self, place: Option<(Generation, Place)>, task: SnapshotTask) -> SnapshotTask {
        self.read = place;
        self.at = self.at.max(Timestamp::now());
        self.txid = self.txid.next();
        task.numbered(self.txid, self.at)
    }

    /// The hashes over the snapshot that the chain began with.
    pub fn adopt(&mut self, tree: Tree) {
        self.tree = Some(tree);
    }

    /// A snapshot of the last state, beside the chain, which goes on. When something is committed meanwhile, it is in `found`.
    pub fn snapshot_beside(&mut self, found: &mut Vec<Segment>) -> Result<SnapshotTask, PrimaryFault> {
        for _ in 0..TRIES {
            self.look(found)?;
            let task = SnapshotTask::begin(self.primary.path())?;
            if self.is_last_state()? {
                return Ok(task.numbered(self.txid, self.at));
            }
        }
        let task = self.while_locked(|own| {
            own.look(found)?;
            SnapshotTask::begin(own.primary.path())
        })?;
        Ok(task.numbered(self.txid, self.at))
    }

    /// Whether nothing was committed behind what was read.
    fn is_last_state(&self) -> Result<bool, PrimaryFault> {
        let (wal, frames) = self.primary.seen()?;
        let same =
            |wal: &Wal| self.read.is_some_and(|(known, place)| known == wal.generation() && frames <= place.frames);
        Ok(wal.as_ref().map_or(self.read.is_none() || frames == 0, same))
    }

    fn while_locked<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, PrimaryFault>) -> Result<T, PrimaryFault> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if self.primary.lock()? {
                let locked = Instant::now();
                let done = work(self);
                self.primary.unlock(locked)?;
                return done;
            }
        }
        Err(PrimaryFault::Busy { path: self.primary.path().to_owned(), waited_s: begun.elapsed().as_secs() })
    }

    /// Looks what was committed since the last look.
    pub fn look(&mut self, found: &mut Vec<Segment>) -> Result<Outlook, PrimaryFault> {
        if !self.primary.is_same_file()? {
            return Ok(Outlook::Broken(Reason::Replaced));
        }
        let (had, outlook) = (found.len(), self.read_on(found)?);
        if self.loose && found.len() > had {
            self.loose = false;
            return self.renew_pin(found);
        }
        Ok(outlook)
    }

    fn read_on(&mut self, found: &mut Vec<Segment>) -> Result<Outlook, PrimaryFault> {
        let (wal, frames) = self.primary.seen()?;
        let Some(wal) = wal else { return Ok(Outlook::Settled) };
        let generation = wal.generation();
        let from = match self.read {
            // It begins anew, and nothing of that is visible.
            Some((known, place)) if known == generation && frames < place.frames => return Ok(Outlook::Unsettled),
            Some((known, place)) if known == generation => place,
            Some((known, _)) if !generation.follows(&known) => return Ok(Outlook::Broken(Reason::WalReset)),
            _ => generation.start(),
        };
        if frames > from.frames {
            let Some(tail) = self.scan(&wal, from, frames)? else { return Ok(Outlook::Broken(Reason::WalReset)) };
            match self.take(&wal, &tail)? {
                Ok(segment) => found.push(segment),
                Err(reason) => return Ok(Outlook::Broken(reason)),
            }
            self.read = Some((generation, tail.end));
        }
        let path = Wal::beside(self.primary.path());
        let goes_on = wal.goes_on(frames).map_err(|source| file(&path, source))?;
        Ok(if goes_on { Outlook::Unsettled } else { Outlook::Settled })
    }

    fn take(&mut self, wal: &Wal, tail: &Tail) -> Result<Result<Segment, Reason>, PrimaryFault> {
        let page_size = wal.generation().page_size;
        let Some(tree) = self.tree.as_mut() else { return Ok(Err(Reason::Start)) };
        if tail.too_many || tree.page_size() != page_size {
            return Ok(Err(Reason::Rewritten));
        }
        let (txid, at) = (self.txid.next(), Timestamp::now().max(self.at));
        let changes = Changes { wal, frames: &tail.pages, commit: tail.commit, txids: (txid, txid), at };
        let segment = write(&changes, tree, &self.spool).map_err(|bad| match bad {
            LtxFault::Io(source) => file(&self.spool, source),
            LtxFault::Invalid(what) => file(self.primary.path(), std::io::Error::other(what)),
        })?;
        (self.txid, self.at) = (txid, at);
        Ok(Ok(segment))
    }

    /// Takes a new pin. The former one goes once everything that the new one sees was read.
    fn renew_pin(&mut self, found: &mut Vec<Segment>) -> Result<Outlook, PrimaryFault> {
        self.primary.pin_besides()?;
        let read = self.read_on(found);
        self.primary.let_former_go()?;
        read
    }

    /// Lets the log begin anew with the next transaction: all its frames are copied into the database. With `firmly`, writers are kept
    /// waiting while the last frames are read and copied; without, it succeeds only when nobody commits meanwhile, and nobody waits.
    pub fn empty_log(&mut self, firmly: bool, found: &mut Vec<Segment>) -> Result<Outlook, PrimaryFault> {
        if let broken @ Outlook::Broken(_) = self.renew_pin(found)? {
            return Ok(broken);
        }
        self.primary.checkpoint()?;
        if !firmly {
            self.loose = true;
            return self.renew_pin(found);
        }
        if !self.primary.lock()? {
            return Ok(Outlook::Unsettled);
        }
        let locked = Instant::now();
        let done = self.empty_locked(found);
        self.primary.unlock(locked)?;
        done
    }

    /// Nobody can commit: the first pin lets all frames be copied, and the second reads the database alone.
    fn empty_locked(&mut self, found: &mut Vec<Segment>) -> Result<Outlook, PrimaryFault> {
        if let broken @ Outlook::Broken(_) = self.renew_pin(found)? {
            return Ok(broken);
        }
        self.primary.checkpoint()?;
        self.loose = true;
        self.renew_pin(found)
    }
}

fn file(path: &Path, source: std::io::Error) -> PrimaryFault {
    PrimaryFault::File { path: path.to_owned(), source }
}
