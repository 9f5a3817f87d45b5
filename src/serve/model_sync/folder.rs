//! The files of a source folder of models: a mounted disk with arbitrary content.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::delivery::source::{Listing, SourceEntry};

/// Folders within folders of a source.
const DEEPEST: usize = 8;
/// Files and folders of a source.
const MOST: usize = 100_000;

/// Lists what is below a folder. A link that leads out of it is passed over: what is brought is given to everybody who downloads
/// a model. So is what is not a plain file. Folders that cannot be read, links that lead round in circles and what lies too deep are
/// passed over and named.
///
/// # Errors
/// The folder itself cannot be read.
pub fn list(folder: &Path) -> io::Result<Listing> {
    let root = folder.canonicalize()?;
    // Told here: below, a folder that cannot be read is passed over.
    fs::read_dir(&root)?;
    let mut walk = Walk { root, visited: 0, above: BTreeSet::new(), found: Listing::default() };
    walk.folder("", 0);
    Ok(walk.found)
}

struct Walk {
    root: PathBuf,
    /// Files and folders so far.
    visited: usize,
    /// The folder that is looked at and those that it is in, by device and number.
    above: BTreeSet<(u64, u64)>,
    found: Listing,
}

impl Walk {
    fn skip(&mut self, path: &str, why: impl std::fmt::Display) {
        self.found.skipped.push(format!("{}: {why}", if path.is_empty() { "." } else { path }));
    }

    fn folder(&mut self, below: &str, deep: usize) {
        let place = self.root.join(below);
        let facts = match fs::metadata(&place) {
            Ok(facts) => facts,
            Err(why) => return self.skip(below, why),
        };
        if deep > DEEPEST {
            return self.skip(below, format!("it is nested in more than {DEEPEST} folders"));
        }
        let own = (facts.dev(), facts.ino());
        if !self.above.insert(own) {
            return self.skip(below, "it is a link to one of its parent folders");
        }
        match entries(&place) {
            Ok(names) => names.into_iter().for_each(|name| self.entry(below, &name, deep)),
            Err(why) => self.skip(below, why),
        }
        self.above.remove(&own);
    }

    fn entry(&mut self, below: &str, name: &str, deep: usize) {
        self.visited += 1;
        if self.visited > MOST {
            if self.visited == MOST + 1 {
                self.skip("", format!("it has more than {MOST} files and folders: the rest is ignored"));
            }
            return;
        }
        let path = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        let place = self.root.join(&path);
        let inside = place.canonicalize().is_ok_and(|whole| whole.starts_with(&self.root));
        let Some(facts) = fs::metadata(&place).ok().filter(|_| inside) else { return };
        if facts.is_dir() {
            self.folder(&path, deep + 1);
        } else if facts.is_file() {
            self.found.entries.push(SourceEntry { path, size: facts.len(), etag: etag(&facts) });
        }
    }
}

/// The names in a folder, in order. Those that are not text belong to no model.
fn entries(place: &Path) -> io::Result<Vec<String>> {
    let name =
        |entry: io::Result<fs::DirEntry>| -> io::Result<Option<String>> { Ok(entry?.file_name().into_string().ok()) };
    let mut names: Vec<String> =
        fs::read_dir(place)?.map(name).filter_map(Result::transpose).collect::<io::Result<_>>()?;
    names.sort();
    Ok(names)
}

/// Changes with the file: another one of equal size and time has another number, or another time of change.
fn etag(facts: &Metadata) -> String {
    let (modified, changed) = ((facts.mtime(), facts.mtime_nsec()), (facts.ctime(), facts.ctime_nsec()));
    format!("{}-{}-{}.{}-{}.{}", facts.ino(), facts.len(), modified.0, modified.1, changed.0, changed.1)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn paths(listing: &Listing) -> Vec<&str> {
        listing.entries.iter().map(|entry| entry.path.as_str()).collect()
    }

    #[test]
    fn what_leads_out_of_a_folder_is_not_listed() {
        let (source, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(source.path().join("tiny")).unwrap();
        fs::write(source.path().join("tiny/config.json"), "{}").unwrap();
        fs::write(other.path().join("secret"), "x").unwrap();
        let link = |to: &Path, name: &str| symlink(to, source.path().join(name)).unwrap();
        link(&other.path().join("secret"), "tiny/vocab.txt");
        link(other.path(), "other");
        link(Path::new("/dev/zero"), "tiny/current.json");
        link(Path::new("config.json"), "tiny/same.json");
        assert_eq!(paths(&list(source.path()).unwrap()), ["tiny/config.json", "tiny/same.json"]);
    }

    #[test]
    fn a_circle_of_links_ends_and_is_named() {
        let source = tempfile::tempdir().unwrap();
        for model in ["a", "b"] {
            fs::create_dir(source.path().join(model)).unwrap();
            fs::write(source.path().join(model).join("config.json"), "{}").unwrap();
        }
        // Each leads to both: without a bound that would be more paths than there is memory.
        for (from, to) in [("a/up", ".."), ("a/x", "../b"), ("b/x", "../a"), ("b/up", "..")] {
            symlink(to, source.path().join(from)).unwrap();
        }
        let listing = list(source.path()).unwrap();
        assert_eq!(
            paths(&listing),
            ["a/config.json", "a/x/config.json", "b/config.json", "b/x/config.json"],
            "{:?}",
            listing.skipped
        );
        assert!(listing.skipped.iter().any(|what| what.starts_with("a/up: ")), "{:?}", listing.skipped);
    }

    #[test]
    fn a_folder_that_cannot_be_read_is_passed_over_and_named() {
        let source = tempfile::tempdir().unwrap();
        fs::create_dir(source.path().join("m")).unwrap();
        fs::write(source.path().join("m/config.json"), "{}").unwrap();
        let lost = source.path().join("lost+found");
        fs::create_dir(&lost).unwrap();
        fs::set_permissions(&lost, PermissionsExt::from_mode(0o0)).unwrap();
        let listing = list(source.path()).unwrap();
        // Root may read it all the same.
        let refused = fs::read_dir(&lost).is_err();
        fs::set_permissions(&lost, PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(paths(&listing), ["m/config.json"]);
        assert_eq!(listing.skipped.iter().any(|what| what.starts_with("lost+found: ")), refused);
        assert!(list(&source.path().join("none")).is_err());
    }

    #[test]
    fn what_lies_too_deep_is_named() {
        let source = tempfile::tempdir().unwrap();
        let deep = source.path().join("a/b/c/d/e/f/g/h/i");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("x"), "x").unwrap();
        let listing = list(source.path()).unwrap();
        assert!(listing.entries.is_empty() && listing.skipped[0].contains("nested in more than"), "{listing:?}");
    }

    #[test]
    fn another_file_of_equal_size_and_time_is_another_one() {
        let source = tempfile::tempdir().unwrap();
        fs::create_dir(source.path().join("m")).unwrap();
        let path = source.path().join("m/a");
        let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        let written = |content: &str| {
            fs::write(&path, content).unwrap();
            fs::File::options().write(true).open(&path).and_then(|file| file.set_modified(time)).unwrap();
            list(source.path()).unwrap().entries[0].etag.clone()
        };
        assert_ne!(written("one"), written("two"));
    }
}
