//! Links in a folder that comes from somebody else: followed within the folder, and to the files of the hub's cache beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where a hub's cache keeps the bytes of all its snapshots.
const BLOBS: &str = "blobs";

/// Why a file of a folder is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ContainmentFault {
    /// The system does not say where it lies, or what it is.
    #[error("{path} cannot be read: {source}")]
    Unread {
        /// Its path in the folder.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// A link that leads out.
    #[error("{path} is a link that points outside the folder, to {}: put the file itself there", to.display())]
    LeadsOut {
        /// Its path in the folder.
        path: String,
        /// Where it leads to.
        to: PathBuf,
    },
    /// A folder, a pipe or a device.
    #[error("{path} is not a plain file")]
    NotPlain {
        /// Its path in the folder.
        path: String,
    },
}

/// A folder, and where links in it may lead to.
#[derive(Clone, Debug)]
pub struct ContainedFolder {
    folder: PathBuf,
    places: Vec<PathBuf>,
}

impl ContainedFolder {
    /// This folder. A cache has it as `snapshots/COMMIT` beside `blobs`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let real = folder.canonicalize()?;
        let above = real.ancestors().skip(1).take(2).map(|above| above.join(BLOBS));
        // A link in the place of the cache would lead anywhere.
        let blobs = above.filter(|blobs| fs::symlink_metadata(blobs).is_ok_and(|facts| facts.is_dir()));
        let places = std::iter::once(real.clone()).chain(blobs).collect();
        Ok(Self { folder: real, places })
    }

    /// Where a file of the folder really lies: a plain file, within the folder or its cache.
    ///
    /// # Errors
    /// It is something else than a plain file, or a link leads out.
    pub fn file(&self, path: &str) -> Result<PathBuf, ContainmentFault> {
        let unread = |source| ContainmentFault::Unread { path: path.to_owned(), source };
        let real = self.folder.join(path).canonicalize().map_err(unread)?;
        if !self.places.iter().any(|place| real.starts_with(place)) {
            return Err(ContainmentFault::LeadsOut { path: path.to_owned(), to: real });
        }
        if fs::metadata(&real).map_err(unread)?.is_file() {
            return Ok(real);
        }
        Err(ContainmentFault::NotPlain { path: path.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_lead_within_the_folder_and_to_its_cache_and_nowhere_else() {
        let home = tempfile::tempdir().unwrap();
        let (snapshot, blobs) = (home.path().join("m/snapshots/c"), home.path().join("m/blobs"));
        fs::create_dir_all(snapshot.join("sub")).unwrap();
        fs::create_dir_all(&blobs).unwrap();
        fs::write(blobs.join("abc"), "x").unwrap();
        fs::write(snapshot.join("own"), "x").unwrap();
        fs::write(home.path().join("secret"), "x").unwrap();
        for (to, name) in [
            ("../../blobs/abc", "cached"),
            ("own", "again"),
            ("../../../secret", "out"),
            ("/etc/hostname", "far"),
            ("../../../m/blobs/../../secret", "round"),
            ("/etc", "etc"),
            ("nowhere", "broken"),
        ] {
            symlink(to, snapshot.join(name)).unwrap();
        }
        let inside = ContainedFolder::of(&snapshot).unwrap();
        for good in ["own", "cached", "again"] {
            assert!(inside.file(good).is_ok(), "{good}");
        }
        for bad in ["out", "round", "etc"] {
            assert!(matches!(inside.file(bad), Err(ContainmentFault::LeadsOut { .. })), "{bad}");
        }
        assert!(inside.file("far").is_err() && inside.file("etc/hostname").is_err());
        assert!(matches!(inside.file("broken"), Err(ContainmentFault::Unread { .. })));
        assert!(matches!(inside.file("sub"), Err(ContainmentFault::NotPlain { .. })));
        assert!(inside.file("out").unwrap_err().to_string().contains("secret"));
        // A cache that is itself a link is none.
        fs::rename(&blobs, home.path().join("elsewhere")).unwrap();
        symlink(home.path().join("elsewhere"), &blobs).unwrap();
        assert!(ContainedFolder::of(&snapshot).unwrap().file("cached").is_err());
    }
}
