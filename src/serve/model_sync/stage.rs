//! Files on their way into the store: fetched where they were left, and compared before they count.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::fault::{DiskFault, SyncFault};
use super::origin::Origin;
use super::wanted::{self, Wanted};

/// A file that grows.
pub struct Part {
    file: File,
    path: PathBuf,
    hasher: Sha256,
    /// Its bytes so far.
    pub size: u64,
}

impl Part {
    /// Goes on where a file ends; begins anew when it is longer than it should be.
    async fn open(path: PathBuf, whole: u64) -> Result<Self, DiskFault> {
        let bad = |why: io::Error| DiskFault::of(&path, why);
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(&path).await.map_err(bad)?;
        if file.metadata().await.map_err(bad)?.len() > whole {
            file.set_len(0).await.map_err(bad)?;
        }
        let (mut hasher, mut size, mut bytes) = (Sha256::new(), 0, vec![0; 1 << 18]);
        loop {
            match file.read(&mut bytes).await.map_err(bad)? {
                0 => break,
                count => {
                    hasher.update(&bytes[..count]);
                    size += count as u64;
                }
            }
        }
        Ok(Self { file, hasher, size, path })
    }

    /// More of it.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn put(&mut self, bytes: &[u8]) -> Result<(), DiskFault> {
        self.file.write_all(bytes).await.map_err(|why| DiskFault::of(&self.path, why))?;
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// On the disk for good; its SHA-256.
    async fn end(mut self) -> Result<String, DiskFault> {
        let synced = async {
            self.file.flush().await?;
            self.file.sync_all().await
        };
        synced.await.map_err(|why| DiskFault::of(&self.path, why))?;
        Ok(hex::encode(self.hasher.finalize()))
    }
}

/// Brings a version into its folder below `versions`. A folder that is there was whole when it got its name.
///
/// # Errors
/// What the source or the disk says, or a file that is not what the pointer says. What has come of a download that was cut
/// off stays for the next time; on a full disk nothing stays.
pub async fn bring(origin: &Origin, wanted: &Wanted, versions: &Path) -> Result<PathBuf, SyncFault> {
    let folder = versions.join(&wanted.id);
    if fs::try_exists(&folder).await.unwrap_or(false) {
        return Ok(folder);
    }
    let staging = versions.join(format!(".staging-{}", wanted.id));
    let brought = fetch_all(origin, wanted, &staging).await;
    if matches!(brought, Err(SyncFault::Disk(DiskFault::Full { .. }))) {
        let _ = fs::remove_dir_all(&staging).await;
    }
    brought?;
    fs::rename(&staging, &folder).await.map_err(|why| DiskFault::of(&folder, why))?;
    Ok(folder)
}

async fn fetch_all(origin: &Origin, wanted: &Wanted, staging: &Path) -> Result<(), SyncFault> {
    for file in &wanted.files {
        let path = file.place.at(staging);
        if let Some(above) = path.parent() {
            fs::create_dir_all(above).await.map_err(|why| DiskFault::of(above, why))?;
        }
        fetch(origin, file, path).await?;
    }
    Ok(())
}

async fn fetch(origin: &Origin, file: &wanted::File, path: PathBuf) -> Result<(), SyncFault> {
    let mut part = Part::open(path.clone(), file.entry.size).await?;
    if part.size < file.entry.size {
        origin.fetch(&file.entry, &mut part).await?;
    }
    let (found, listed, name) = (part.size, file.entry.size, file.entry.path.clone());
    let hash = part.end().await?;
    let wrong = match &file.sha256 {
        _ if found != listed => SyncFault::Bytes { path: name, found, listed },
        Some(said) if *said != hash => SyncFault::Hash { path: name, found: hash, said: said.clone() },
        _ => return Ok(()),
    };
    let _ = fs::remove_file(&path).await;
    Err(wrong)
}

#[cfg(test)]
mod tests {
    use super::{SyncFault, bring};
    use crate::serve::model_sync::origin::Origin;
    use crate::serve::model_sync::wanted::Wanted;

    /// SHA-256 of `hello world`.
    const HASH: &str = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";

    async fn wanted(origin: &Origin, hash: &str) -> Wanted {
        let pointer = format!(r#"{{"version": "1", "files": [{{"path": "sub/a", "size": 11, "sha256": "{hash}"}}]}}"#);
        Wanted::pointed("m", pointer.as_bytes(), &origin.list().await.unwrap()).unwrap()
    }

    fn source() -> (tempfile::TempDir, Origin) {
        let source = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(source.path().join("m/sub")).unwrap();
        std::fs::write(source.path().join("m/sub/a"), "hello world").unwrap();
        let origin = Origin::Folder(source.path().to_owned());
        (source, origin)
    }

    #[tokio::test]
    async fn a_download_goes_on_where_it_was_cut_off() {
        let (_source, origin) = source();
        let wanted = wanted(&origin, HASH).await;
        let versions = tempfile::tempdir().unwrap();
        let staging = versions.path().join(format!(".staging-{}/sub", wanted.id));
        std::fs::create_dir_all(&staging).unwrap();
        std::fs::write(staging.join("a"), "hello").unwrap();
        let folder = bring(&origin, &wanted, versions.path()).await.unwrap();
        assert_eq!(std::fs::read_to_string(folder.join("sub/a")).unwrap(), "hello world");
        // Once there it is not fetched again.
        let nowhere = Origin::Folder("/nonexistent".into());
        assert_eq!(bring(&nowhere, &wanted, versions.path()).await.unwrap(), folder);
    }

    #[tokio::test]
    async fn another_content_never_gets_its_name() {
        let (_source, origin) = source();
        let versions = tempfile::tempdir().unwrap();
        let wrong = wanted(&origin, &HASH.replace("b94d", "0000")).await;
        let why = bring(&origin, &wrong, versions.path()).await.unwrap_err();
        assert!(matches!(why, SyncFault::Hash { .. }) && why.to_string().contains("SHA-256"), "{why}");
        assert!(!versions.path().join(&wrong.id).exists());
        // What was left of another version does not matter: a wrong beginning is thrown away and fetched anew.
        let right = wanted(&origin, HASH).await;
        let staging = versions.path().join(format!(".staging-{}/sub", right.id));
        std::fs::create_dir_all(&staging).unwrap();
        std::fs::write(staging.join("a"), "HELLO").unwrap();
        bring(&origin, &right, versions.path()).await.unwrap_err();
        bring(&origin, &right, versions.path()).await.unwrap();
    }
}
