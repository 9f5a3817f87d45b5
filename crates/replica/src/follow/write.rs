//! The writes of one transaction of a replica.

use std::path::PathBuf;

use rusqlite::Statement;

use super::FollowFault;
use super::replica::{ApplyFault, local, sqlite};
use crate::ltx::LtxFault;
use crate::merkle::{Hash, Tree, leaf};

/// Hashes that are taken into the tree at once.
const AT_ONCE: usize = 1 << 15;
/// Two bytes of the first page that say that there is a WAL.
pub(super) const WAL_MODE: [u8; 2] = [2, 2];

/// The writes of one transaction.
pub(super) struct Write<'a> {
    pub(super) path: PathBuf,
    pub(super) put: Statement<'a>,
    pub(super) tree: &'a mut Tree,
    pub(super) leaves: Vec<(u32, Hash)>,
    /// The first page, as the primary has it, comes last: it says how the others are to be read.
    pub(super) first: Vec<u8>,
    /// The last page that the database has had.
    pub(super) highest: u32,
    pub(super) written: u64,
}

impl Write<'_> {
    /// What a fault in an object is.
    pub(super) fn damaged(&self, bad: LtxFault) -> ApplyFault {
        match bad {
            LtxFault::Io(source) => local(&self.path)(source).into(),
            LtxFault::Invalid(why) => ApplyFault::Refused(why),
        }
    }

    /// Whether pages of an object have the size of the replica's.
    pub(super) fn same_size(&self, there: u32) -> Result<(), ApplyFault> {
        let here = self.tree.page_size();
        if here == there {
            return Ok(());
        }
        Err(FollowFault::PageSize { path: self.path.clone(), here, there }.into())
    }

    /// Writes a page.
    pub(super) fn page(&mut self, number: u32, page: &[u8]) -> Result<(), ApplyFault> {
        self.leaves.push((number, leaf(number, page)));
        if self.leaves.len() >= AT_ONCE {
            self.hash()?;
        }
        self.highest = self.highest.max(number);
        if number == 1 {
            page.clone_into(&mut self.first);
            return Ok(());
        }
        Ok(self.put(number, page)?)
    }

    fn put(&mut self, number: u32, page: &[u8]) -> Result<(), FollowFault> {
        self.written += 1;
        self.put.execute((number, page)).map(drop).map_err(sqlite(&self.path))
    }

    fn hash(&mut self) -> Result<(), FollowFault> {
        let highest = self.leaves.iter().map(|(number, _)| *number).max().unwrap_or(0).max(self.tree.pages());
        self.tree.change(&self.leaves, highest).map_err(local(&self.path))?;
        self.leaves.clear();
        Ok(())
    }

    /// The database has so many pages from here on.
    pub(super) fn resize(&mut self, pages: u32) -> Result<(), ApplyFault> {
        self.hash()?;
        Ok(self.tree.change(&[], pages).map_err(local(&self.path))?)
    }

    /// Writes the first page, which has to say that there is a log. Returns how many were written, the highest, and the primary's first.
    pub(super) fn finish(mut self) -> Result<(u64, u32, Vec<u8>), ApplyFault> {
        let mut own = std::mem::take(&mut self.first);
        let original = own.clone();
        own[18..20].copy_from_slice(&WAL_MODE);
        self.put(1, &own)?;
        Ok((self.written, self.highest, original))
    }
}
