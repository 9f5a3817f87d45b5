//! A journal in a directory: `journal.jsonl`, and `lease.json` while somebody writes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::entry::Entry;
use super::lease::Lease;
use super::store::{LedgerError, Store};
use super::text::{Reader, Tail};

/// The directory of one stack.
pub struct FileStore {
    directory: PathBuf,
    host: String,
    /// Where the journal ended when it was last read or written.
    tail: Mutex<Option<Tail>>,
}

impl FileStore {
    /// The journal of `stack` below `root`. Nothing is made before the first write.
    pub fn new(root: &Path, stack: &str, host: &str) -> Self {
        Self { directory: root.join(stack), host: host.to_owned(), tail: Mutex::default() }
    }

    fn known_tail(&self) -> Option<Tail> {
        *self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ends_at(&self, tail: Option<Tail>) {
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
        let bytes = match fs::read(&path) {
            Err(none) if none.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(|source| LedgerError::File { path, source })?,
        };
        let mut reader = Reader::default();
        reader.page(&self.place(), &bytes)?;
        self.ends_at(Some(reader.tail));
        Ok(reader.entries)
    }

    async fn append(&self, entries: &[Entry], lease: &Lease) -> Result<(), LedgerError> {
        self.ours(lease)?;
        if self.known_tail().is_none() {
            self.load().await?;
        }
        let before = self.known_tail().unwrap_or_default();
        let (text, after) = before.lines(entries);
        let (path, backup) = (self.journal(), before.older().map(|format| self.backup(format)));
        // Waiting for the disk must not hold up the calls that are under way.
        let written = tokio::task::spawn_blocking(move || {
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
        let path = self.lease_file();
        let fault = |source| LedgerError::File { path: path.clone(), source };
        fs::create_dir_all(&self.directory).map_err(fault)?;
        // The guard makes look-and-take one step among processes of this machine; the kernel frees it with the process.
        let guard = File::create(self.directory.join("lease.guard")).map_err(fault)?;
        guard.lock().map_err(fault)?;
        match self.read_lease()? {
            Some(held) if !held.is_stale(&self.host) => Err(LedgerError::Locked(Box::new(held))),
            _ => self.write_lease(lease),
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<(), LedgerError> {
        self.ours(lease)?;
        self.write_lease(lease)
    }

    async fn release(&self, lease: &Lease) -> Result<(), LedgerError> {
        if self.ours(lease).is_err() {
            return Ok(());
        }
        self.break_lease().await
    }

    async fn break_lease(&self) -> Result<(), LedgerError> {
        let path = self.lease_file();
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(LedgerError::File { path, source }),
            _ => Ok(()),
        }
    }
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
    let bytes = fs::read(journal).map_err(refused(journal, 0))?;
    let fault = refused(backup, bytes.len());
    let mut draft = tempfile::NamedTempFile::new_in(backup.parent().unwrap_or(journal)).map_err(&fault)?;
    draft.write_all(&bytes).map_err(&fault)?;
    draft.as_file().sync_data().map_err(&fault)?;
    draft.persist(backup).map_err(|bad| fault(bad.error))?;
    Ok(())
}

/// Adds `text` to the journal, which has `length` bytes of whole lines; it is on disk when this returns.
fn write_out(path: &Path, length: u64, text: &str) -> Result<(), LedgerError> {
    let fault = refused(path, text.len());
    let mut file = OpenOptions::new().create(true).append(true).read(true).open(path).map_err(&fault)?;
    if whole_lines(&file, length).map_err(&fault)? {
        // What lies behind the last whole line was never finished: the next line must not run into it.
        file.set_len(length).map_err(&fault)?;
    } else {
        return Err(LedgerError::LeaseLost("somebody else wrote to the journal".to_owned()));
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
fn whole_lines(file: &File, length: u64) -> io::Result<bool> {
    let now = file.metadata()?.len();
    let mut rest = vec![0; usize::try_from(now.saturating_sub(length)).unwrap_or(0)];
    file.read_exact_at(&mut rest, length)?;
    Ok(now >= length && !rest.contains(&b'\n'))
}
