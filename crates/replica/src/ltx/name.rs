//! Names and keys of files.

use crate::store::Layout;
use crate::txid::Txid;

/// The level of snapshots. Level 0 has what was just written; those between, what was merged of it.
pub(crate) const SNAPSHOT_LEVEL: u8 = 9;

/// The name of a file.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Name {
    /// Its level.
    pub level: u8,
    /// The first state in it.
    pub min: Txid,
    /// The last state in it.
    pub max: Txid,
}

impl Name {
    /// A file of one state.
    pub fn of(level: u8, min: Txid, max: Txid) -> Self {
        Self { level, min, max }
    }

    /// Its key.
    pub fn key(&self, layout: Layout) -> String {
        format!("{}{}-{}.ltx", prefix(layout, self.level), self.min, self.max)
    }

    /// The name in a key; `None` when it is none.
    pub fn parse(layout: Layout, level: u8, key: &str) -> Option<Self> {
        let stem = key.strip_prefix(&prefix(layout, level))?.strip_suffix(".ltx")?;
        let (min, max) = stem.split_once('-')?;
        let lower = |text: &str| text.len() == 16 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
        if !lower(min) || !lower(max) {
            return None;
        }
        let name = Self { level, min: min.parse().ok()?, max: max.parse().ok()? };
        (name.min.0 > 0 && name.min <= name.max).then_some(name)
    }
}

/// What the keys of a level begin with.
pub(crate) fn prefix(layout: Layout, level: u8) -> String {
    match layout {
        Layout::Folder => format!("ltx/{level}/"),
        Layout::Bucket => format!("{level:04x}/"),
    }
}
