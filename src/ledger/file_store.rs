//! A journal in a directory: `journal.jsonl`, and `lease.json` while somebody writes.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::entry::Entry;
use super::lease::Lease;
use super::store::{LedgerError, Store, lines, parse};

/// Nobody has the guard for longer than a write to the disk takes, unless it was stopped.
const GUARDED: Duration = Duration::from_secs(3);

/// The directory of one stack.
#[derive(Clone)]
pub struct FileStore {
    directory: PathBuf,
    host: String,
}

impl FileStore {
    /// The journal of `stack` below `root`. Nothing is made before the first write.
    pub fn new(root: &Path, stack: &str, host: &str) -> Self {
        Self { directory: root.join(stack), host: host.to_owned() }
    }

    fn journal(&self) -> PathBuf {
        self.directory.join("journal.jsonl")
    }

    fn lease_file(&self) -> PathBuf {
        self.directory.join("lease.json")
    }

    fn read_lease(&self) -> Result<Option<Lease>, LedgerError> {
        let path = self.lease_file();
        match fs::read_to_string(&path) {
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
        File::create(&path).map_err(|source| LedgerError::File { path, source })
    }

    /// The guard, or none when another process has it now.
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

    async fn load(&self) -> Result<Vec<Entry>, LedgerError> {
        let path = self.journal();
        match fs::read(&path) {
            Err(none) if none.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(LedgerError::File { path, source }),
            Ok(bytes) => parse(&self.place(), &String::from_utf8_lossy(&bytes)),
        }
    }

    async fn append(&self, entries: &[Entry], lease: &Lease) -> Result<(), LedgerError> {
        let (here, lease, text) = (self.clone(), lease.clone(), lines(entries));
        // Waiting for the disk must not hold up the calls that are under way.
        let written = tokio::task::spawn_blocking(move || {
            // Under the guard nobody takes the lease over between the look and the write.
            let guard = here.guard_file()?;
            let path = here.journal();
            guard.lock().map_err(|source| LedgerError::File { path: path.clone(), source })?;
            here.ours(&lease)?;
            write_out(&path, &text).map_err(|source| LedgerError::File { path, source })
        });
        written.await.unwrap_or_else(|stopped| {
            Err(LedgerError::File { path: self.journal(), source: io::Error::other(stopped) })
        })
    }

    async fn lease(&self) -> Result<Option<Lease>, LedgerError> {
        self.read_lease()
    }

    async fn acquire(&self, lease: &Lease) -> Result<(), LedgerError> {
        let path = self.lease_file();
        let fault = |source| LedgerError::File { path: path.clone(), source };
        fs::create_dir_all(&self.directory).map_err(fault)?;
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
        // A person asked for it: a holder that is stopped in the middle of a write does not stand in the way.
        let _guard = self.guard().await;
        self.remove_lease()
    }
}

/// Adds `text` to the journal; it is on disk when this returns.
fn write_out(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
    drop_unfinished_line(&mut file, path)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

/// Cuts off a last line that was never finished, so that the next one does not run into it.
fn drop_unfinished_line(file: &mut File, path: &Path) -> io::Result<()> {
    let length = file.metadata()?.len();
    if length == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.read_exact_at(&mut last, length - 1)?;
    if last == *b"\n" {
        return Ok(());
    }
    let bytes = fs::read(path)?;
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    file.set_len(end as u64)
}
