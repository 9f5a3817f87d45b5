//! Files of a model's folder, read as JSON.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::bounds::SETTINGS;
use super::{FaultCause, FolderFault};
use crate::files;

/// A file that has to be there.
pub(super) fn must<T: DeserializeOwned>(file: &Path, what: &str) -> Result<T, FolderFault> {
    may(file)?.ok_or_else(|| missing(file, what))
}

/// A file that may be there.
pub(super) fn may<T: DeserializeOwned>(file: &Path) -> Result<Option<T>, FolderFault> {
    match files::read(file, SETTINGS) {
        Ok(bytes) => {
            // Editors of other systems begin files with a byte order mark.
            let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
            serde_json::from_slice(text).map(Some).map_err(|why| bad(file, UnexpectedJson(why)))
        }
        Err(why) if matches!(why.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(why) => Err(bad(file, why)),
    }
}

pub(super) fn missing(file: &Path, what: &str) -> FolderFault {
    FolderFault::Missing { file: file.display().to_string(), what: what.to_owned() }
}

pub(super) fn bad(file: &Path, why: impl Into<FaultCause>) -> FolderFault {
    FolderFault::bad(file, why)
}

/// A file of JSON that says something else than is wanted.
#[derive(Debug, thiserror::Error)]
#[error("not as expected: {0}")]
pub(super) struct UnexpectedJson(#[source] pub serde_json::Error);

/// A path that a file of the model names, inside of its folder.
pub(super) fn inside(root: &Path, path: &str, named_in: &Path) -> Result<PathBuf, FolderFault> {
    let refused = || bad(named_in, format!("it names {path:?}, which is outside of the model's folder"));
    files::within(root, path).ok_or_else(refused)
}
