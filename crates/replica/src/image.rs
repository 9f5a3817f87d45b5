//! A database as a plain file that no SQLite has open: objects of a chain are written into it, page by page.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::ltx::{Decoder, Header, LtxFault};
use crate::merkle::{Root, RootHasher, leaf};

/// Lines of a check that are shown.
const SHOWN: usize = 5;

/// A database that is put together.
#[derive(Debug)]
pub(crate) struct Image {
    path: PathBuf,
    file: File,
    page_size: u32,
    pages: u32,
}

impl Image {
    /// An empty one, in a file that is not there yet.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Self { path: path.to_owned(), file, page_size: 0, pages: 0 })
    }

    /// One that is a whole database already.
    pub fn open(path: &Path, page_size: u32) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let pages = u32::try_from(file.metadata()?.len() / u64::from(page_size)).unwrap_or(u32::MAX);
        Ok(Self { path: path.to_owned(), file, page_size, pages })
    }

    /// Bytes of a page.
    pub fn page_size(&self) -> u32 {
        self.page_size
    }

    /// Pages.
    pub fn pages(&self) -> u32 {
        self.pages
    }

    /// Writes the pages of an object. After a fault the image is good for nothing.
    pub fn apply(&mut self, object: impl Read) -> Result<Header, LtxFault> {
        let mut decoder = Decoder::new(object)?;
        let header = decoder.header();
        if self.page_size != 0 && self.page_size != header.page_size {
            return Err(LtxFault::Invalid(format!(
                "its pages have {} bytes, not {}",
                header.page_size, self.page_size
            )));
        }
        self.page_size = header.page_size;
        let mut page = vec![0; header.page_size as usize];
        while let Some(number) = decoder.page(&mut page)? {
            self.file.write_all_at(&page, u64::from(number - 1) * u64::from(header.page_size))?;
        }
        self.file.set_len(u64::from(header.commit) * u64::from(header.page_size))?;
        self.pages = header.commit;
        decoder.finish()
    }

    /// Replaces a page.
    pub fn replace(&mut self, number: u32, page: &[u8]) -> io::Result<()> {
        self.file.write_all_at(page, u64::from(number - 1) * u64::from(self.page_size))
    }

    /// Replaces a few bytes.
    pub fn patch(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, at)
    }

    /// Reads pages in order.
    pub fn pages_in_order(&self) -> io::Result<impl Iterator<Item = io::Result<(u32, Vec<u8>)>> + use<>> {
        let mut file = BufReader::with_capacity(256 << 10, File::open(&self.path)?);
        let page_size = self.page_size as usize;
        Ok((1..=self.pages).map(move |number| {
            let mut page = vec![0; page_size];
            file.read_exact(&mut page)?;
            Ok((number, page))
        }))
    }

    /// Its root.
    pub fn root(&self) -> io::Result<Root> {
        let mut rooting = RootHasher::new(self.page_size);
        for page in self.pages_in_order()? {
            let (number, page) = page?;
            rooting.push(&leaf(number, &page));
        }
        Ok(rooting.finish())
    }

    /// On the disk.
    pub fn settle(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

/// A check that did not pass.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Failed {
    /// Which one.
    pub check: &'static str,
    /// Its first lines.
    pub said: String,
}

/// Asks SQLite whether a file that nobody changes is a sound database: `Ok(None)`. With `references` also, whether each row refers to
/// one that is there; a database without that is sound, and can still be restored.
pub(crate) fn check(path: &Path, references: bool) -> rusqlite::Result<Option<Failed>> {
    let open = frozen(path)?;
    let integrity = lines(&open, "PRAGMA integrity_check(5)", |row| row.get(0));
    match integrity {
        Ok(said) if said == ["ok"] => {}
        Ok(said) => return Ok(Some(Failed { check: "integrity_check", said: said.join("; ") })),
        Err(bad) => return Ok(Some(Failed { check: "integrity_check", said: bad.to_string() })),
    }
    if !references {
        return Ok(None);
    }
    let foreign = lines(&open, "PRAGMA foreign_key_check", |row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        let rowid: Option<i64> = row.get(1)?;
        Ok(format!(
            "row {} of {table} refers to nothing in {parent}",
            rowid.map_or("?".to_owned(), |id| id.to_string())
        ))
    })?;
    Ok((!foreign.is_empty()).then(|| Failed { check: "foreign_key_check", said: foreign.join("; ") }))
}

/// Opens a file that nobody changes: without its journal, which would be made beside it.
pub(crate) fn frozen(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let name = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let open = Connection::open_with_flags(format!("file:{name}?immutable=1"), flags)?;
    open.execute_batch("PRAGMA cache_size=-4096; PRAGMA temp_store=FILE")?;
    Ok(open)
}

fn lines(
    open: &Connection,
    ask: &str,
    line: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<String>,
) -> rusqlite::Result<Vec<String>> {
    let mut asked = open.prepare(ask)?;
    let rows = asked.query_map([], |row| line(row))?;
    rows.take(SHOWN).collect()
}
