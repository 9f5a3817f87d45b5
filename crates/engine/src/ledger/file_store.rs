//! A journal in a directory: `journal.jsonl`, and `lease.json` while a run is active.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;

use super::entry::Entry;
use super::error::LedgerError;
use super::journal_copy::JournalCopy;
use super::lease::Lease;
use super::store::{LoadedJournal, Store};
use super::sweep;
use super::text::{JournalEnd, JournalReader, whole_lines};

/// Nobody has the guard for longer than a write to the disk takes, unless it was stopped.
const GUARDED: Duration = Duration::from_secs(3);

/// The directory of one stack.
#[derive(Clone)]
pub struct FileStore {
    directory: PathBuf,
    host: String,
    /// Where the journal ended when it was last read or written.
    tail: Arc<Mutex<Option<JournalEnd>>>,
}

impl FileStore {
    /// The journal of `stack` below `root`. Nothing is made before the first write.
    pub fn new(root: &Path, stack: &str, host: &str) -> Self {
        Self { directory: root.join(stack), host: host.to_owned(), tail: Arc::default() }
    }

    fn known_tail(&self) -> Option<JournalEnd> {
        *self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ends_at(&self, tail: Option<JournalEnd>) {
        *self.tail.lock().unwrap_or_else(PoisonError::into_inner) = tail;
    }

    /// The journal of an older format, as it was before the first entry of a newer one.
    fn backup(&self, format: u32) -> PathBuf {
        self.directory.join(format!("journal.v{format}.bak"))
    }

    fn journal(&self) -> PathBuf {
        self.directory.join("journal.jsonl")
    }

    fn lease_file(&self) -> PathBuf {
        self.directory.join("lease.json")
    }

    /// Makes the folder of the stack, for this user alone. One of an earlier version is closed to others, too; the folder
    /// above it may be one of the user.
    fn make_private(&self) -> Result<(), LedgerError> {
        let fault = |source| LedgerError::File { path: self.directory.clone(), source };
        private_folder(&self.directory).map_err(fault)?;
        let inside = fs::read_dir(&self.directory).map_err(fault)?.flatten();
        for path in inside.map(|entry| entry.path()).chain([self.directory.clone()]) {
            // A draft of somebody who writes at the same time may be gone by now.
            let Ok(facts) = fs::symlink_metadata(&path) else { continue };
            let (mode, ours) = (facts.permissions().mode(), if facts.is_dir() { 0o700 } else { 0o600 });
            if !facts.is_symlink() && mode & 0o077 != 0 {
                // What belongs to somebody else is theirs to close.
                let _ = fs::set_permissions(&path, fs::Permissions::from_mode(ours));
            }
        }
        Ok(())
    }

    /// Where a content lies that is kept apart from the journal.
    fn content(&self, sha256: &str) -> PathBuf {
        self.directory.join("content").join(sha256)
    }

    fn bytes(&self) -> Result<Vec<u8>, LedgerError> {
        let path = self.journal();
        match plain(&path).and_then(|()| fs::read(&path)) {
            Err(none) if none.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read.map_err(|source| LedgerError::File { path, source }),
        }
    }

    fn read_lease(&self) -> Result<Option<Lease>, LedgerError> {
        let path = self.lease_file();
        match plain(&path).and_then(|()| fs::read_to_string(&path)) {
            Err(none) if none.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LedgerError::File { path, source }),
            // A lease that cannot be read was cut off while it was written: nobody can hold it.
            Ok(text) => Ok(serde_json::from_str(&text).ok()),
        }
    }

    /// Puts the lease there as a whole, or not at all.
    fn write_lease(&self, lease: &Lease) -> Result<(), LedgerError> {
        let path = self.lease_file();
        let fault = |source| LedgerError::File { path: path.clone(), source };
        let mut draft = tempfile::NamedTempFile::new_in(&self.directory).map_err(fault)?;
        draft.write_all(&serde_json::to_vec(lease).unwrap_or_default()).map_err(fault)?;
        draft.as_file().sync_data().map_err(fault)?;
        draft.persist(&path).map_err(|bad| fault(bad.error))?;
        Ok(())
    }

    /// Makes look-and-write one step among processes of this machine; the kernel frees it with the process.
    fn guard_file(&self) -> Result<File, LedgerError> {
        let path = self.directory.join("lease.guard");
        let file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&path);
        file.map_err(|source| LedgerError::File { path, source })
    }

    /// The guard, or none when another process was updated.
    fn try_guard(&self) -> Result<Option<File>, LedgerError> {
        let guard = self.guard_file()?;
        match guard.try_lock() {
            Ok(()) => Ok(Some(guard)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => {
                Err(LedgerError::File { path: self.directory.join("lease.guard"), source })
            }
        }
    }

    /// The guard, waited for; a process that was stopped while it had it may keep it for ever.
    async fn guard(&self) -> Result<File, LedgerError> {
        let until = Instant::now() + GUARDED;
        loop {
            match self.try_guard()? {
                Some(guard) => return Ok(guard),
                None if Instant::now() < until => tokio::time::sleep(Duration::from_millis(10)).await,
                None => return Err(LedgerError::Guarded(self.directory.clone())),
            }
        }
    }

    fn remove_lease(&self) -> Result<(), LedgerError> {
        let path = self.lease_file();
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(LedgerError::File { path, source }),
            _ => Ok(()),
        }
    }

    fn ours(&self, lease: &Lease) -> Result<(), LedgerError> {
        match self.read_lease()? {
            Some(held) if held.token == lease.token => Ok(()),
            Some(held) => Err(LedgerError::LeaseLost(format!("{}@{} holds it now", held.user, held.host))),
            None => Err(LedgerError::LeaseLost("it was taken away (state unlock)".to_owned())),
        }
    }
}

#[async_trait]
impl Store for FileStore {
    fn place(&self) -> String {
        self.journal().display().to_string()
    }

    async fn load(&self) -> Result<LoadedJournal, LedgerError> {
        let bytes = self.bytes()?;
        let mut reader = JournalReader::default();
        reader.page(&self.place(), &bytes)?;
        self.ends_at(Some(reader.tail));
        Ok(LoadedJournal { entries: reader.entries, ..LoadedJournal::default() })
    }

    async fn claim(&self, _: &Lease) -> Result<LoadedJournal, LedgerError> {
        // Each write looks at the lease under the guard.
        self.load().await
    }

    async fn keep(&self, sha256: &str, bytes: &[u8]) -> Result<(), LedgerError> {
        let path = self.content(sha256);
        // One that was damaged is written again.
        if fs::read(&path).is_ok_and(|there| there == bytes) && sweep::renew(&path) {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(&self.directory);
        private_folder(folder).map_err(|source| LedgerError::File { path: folder.to_owned(), source })?;
        ignored_by_git(folder)?;
        write_whole(&path, bytes)
    }

    async fn kept(&self, sha256: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        let path = self.content(sha256);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(none) if none.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LedgerError::File { path, source }),
        }
    }

    async fn sweep(&self, named: &BTreeSet<String>, before: SystemTime, lease: &Lease) -> Result<(), LedgerError> {
        // Under the guard nobody takes the lease over while contents go.
        let guard = self.guard().await?;
        self.ours(lease)?;
        let (directory, named) = (self.directory.clone(), named.clone());
        let swept = tokio::task::spawn_blocking(move || {
            let swept = sweep::unnamed(&directory, &named, before);
            drop(guard);
            swept
        });
        let swept = swept.await.unwrap_or_else(|stopped| Err(io::Error::other(stopped)));
        swept.map_err(|source| LedgerError::File { path: self.directory.join("content"), source })
    }

    async fn text(&self) -> Result<String, LedgerError> {
        let bytes = self.bytes()?;
        let rest = JournalReader::default().page(&self.place(), &bytes)?.len();
        Ok(whole_lines(&bytes[..bytes.len() - rest]))
    }

    async fn keep_aside(&self) -> Result<String, LedgerError> {
        let kept = self.directory.join(format!("journal.{:.0}.bak", jiff::Timestamp::now()));
        keep(&self.journal(), &kept)?;
        Ok(kept.display().to_string())
    }

    async fn replace(&self, whole: &JournalCopy, lease: &Lease) -> Result<(), LedgerError> {
        let _guard = self.guard().await?;
        self.ours(lease)?;
        if let Some(format) = self.known_tail().and_then(|tail| tail.older()).filter(|older| whole.tail.format > *older)
        {
            keep(&self.journal(), &self.backup(format))?;
        }
        write_whole(&self.journal(), whole.text.as_bytes())?;
        self.ends_at(Some(whole.tail));
        Ok(())
    }

    async fn append(&self, entries: &[Entry], lease: &Lease) -> Result<(), LedgerError> {
        if self.known_tail().is_none() {
            self.load().await?;
        }
        let before = self.known_tail().unwrap_or_default();
        let (text, after) = before.lines(entries);
        let backup = before.older().map(|format| self.backup(format));
        let (here, lease) = (self.clone(), lease.clone());
        // Waiting for the disk must not hold up the calls that are under way.
        let written = tokio::task::spawn_blocking(move || {
            // Under the guard nobody takes the lease over between the look and the write.
            let guard = here.guard_file()?;
            let path = here.journal();
            guard.lock().map_err(|source| LedgerError::File { path: path.clone(), source })?;
            here.ours(&lease)?;
            if let Some(backup) = backup {
                keep(&path, &backup)?;
            }
            write_out(&path, before.length, &text)
        });
        written.await.unwrap_or_else(|stopped| Err(refused(&self.journal(), 0)(io::Error::other(stopped))))?;
        self.ends_at(Some(after));
        Ok(())
    }

    fn older(&self) -> Option<(u32, String)> {
        let format = self.known_tail()?.older()?;
        Some((format, self.backup(format).display().to_string()))
    }

    async fn lease(&self) -> Result<Option<Lease>, LedgerError> {
        self.read_lease()
    }

    async fn acquire(&self, lease: &Lease) -> Result<(), LedgerError> {
        self.make_private()?;
        let _guard = self.guard().await?;
        match self.read_lease()? {
            Some(held) if !held.is_stale(&self.host) => Err(LedgerError::Locked(Box::new(held))),
            _ => self.write_lease(lease),
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<(), LedgerError> {
        // The next heartbeat may have it: not worth waiting for.
        let Some(_guard) = self.try_guard()? else { return Err(LedgerError::Guarded(self.directory.clone())) };
        self.ours(lease)?;
        self.write_lease(lease)
    }

    async fn release(&self, lease: &Lease) -> Result<(), LedgerError> {
        let _guard = self.guard().await?;
        if self.ours(lease).is_err() {
            return Ok(());
        }
        self.remove_lease()
    }

    async fn break_lease(&self) -> Result<(), LedgerError> {
        // A person asked for it: a holder that is stopped in the middle of a write does not be in the way.
        let _guard = self.guard().await;
        self.remove_lease()
    }
}

/// Refuses devices and pipes: reading a device may never end, and reading a pipe blocks.
fn plain(path: &Path) -> io::Result<()> {
    match fs::metadata(path)? {
        facts if facts.is_file() || facts.is_dir() => Ok(()),
        _ => Err(io::Error::other("it is not a plain file")),
    }
}

/// Makes a folder, and those above it, for this user alone.
fn private_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// The state lies in the working directory by default, which often is a git repository: what is secret is not committed with it.
fn ignored_by_git(folder: &Path) -> Result<(), LedgerError> {
    let file = folder.join(".gitignore");
    if file.exists() { Ok(()) } else { write_whole(&file, b"*\n") }
}

/// What the file system said of `path`; `needed` bytes were to be added.
fn refused(path: &Path, needed: usize) -> impl Fn(io::Error) -> LedgerError + '_ {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            LedgerError::Full { path: path.to_owned(), needed }
        }
        _ => LedgerError::File { path: path.to_owned(), source },
    }
}

/// Keeps the journal as it is. It is on disk when this returns, as a whole or not at all.
fn keep(journal: &Path, backup: &Path) -> Result<(), LedgerError> {
    write_whole(backup, &fs::read(journal).map_err(refused(journal, 0))?)
}

/// Writes a file. It is on disk when this returns, as a whole or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), LedgerError> {
    let fault = refused(path, bytes.len());
    let mut draft = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(path)).map_err(&fault)?;
    draft.write_all(bytes).map_err(&fault)?;
    draft.as_file().sync_data().map_err(&fault)?;
    draft.persist(path).map_err(|bad| fault(bad.error))?;
    Ok(())
}

/// Adds `text` to the journal, which has `length` bytes of whole lines; it is on disk when this returns.
fn write_out(path: &Path, length: u64, text: &str) -> Result<(), LedgerError> {
    let fault = refused(path, text.len());
    let mut file = OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(path).map_err(&fault)?;
    if ends_at(&file, length).map_err(&fault)? {
        // What lies behind the last whole line was never finished: the next line must not run into it.
        file.set_len(length).map_err(&fault)?;
    } else {
        return Err(LedgerError::LeaseLost("another process wrote to the journal".to_owned()));
    }
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_data());
    written.map_err(|bad| {
        // What did fit would be a part of the journal without having been announced as such. Should this fail, too: a part of
        // a line is left out by the next reader, and whole lines are true all the same.
        let _ = file.set_len(length);
        fault(bad)
    })
}

/// Whether the whole lines of a journal end at `length`, where we left it.
fn ends_at(file: &File, length: u64) -> io::Result<bool> {
    let now = file.metadata()?.len();
    let mut rest = vec![0; usize::try_from(now.saturating_sub(length)).unwrap_or(0)];
    file.read_exact_at(&mut rest, length)?;
    Ok(now >= length && !rest.contains(&b'\n'))
}
