//! Contents beside a journal that nothing needs any longer: of entries that were never written, of saved plans that are stale, and what
//! processes left that were killed. What a line of a journal names stays, since a rollback may need it.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::stored_texts;

/// Before the name of a content that is about to go.
const GOING: &str = ".gone-";
/// Before the name of a file that is being written.
const DRAFT: &str = ".tmp";

/// Removes the contents of a stack's directory that were kept before `before`, and that neither `named` nor a journal there names:
/// the present one and those of older formats, or replaced ones, beside it.
///
/// # Errors
/// When a journal or the folder cannot be read, or a file not be removed. Nothing that is named goes in any case.
pub fn unnamed(directory: &Path, named: &BTreeSet<String>, before: SystemTime) -> io::Result<()> {
    let folder = directory.join("content");
    let mut contents = Vec::new();
    for entry in entries(&folder)?.into_iter().filter(|entry| is_older(&entry.path(), before)) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(GOING) || name.starts_with(DRAFT) {
            fs::remove_file(entry.path())?;
        } else if stored_texts::is_hash(&name) && !named.contains(&name) {
            contents.push(name);
        }
    }
    if contents.is_empty() {
        return Ok(());
    }
    let needed = in_journals(directory)?;
    contents.iter().filter(|name| !needed.contains(*name)).try_for_each(|name| remove(&folder, name, before))
}

/// The hashes that any journal of a directory names.
fn in_journals(directory: &Path) -> io::Result<BTreeSet<String>> {
    let mut hashes = BTreeSet::new();
    for entry in entries(directory)? {
        if !entry.file_name().to_string_lossy().starts_with("journal") {
            continue;
        }
        if !fs::metadata(entry.path())?.is_file() {
            return Err(io::Error::other(format!("{} is not a regular file", entry.path().display())));
        }
        // A mark has no letter that JSON writes in another way.
        stored_texts::in_text(&String::from_utf8_lossy(&fs::read(entry.path())?), &mut hashes);
    }
    Ok(hashes)
}

fn entries(folder: &Path) -> io::Result<Vec<DirEntry>> {
    match fs::read_dir(folder) {
        Err(none) if none.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read?.collect(),
    }
}

/// Whether a regular file was kept before a moment. One whose time is not known was not.
fn is_older(path: &Path, before: SystemTime) -> bool {
    let facts = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file);
    facts.and_then(|facts| facts.modified().ok()).is_some_and(|kept| kept < before)
}

/// Removes a content, unless somebody keeps it again at this moment: that makes it new, and whoever did it looks whether it is still
/// there ([`renew`]).
fn remove(folder: &Path, name: &str, before: SystemTime) -> io::Result<()> {
    let (path, going) = (folder.join(name), folder.join(format!("{GOING}{name}")));
    fs::rename(&path, &going)?;
    if is_older(&going, before) { fs::remove_file(&going) } else { fs::rename(&going, &path) }
}

/// Makes a content new that is kept again; whether it is still there.
pub fn renew(path: &Path) -> bool {
    // Where its time cannot be set, it cannot be removed either.
    let _ = fs::File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
    path.exists()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    /// A content of that age; its name.
    fn content(folder: &Path, name: &str, age: Duration) -> String {
        let path = folder.join("content").join(name);
        fs::write(&path, name).unwrap();
        fs::File::open(&path).unwrap().set_modified(SystemTime::now() - age).unwrap();
        name.to_owned()
    }

    fn left(folder: &Path) -> Vec<String> {
        let names = entries(&folder.join("content")).unwrap();
        let mut names: Vec<_> = names.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_journal_names_stays_and_so_does_what_is_new() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path();
        fs::create_dir(folder.join("content")).unwrap();
        let hash = |letter: &str| letter.repeat(64);
        let named = content(folder, &hash("a"), 3 * DAY);
        let in_journal = content(folder, &hash("b"), 3 * DAY);
        let in_backup = content(folder, &hash("c"), 3 * DAY);
        let young = content(folder, &hash("d"), DAY / 2);
        let key = content(folder, "key-of-saved-plans", 30 * DAY);
        for gone in [hash("e"), ".tmpAbCdEf".to_owned(), format!("{GOING}{}", hash("f"))] {
            content(folder, &gone, 3 * DAY);
        }
        content(folder, ".tmpFresh", DAY / 2);
        fs::write(folder.join("journal.jsonl"), format!(r#"{{"spec":"x ${{kept#{in_journal}}} y"}}"#)).unwrap();
        fs::write(folder.join("journal.v2.bak"), format!("${{kept#{in_backup}}}")).unwrap();
        let named = BTreeSet::from([named]);
        unnamed(folder, &named, SystemTime::now() - DAY).unwrap();
        let mut wanted = vec![hash("a"), in_journal, in_backup, young, key, ".tmpFresh".to_owned()];
        wanted.sort();
        assert_eq!(left(folder), wanted);
        assert!(renew(&folder.join("content").join(hash("a"))) && !renew(&folder.join("content").join(hash("e"))));
    }

    #[test]
    fn where_a_journal_cannot_be_read_nothing_goes() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("content")).unwrap();
        fs::create_dir(place.path().join("journal.jsonl")).unwrap();
        let old = content(place.path(), &"a".repeat(64), 3 * DAY);
        assert!(unnamed(place.path(), &BTreeSet::new(), SystemTime::now() - DAY).is_err());
        assert_eq!(left(place.path()), [old]);
        let none = tempfile::tempdir().unwrap();
        unnamed(none.path(), &BTreeSet::new(), SystemTime::now()).unwrap();
    }
}
