//! Unpacks a package into a folder, to run it and to read its metadata.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::about::{NAME, PackageInfo, SCHEMA};
use crate::files;

/// What a package may hold when unpacked: AWS's limit.
const LARGEST: u64 = 250 << 20;
/// `model.json` is a short text.
const LARGEST_ABOUT: u64 = 64 << 10;

/// Why a package cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UnpackFault {
    /// The file cannot be read, or is not a zip.
    #[error("it cannot be read as a zip: {0}")]
    Zip(String),
    /// Names or sizes that no package has.
    #[error("{0} is not a file of a package")]
    Unsafe(String),
    /// There is no model in it.
    #[error("it does not contain {NAME}: it is a gateway, or not a package of akidb-edge")]
    NoModel,
    /// `model.json` is of another form.
    #[error("{NAME} cannot be read: {0}")]
    About(String),
    /// The folder cannot be written.
    #[error("it cannot be unpacked: {0}")]
    Write(#[from] std::io::Error),
}

impl From<zip::result::ZipError> for UnpackFault {
    fn from(bad: zip::result::ZipError) -> Self {
        Self::Zip(bad.to_string())
    }
}

fn open(path: &Path) -> Result<zip::ZipArchive<File>, UnpackFault> {
    let file = files::open(path).map_err(|bad| UnpackFault::Zip(bad.to_string()))?;
    Ok(zip::ZipArchive::new(file)?)
}

/// What a package says of itself.
///
/// # Errors
/// It is not a package with a model.
pub fn about(path: &Path) -> Result<PackageInfo, UnpackFault> {
    let mut archive = open(path)?;
    let entry = match archive.by_name(NAME) {
        Ok(entry) => entry,
        Err(zip::result::ZipError::FileNotFound) => return Err(UnpackFault::NoModel),
        Err(bad) => return Err(bad.into()),
    };
    let mut text = String::new();
    entry.take(LARGEST_ABOUT).read_to_string(&mut text)?;
    let about: PackageInfo = serde_json::from_str(&text).map_err(|bad| UnpackFault::About(bad.to_string()))?;
    if about.schema == SCHEMA {
        Ok(about)
    } else {
        Err(UnpackFault::About(format!("the schema is {}, not {SCHEMA}", about.schema)))
    }
}

/// Writes the files of a package below a folder.
///
/// # Errors
/// It is not a zip, a name leads elsewhere, it is larger than a package may be, or the disk refuses.
pub fn unpack(path: &Path, into: &Path) -> Result<(), UnpackFault> {
    let mut archive = open(path)?;
    let mut left = LARGEST;
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at)?;
        let name = entry.name().map_err(|bad| UnpackFault::Zip(bad.to_string()))?.into_owned();
        let below = files::RelativePath::parse(&name).ok_or_else(|| UnpackFault::Unsafe(name.clone()))?;
        if !entry.is_file() || entry.size() > left {
            return Err(UnpackFault::Unsafe(name));
        }
        let goal = below.at(into);
        if let Some(folder) = goal.parent() {
            std::fs::create_dir_all(folder)?;
        }
        left -= std::io::copy(&mut entry.by_ref().take(left), &mut File::create(goal)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::template::zipped;

    fn zip(folder: &Path, files: &[(&str, &str)]) -> std::path::PathBuf {
        let files: BTreeMap<String, Vec<u8>> =
            files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
        let path = folder.join("a.zip");
        std::fs::write(&path, zipped("test", &files).expect("a zip").bytes).expect("a file");
        path
    }

    #[test]
    fn a_package_is_laid_out_below_its_folder_and_nowhere_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let goal = folder.path().join("goal");
        let about = PackageInfo::new("m", 4, BTreeMap::new());
        let text = serde_json::to_string(&about).expect("plain data");
        let path = zip(folder.path(), &[("inference/a.mjs", "// a"), (NAME, &text)]);
        unpack(&path, &goal).expect("it fits");
        assert_eq!(std::fs::read_to_string(goal.join("inference/a.mjs")).expect("the file"), "// a");
        assert_eq!(super::about(&path).expect("its model"), about);
        for name in ["../out", "/out", "a/../../out"] {
            let path = zip(folder.path(), &[(name, "x")]);
            assert!(matches!(unpack(&path, &goal), Err(UnpackFault::Unsafe(_) | UnpackFault::Zip(_))), "{name}");
        }
        let path = zip(folder.path(), &[("index.mjs", "// a gateway")]);
        assert!(matches!(super::about(&path), Err(UnpackFault::NoModel)));
        std::fs::write(&path, "no zip").expect("a file");
        assert!(matches!(super::about(&path), Err(UnpackFault::Zip(_))));
    }
}
