//! Paths that something from outside names: a manifest, a hub, a bucket, a model. They lead below a folder, or are refused.

use std::borrow::Borrow;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The longest path, in bytes.
const LONGEST: usize = 500;

/// A path below a folder: names with `/` between them, none of which leads up or to the root. [`RelativePath::at`] is the only way to a
/// place on the disk:
///
/// ```compile_fail
/// use std::path::Path;
/// let below = akidb_edge_engine::files::RelativePath::parse("onnx/model.onnx").unwrap();
/// Path::new("/models").join(below);
/// ```
///
/// ```
/// use std::path::Path;
/// let below = akidb_edge_engine::files::RelativePath::parse("onnx/model.onnx").unwrap();
/// assert_eq!(below.at(Path::new("/models")), Path::new("/models/onnx/model.onnx"));
/// assert!(akidb_edge_engine::files::RelativePath::parse("../model.onnx").is_none());
/// ```
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct RelativePath(String);

/// A text that does not lead below a folder.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is not a path below the folder")]
pub struct InvalidRelativePath(String);

impl RelativePath {
    /// Checks a path; nothing when it could lead elsewhere.
    pub fn parse(path: &str) -> Option<Self> {
        let leads_down = |part: &str| !matches!(part, "" | "." | "..");
        let fits = path.len() <= LONGEST && !path.contains(['\\', '\0']) && path.split('/').all(leads_down);
        fits.then(|| Self(path.to_owned()))
    }

    /// Its place below a folder. Links on the way there are not looked at.
    pub fn at(&self, folder: &Path) -> PathBuf {
        folder.join(&self.0)
    }

    /// As it was named.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// As [`RelativePath`], and also the folder itself, which an empty path and `.` name. Nothing when it could lead elsewhere.
pub fn within(folder: &Path, path: &str) -> Option<PathBuf> {
    if path.starts_with('/') {
        return None;
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.is_empty() {
        return Some(folder.to_owned());
    }
    Some(RelativePath::parse(&parts.join("/"))?.at(folder))
}

impl TryFrom<String> for RelativePath {
    type Error = InvalidRelativePath;

    fn try_from(path: String) -> Result<Self, InvalidRelativePath> {
        Self::parse(&path).ok_or(InvalidRelativePath(path))
    }
}

/// For maps whose keys are looked up by a text.
impl Borrow<str> for RelativePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_from_outside_leads_below_its_folder_or_is_refused() {
        for good in ["onnx/model.onnx", ".gitattributes", "a b", "c:x"] {
            assert_eq!(
                RelativePath::parse(good).map(|below| below.at(Path::new("/m"))),
                Some(Path::new("/m").join(good))
            );
        }
        let long = "a".repeat(LONGEST + 1);
        for bad in ["../x", "/etc/passwd", "a/../../b", "a//b", "a\\b", "", "a/./b", "a/", "a\0", &long] {
            assert_eq!(RelativePath::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_document_that_names_another_place_is_not_read() {
        let read = |text: &str| serde_json::from_str::<std::collections::BTreeMap<RelativePath, u8>>(text);
        let map = read(r#"{"a/b": 1}"#).expect("a path below the folder");
        assert_eq!((map.get("a/b"), serde_json::to_string(&map).ok()), (Some(&1), Some(r#"{"a/b":1}"#.to_owned())));
        let refused = read(r#"{"../b": 1}"#).expect_err("it leads up").to_string();
        assert!(refused.contains("\"../b\" is not a path below the folder"), "{refused}");
    }

    #[test]
    fn a_folder_may_name_itself() {
        let folder = Path::new("/m");
        for itself in ["", ".", "./"] {
            assert_eq!(within(folder, itself).as_deref(), Some(folder), "{itself:?}");
        }
        assert_eq!(within(folder, "./1_Pooling/").as_deref(), Some(Path::new("/m/1_Pooling")));
        for bad in ["..", "a/../b", "/", "/m/a", "./../a"] {
            assert_eq!(within(folder, bad), None, "{bad}");
        }
    }
}
