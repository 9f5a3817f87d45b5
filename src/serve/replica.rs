//! The metadata replica: a SQLite file that somebody else puts in place, whole, by a rename. It is opened anew for every look.

mod fault;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

pub use fault::ReplicaFault;

/// Which state lies there: another one after each replication, by a rename or by transactions of `replicate follow`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FileMark {
    database: FileState,
    /// The write-ahead log, which has what is not in the database file yet.
    wal: Option<FileState>,
}

/// A file as it was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct FileState {
    inode: (u64, u64),
    size: u64,
    changed: (i64, i64),
}

impl FileState {
    fn of(file: &Path) -> Option<Self> {
        let file = fs::metadata(file).ok()?;
        Some(Self { inode: (file.dev(), file.ino()), size: file.size(), changed: (file.mtime(), file.mtime_nsec()) })
    }
}

/// A line of the table `models`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReplicaRow {
    /// The name that clients use.
    pub name: String,
    /// What its version is called.
    pub version: Option<String>,
    /// Its folder below the store; the store's own word when it is not given.
    pub path: Option<PathBuf>,
    /// Numbers in a vector.
    pub dimension: Option<usize>,
    /// Whether it is served.
    pub enabled: bool,
}

/// A replica.
#[derive(Clone, Debug)]
pub struct Replica {
    file: PathBuf,
}

impl Replica {
    /// The replica in this file. `sqlite:` in front of the path is left out.
    pub fn new(file: &Path) -> Self {
        let text = file.to_string_lossy();
        let path = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:"));
        Self { file: path.map_or_else(|| file.to_owned(), PathBuf::from) }
    }

    /// Which file lies there now.
    pub fn mark(&self) -> Option<FileMark> {
        Some(FileMark { database: FileState::of(&self.file)?, wal: FileState::of(&self.wal()) })
    }

    fn wal(&self) -> PathBuf {
        let mut name = self.file.clone().into_os_string();
        name.push("-wal");
        name.into()
    }

    fn open(&self) -> Result<Connection, ReplicaFault> {
        if !self.file.is_file() {
            return Err(ReplicaFault::Absent { file: self.file.clone() });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || {
            let open = Connection::open_with_flags(&self.file, flags)?;
            open.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
            Ok(open)
        };
        // A file in WAL mode in a read-only folder opens only as one that nobody writes. What its log holds would be missing then, so
        // a file whose log is not empty is not read like that.
        let log_is_empty = FileState::of(&self.wal()).is_none_or(|wal| wal.size == 0);
        let frozen = || {
            let address = format!(
                "file:{}?immutable=1",
                self.file.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
            );
            Connection::open_with_flags(address, flags | OpenFlags::SQLITE_OPEN_URI)
        };
        open()
            .or_else(|why: rusqlite::Error| match why.sqlite_error_code() {
                Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly) if log_is_empty => frozen(),
                _ => Err(why),
            })
            .map_err(|source| ReplicaFault::NotSqlite { file: self.file.clone(), source })
    }

    /// Asks it something; looks at every page when `thorough`. Blocks. How many tables it has.
    ///
    /// # Errors
    /// It is not there, no database, or damaged.
    pub fn check(&self, thorough: bool) -> Result<i64, ReplicaFault> {
        let open = self.open()?;
        let bad = |source: rusqlite::Error| ReplicaFault::Unread { file: self.file.clone(), source };
        if thorough {
            let said: String = open.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(bad)?;
            if said != "ok" {
                return Err(ReplicaFault::Damaged { file: self.file.clone(), said });
            }
        }
        let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'";
        open.query_row(tables, [], |row| row.get(0)).map_err(bad)
    }

    /// Its table `models`; nothing when there is no such table. Blocks.
    ///
    /// # Errors
    /// It cannot be read, or the table has other columns.
    pub fn models(&self) -> Result<Option<Vec<ReplicaRow>>, ReplicaFault> {
        let open = self.open()?;
        let bad = |source: rusqlite::Error| ReplicaFault::Table { file: self.file.clone(), source };
        let known = "SELECT count(*) FROM sqlite_schema WHERE type IN ('table', 'view') AND name = 'models'";
        if open.query_row(known, [], |row| row.get::<_, i64>(0)).map_err(bad)? == 0 {
            return Ok(None);
        }
        let mut asked =
            open.prepare("SELECT name, version, path, dimension, enabled FROM models ORDER BY name").map_err(bad)?;
        let rows = asked.query_map([], |row| {
            Ok(ReplicaRow {
                name: row.get(0)?,
                version: row.get(1)?,
                path: row.get::<_, Option<String>>(2)?.filter(|path| !path.is_empty()).map(PathBuf::from),
                dimension: row.get::<_, Option<i64>>(3)?.and_then(|dimension| usize::try_from(dimension).ok()),
                enabled: row.get::<_, Option<bool>>(4)?.unwrap_or(true),
            })
        });
        rows.and_then(Iterator::collect).map(Some).map_err(bad)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rusqlite::Connection;

    use super::{Replica, ReplicaFault, ReplicaRow};

    fn replica(sql: &str) -> (tempfile::TempDir, Replica) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("replica.db");
        Connection::open(&file).unwrap().execute_batch(sql).unwrap();
        let replica = Replica::new(&PathBuf::from(format!("sqlite:{}", file.display())));
        (folder, replica)
    }

    const TABLE: &str =
        "CREATE TABLE models (name TEXT PRIMARY KEY, version TEXT, path TEXT, dimension INTEGER, enabled INTEGER);
        INSERT INTO models VALUES ('b', '7', 'old/b', 384, 0), ('a', NULL, NULL, NULL, 1);";

    #[test]
    fn the_table_says_which_models_there_are() {
        let (_folder, replica) = replica(TABLE);
        let b = ReplicaRow {
            name: "b".into(),
            version: Some("7".into()),
            path: Some("old/b".into()),
            dimension: Some(384),
            enabled: false,
        };
        let a = ReplicaRow { name: "a".into(), version: None, path: None, dimension: None, enabled: true };
        assert_eq!(replica.models().unwrap().unwrap(), [a, b]);
        assert_eq!(replica.check(true).unwrap(), 1);
    }

    #[test]
    fn another_schema_is_told_apart_from_none() {
        let (_folder, none) = replica("CREATE TABLE other (x)");
        assert_eq!(none.models().unwrap(), None);
        let (_folder, other) = replica("CREATE TABLE models (name TEXT)");
        let why = other.models().unwrap_err();
        assert!(matches!(why, ReplicaFault::Table { .. }) && why.to_string().contains("version"), "{why}");
    }

    #[test]
    fn a_damaged_file_and_a_missing_one_are_said() {
        let (folder, replica) = replica(TABLE);
        let file = folder.path().join("replica.db");
        let before = replica.mark();
        let mut bytes = std::fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..].fill(0xa5);
        std::fs::write(&file, &bytes).unwrap();
        assert!(replica.check(true).is_err());
        std::fs::write(&file, "no database at all, but long enough to have a header of some kind").unwrap();
        let why = replica.check(false).unwrap_err();
        assert!(matches!(why, ReplicaFault::NotSqlite { .. }) && why.to_string().contains("SQLite"), "{why}");
        assert_ne!(replica.mark(), before);
        std::fs::remove_file(&file).unwrap();
        assert!(matches!(replica.check(false), Err(ReplicaFault::Absent { .. })));
    }

    #[test]
    fn a_write_ahead_log_does_not_stop_a_reader() {
        let (folder, replica) = replica(&format!("PRAGMA journal_mode = WAL; {TABLE}"));
        assert_eq!(replica.models().unwrap().unwrap().len(), 2);
        drop(folder);
    }
}
