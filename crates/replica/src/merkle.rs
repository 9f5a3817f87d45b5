//! A hash over all pages of a database that can be updated in a few steps when pages change.
//!
//! A leaf is the SHA-256 of a zero byte, the page's number and its bytes; a node that of a one byte and its up to 16 children; the root
//! that of a two byte, the size of a page, the number of pages and the topmost node. The page that SQLite locks has 32 zero bytes for a
//! leaf. Levels lie in files: 34 bytes for each page, so that memory does not grow with the database.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ltx::lock_page;

/// Children of a node.
const FAN: u64 = 16;
/// Levels, which is enough for 2^32 pages.
const LEVELS: usize = 9;
/// Bytes of a hash.
const HASH: usize = 32;

/// A hash.
pub(crate) type Hash = [u8; HASH];

/// The root over a database.
#[derive(Clone, Copy, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Root(pub Hash);

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root({self})")
    }
}

impl FromStr for Root {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut hash = [0; HASH];
        hex::decode_to_slice(text, &mut hash)?;
        Ok(Self(hash))
    }
}

impl TryFrom<String> for Root {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Root> for String {
    fn from(root: Root) -> Self {
        root.to_string()
    }
}

/// The leaf of a page.
pub(crate) fn leaf(number: u32, page: &[u8]) -> Hash {
    let page_size = u32::try_from(page.len()).unwrap_or(u32::MAX);
    if number == lock_page(page_size) {
        return [0; HASH];
    }
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(number.to_be_bytes());
    hash.update(page);
    hash.finalize().into()
}

/// The hashes over one database.
#[derive(Debug)]
pub(crate) struct Tree {
    levels: Vec<File>,
    page_size: u32,
    pages: u32,
}

impl Tree {
    /// An empty one in this folder. One that was there is overwritten.
    pub fn create(folder: &Path, page_size: u32) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let empty = |level| {
            let mut how = OpenOptions::new();
            how.read(true).write(true).create(true).truncate(true).open(folder.join(format!("tree.{level}")))
        };
        let levels = (0..LEVELS).map(empty).collect::<io::Result<_>>()?;
        Ok(Self { levels, page_size, pages: 0 })
    }

    /// Bytes of a page.
    pub fn page_size(&self) -> u32 {
        self.page_size
    }

    /// Pages that it is over.
    pub fn pages(&self) -> u32 {
        self.pages
    }

    /// The leaf of a page; `None` when there is no such page.
    pub fn leaf(&self, number: u32) -> io::Result<Option<Hash>> {
        if number == 0 || number > self.pages {
            return Ok(None);
        }
        let mut hash = [0; HASH];
        self.levels[0].read_exact_at(&mut hash, u64::from(number - 1) * HASH as u64)?;
        Ok(Some(hash))
    }

    /// Sets all leaves anew, in order.
    pub fn fill(&mut self, leaves: impl Iterator<Item = io::Result<Hash>>) -> io::Result<()> {
        for level in &self.levels {
            level.set_len(0)?;
        }
        let mut to = BufWriter::with_capacity(256 << 10, At { file: &self.levels[0], at: 0 });
        let mut pages = 0_u32;
        for leaf in leaves {
            to.write_all(&leaf?)?;
            pages += 1;
        }
        to.flush()?;
        drop(to);
        self.pages = pages;
        self.climb(BTreeSet::from_iter(0..u64::from(pages).div_ceil(FAN)))
    }

    /// Changes leaves, and how many there are. Every page that is new has to be among them, but the one that SQLite locks.
    pub fn change(&mut self, leaves: &[(u32, Hash)], pages: u32) -> io::Result<()> {
        let former = std::mem::replace(&mut self.pages, pages);
        self.levels[0].set_len(u64::from(pages) * HASH as u64)?;
        let mut above = BTreeSet::new();
        for (number, hash) in leaves.iter().filter(|(number, _)| *number <= pages) {
            self.levels[0].write_all_at(hash, u64::from(number - 1) * HASH as u64)?;
            above.insert(u64::from(number - 1) / FAN);
        }
        if former != pages {
            // The node over the former end has other children now, and those behind it are new.
            let (low, high) = (former.min(pages), pages);
            above.extend(u64::from(low.saturating_sub(1)) / FAN..u64::from(high).div_ceil(FAN));
        }
        self.climb(above)
    }

    /// Computes nodes of the first level, and whatever is above them.
    fn climb(&mut self, mut nodes: BTreeSet<u64>) -> io::Result<()> {
        let mut below = u64::from(self.pages);
        for level in 1..LEVELS {
            let here = if below <= 1 { 0 } else { below.div_ceil(FAN) };
            self.levels[level].set_len(here * HASH as u64)?;
            let mut above = BTreeSet::new();
            for node in nodes.into_iter().filter(|node| *node < here) {
                let hash = self.node(level, node, below)?;
                self.levels[level].write_all_at(&hash, node * HASH as u64)?;
                above.insert(node / FAN);
            }
            // A level that grew by a node has a new one above, and one that shrank a changed last one.
            if here > 0 {
                above.insert((here - 1) / FAN);
            }
            (nodes, below) = (above, here);
        }
        Ok(())
    }

    fn node(&self, level: usize, node: u64, below: u64) -> io::Result<Hash> {
        let first = node * FAN;
        let mut children = [0; FAN as usize * HASH];
        let length = usize::try_from((below - first).min(FAN)).unwrap_or(FAN as usize) * HASH;
        self.levels[level - 1].read_exact_at(&mut children[..length], first * HASH as u64)?;
        Ok(parent(&children[..length]))
    }

    /// The root.
    pub fn root(&self) -> io::Result<Root> {
        let mut nodes = u64::from(self.pages);
        let mut level = 0;
        while nodes > 1 {
            nodes = nodes.div_ceil(FAN);
            level += 1;
        }
        let mut top = [0; HASH];
        if self.pages > 0 {
            self.levels[level].read_exact_at(&mut top, 0)?;
        }
        Ok(root(self.page_size, self.pages, &top))
    }
}

/// Computes the root of pages that come in order, and keeps nothing of them.
pub(crate) struct RootHasher {
    /// Nodes of each level that have no parent yet.
    open: Vec<Vec<u8>>,
    page_size: u32,
    pages: u32,
}

impl RootHasher {
    /// Of no pages yet.
    pub fn new(page_size: u32) -> Self {
        Self { open: vec![Vec::new(); LEVELS], page_size, pages: 0 }
    }

    /// Takes the next page's leaf in.
    pub fn push(&mut self, leaf: &Hash) {
        self.pages += 1;
        self.add(0, leaf);
    }

    fn add(&mut self, level: usize, hash: &Hash) {
        // A full group has a parent as soon as something follows it: a level of exactly 16 nodes may be the last but one.
        if self.open[level].len() == FAN as usize * HASH {
            let group = std::mem::take(&mut self.open[level]);
            self.add(level + 1, &parent(&group));
        }
        self.open[level].extend_from_slice(hash);
    }

    /// The root.
    pub fn finish(mut self) -> Root {
        let mut level = 0;
        let above = |own: &Self, level: usize| own.open[level + 1..].iter().any(|nodes| !nodes.is_empty());
        while self.open[level].len() > HASH || above(&self, level) {
            let group = std::mem::take(&mut self.open[level]);
            self.add(level + 1, &parent(&group));
            level += 1;
        }
        let mut top = [0; HASH];
        if self.pages > 0 {
            top.copy_from_slice(&self.open[level]);
        }
        root(self.page_size, self.pages, &top)
    }
}

fn parent(children: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update([1]);
    hash.update(children);
    hash.finalize().into()
}

fn root(page_size: u32, pages: u32, top: &Hash) -> Root {
    let mut hash = Sha256::new();
    hash.update([2]);
    hash.update(page_size.to_be_bytes());
    hash.update(pages.to_be_bytes());
    hash.update(top);
    Root(hash.finalize().into())
}

/// Writes from a place on.
struct At<'a> {
    file: &'a File,
    at: u64,
}

impl Write for At<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write_at(bytes, self.at)?;
        self.at += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Hash, RootHasher, Tree, leaf};

    fn hash(seed: u32) -> Hash {
        leaf(seed % 1000 + 1, &seed.to_be_bytes().repeat(128))
    }

    fn whole(folder: &std::path::Path, leaves: &[Hash]) -> super::Root {
        let mut tree = Tree::create(folder, 512).unwrap();
        tree.fill(leaves.iter().map(|leaf| Ok(*leaf))).unwrap();
        let mut rooting = RootHasher::new(512);
        leaves.iter().for_each(|leaf| rooting.push(leaf));
        assert_eq!(rooting.finish(), tree.root().unwrap(), "{} leaves", leaves.len());
        tree.root().unwrap()
    }

    #[test]
    fn both_ways_come_to_the_same_root() {
        let folder = tempfile::tempdir().unwrap();
        let leaves: Vec<Hash> = (0..4400).map(hash).collect();
        for pages in [0, 1, 2, 15, 16, 17, 255, 256, 257, 272, 273, 4095, 4096, 4097, 4352, 4353, 4400] {
            whole(folder.path(), &leaves[..pages]);
        }
    }

    #[test]
    fn the_page_that_is_locked_counts_for_nothing() {
        assert_eq!(leaf(16_385, &[7; 65536]), [0; 32]);
        assert_ne!(leaf(16_384, &[7; 65536]), [0; 32]);
    }

    /// Written down, so that another version of this program finds the same.
    #[test]
    fn a_root_stays_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let leaves: Vec<Hash> = (0..300).map(hash).collect();
        let root = whole(folder.path(), &leaves).to_string();
        assert_eq!(root, "1eb3dd1f05b4131c1cb3e3f5836e691af7a2b59a594519f433abbb9514a87866");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Step by step or at once: the same root; another one for every other content.
        #[test]
        fn changes_come_to_what_a_whole_tree_comes_to(
            steps in prop::collection::vec((1..600_u32, prop::collection::vec((0..600_u32, any::<u32>()), 0..8)), 1..12),
        ) {
            let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let mut tree = Tree::create(here.path(), 512).unwrap();
            let mut leaves: Vec<Hash> = Vec::new();
            for (pages, changed) in steps {
                let mut change: Vec<(u32, Hash)> = (leaves.len() as u32..pages).map(|at| (at + 1, hash(at))).collect();
                change.extend(changed.iter().filter(|(at, _)| *at < pages).map(|(at, seed)| (at + 1, hash(*seed))));
                leaves.resize(pages as usize, [0; 32]);
                for (number, hash) in &change {
                    leaves[*number as usize - 1] = *hash;
                }
                tree.change(&change, pages).unwrap();
                prop_assert_eq!(tree.root().unwrap(), whole(there.path(), &leaves));
            }
            leaves[0][0] ^= 1;
            prop_assert_ne!(tree.root().unwrap(), whole(there.path(), &leaves));
        }
    }
}
