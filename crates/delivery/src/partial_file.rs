//! A partially downloaded file: a download continues at its end.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::disk::DiskFault;

/// A file on its way.
pub struct PartialFile {
    file: File,
    path: PathBuf,
    hasher: Sha256,
    /// Its bytes so far.
    pub size: u64,
}

impl PartialFile {
    /// Goes on where a file ends; begins anew when it is longer than it should be.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn open(path: &Path, whole: u64) -> Result<Self, DiskFault> {
        let bad = |why: io::Error| DiskFault::of(path, why);
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(path).await.map_err(bad)?;
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
        Ok(Self { file, hasher, size, path: path.to_owned() })
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

    /// Waits until it is on the disk; its SHA-256 in hex.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn end(mut self) -> Result<String, DiskFault> {
        let synced = async {
            self.file.flush().await?;
            self.file.sync_all().await
        };
        synced.await.map_err(|why| DiskFault::of(&self.path, why))?;
        Ok(hex::encode(self.hasher.finalize()))
    }
}
