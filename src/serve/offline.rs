//! Models as downloads: which files there are, with their true hashes, each computed once.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::delivery::{digest, manifest};

/// What a model's files end with; nothing else of a folder is given out.
const KINDS: [&str; 6] = ["onnx", "onnx_data", "json", "model", "md", "data"];
/// Lists of tokens; any other text may be a person's notes.
const LISTS: [&str; 2] = ["vocab.txt", "merges.txt"];
/// Folders below a model's own.
const DEEP: usize = 3;

/// A file of a model.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OfflineFile {
    /// Path in the model's folder, with slashes.
    pub name: String,
    /// Where it lies: no link leads to it.
    pub path: PathBuf,
    /// As it is now.
    pub stamp: FileStamp,
}

/// By what a file is known to be unchanged. Another one of equal size and time has another number; one that was written in place,
/// another time of change, which no program can set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FileStamp {
    /// Its bytes.
    pub size: u64,
    file: (u64, u64),
    written: (i64, i64),
    changed: (i64, i64),
}

impl FileStamp {
    /// Of what is open.
    pub fn of(about: &Metadata) -> Self {
        Self {
            size: about.len(),
            file: (about.dev(), about.ino()),
            written: (about.mtime(), about.mtime_nsec()),
            changed: (about.ctime(), about.ctime_nsec()),
        }
    }
}

/// The files of a model, by name. Links that lead out of `folder` and out of `store` are left out.
///
/// # Errors
/// The folder cannot be read.
pub fn files(folder: &Path, store: &Path) -> std::io::Result<Vec<OfflineFile>> {
    let root = folder.canonicalize()?;
    let store = store.canonicalize()?;
    let mut found = Vec::new();
    walk(&root, "", DEEP, &[&root, &store], &mut found)?;
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

fn walk(
    folder: &Path,
    prefix: &str,
    deep: usize,
    inside: &[&Path],
    found: &mut Vec<OfflineFile>,
) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // A name that is not text cannot be asked for.
        let Ok(own) = entry.file_name().into_string() else { continue };
        let Ok(path) = entry.path().canonicalize() else { continue };
        if own.starts_with('.') || !inside.iter().any(|root| path.starts_with(root)) {
            continue;
        }
        let name = format!("{prefix}{own}");
        let about = std::fs::metadata(&path)?;
        // A link to a folder may lead round in circles.
        if about.is_dir() && deep > 0 && entry.file_type()?.is_dir() {
            walk(&path, &format!("{name}/"), deep - 1, inside, found)?;
        } else if about.is_file() && is_given_out(&own) {
            found.push(OfflineFile { name, path, stamp: FileStamp::of(&about) });
        }
    }
    Ok(())
}

/// The manifest is about the store of this machine.
fn is_given_out(name: &str) -> bool {
    name != manifest::FILE && is_of_model(name)
}

fn is_of_model(name: &str) -> bool {
    LISTS.contains(&name) || name.rsplit_once('.').is_some_and(|(_, end)| KINDS.contains(&end))
}

/// The graph that a download means when it names no file: INT8 where there is one.
pub fn graph(files: &[OfflineFile]) -> Option<&OfflineFile> {
    let last = |file: &OfflineFile| file.name.rsplit('/').next().unwrap_or_default().to_owned();
    let names = ["model_int8.onnx", "model_quantized.onnx", "model_qint8_avx512_vnni.onnx", "model.onnx"];
    names.iter().find_map(|name| files.iter().find(|file| last(file) == *name))
}

type Once = Arc<OnceCell<String>>;

/// Hashes of files, kept as long as a file stays the same.
#[derive(Debug, Default)]
pub struct FileHashes {
    known: Mutex<HashMap<PathBuf, (FileStamp, Once)>>,
}

impl FileHashes {
    /// SHA-256 of a file in hexadecimal. Whoever asks while it is computed waits for it.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn of(&self, path: &Path, stamp: FileStamp) -> std::io::Result<String> {
        let once = self.once(path, stamp);
        let path = path.to_owned();
        let compute = || async move {
            tokio::task::spawn_blocking(move || sha256(&path, stamp))
                .await
                .unwrap_or_else(|why| Err(std::io::Error::other(why)))
        };
        once.get_or_try_init(compute).await.cloned()
    }

    fn once(&self, path: &Path, stamp: FileStamp) -> Once {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(path) {
            Some((of, once)) if *of == stamp => once.clone(),
            _ => {
                let once = Once::default();
                known.insert(path.to_owned(), (stamp, once.clone()));
                once
            }
        }
    }
}

/// The hash of a file that was not changed or replaced until it was read.
fn sha256(path: &Path, stamp: FileStamp) -> std::io::Result<String> {
    let hash = digest::sha256_of_file(path)?.sha256;
    match FileStamp::of(&std::fs::metadata(path)?) == stamp {
        true => Ok(hash),
        false => Err(std::io::Error::other("the file was changed while it was read")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_model_are_listed() {
        let store = tempfile::tempdir().unwrap();
        let folder = store.path().join("m");
        std::fs::create_dir_all(folder.join("1_Pooling")).unwrap();
        std::fs::write(store.path().join("secret.json"), "x").unwrap();
        for name in ["model.onnx", "1_Pooling/config.json", ".hidden.json", "run.sh", "vocab.txt", "notes.txt"] {
            std::fs::write(folder.join(name), name).unwrap();
        }
        std::os::unix::fs::symlink("/etc", folder.join("out")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.join("out.json")).unwrap();
        std::os::unix::fs::symlink("../m", folder.join("round")).unwrap();
        let found = files(&folder, store.path()).unwrap();
        assert!(found.iter().all(|file| !file.name.contains("out") && !file.name.contains("round")), "{found:?}");
        assert_eq!(graph(&found).unwrap().name, "model.onnx");
        assert!(found.iter().any(|file| file.name == "1_Pooling/config.json"));
        assert!(
            found.iter().any(|file| file.name == "vocab.txt") && !found.iter().any(|file| file.name == "notes.txt")
        );
        assert!(!found.iter().any(|file| file.name.ends_with(".sh") || file.name.contains("hidden")));
    }

    #[tokio::test]
    async fn a_hash_is_kept_until_the_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let hashes = FileHashes::default();
        std::fs::write(&path, "abc").unwrap();
        let stamp = FileStamp::of(&std::fs::metadata(&path).unwrap());
        let first = hashes.of(&path, stamp).await.unwrap();
        assert_eq!(first, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(hashes.of(&path, stamp).await.unwrap(), first, "it was not read again");
        std::fs::write(&path, "abcd").unwrap();
        let stamp = FileStamp::of(&std::fs::metadata(&path).unwrap());
        assert_ne!(hashes.of(&path, stamp).await.unwrap(), first);
    }

    #[tokio::test]
    async fn another_file_of_equal_size_and_time_has_a_hash_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a.onnx"), folder.path().join("b"));
        let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        let write = |path: &Path, content: &str| {
            std::fs::write(path, content).unwrap();
            std::fs::File::options().write(true).open(path).and_then(|file| file.set_modified(time)).unwrap();
        };
        let hashes = FileHashes::default();
        let hash = async || hashes.of(&path, FileStamp::of(&std::fs::metadata(&path).unwrap())).await.unwrap();
        write(&path, "one");
        let first = hash().await;
        write(&other, "two");
        std::fs::rename(&other, &path).unwrap();
        let second = hash().await;
        assert_ne!(first, second, "it was replaced");
        write(&path, "six");
        assert_ne!(second, hash().await, "it was written in place");
    }
}
