//! The names and sizes in a zip's directory, without unpacking it.

use std::collections::BTreeSet;
use std::path::Path;

use super::bounds::MOST_FILES;
use crate::files::open;

/// What a zip holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArchiveFacts {
    /// The files, without folders.
    pub files: BTreeSet<String>,
    /// Bytes when unpacked.
    pub unpacked: u64,
}

/// Reads the directory of a zip.
///
/// # Errors
/// Why it is not a zip.
pub fn read(path: &Path) -> Result<ArchiveFacts, String> {
    let file = open(path).map_err(|bad| bad.to_string())?;
    let mut archive = zip::ZipArchive::new(file).map_err(|bad| bad.to_string())?;
    if archive.len() > MOST_FILES {
        return Err(format!("it has more than {MOST_FILES} entries"));
    }
    let mut found = ArchiveFacts::default();
    for at in 0..archive.len() {
        let entry = archive.by_index_raw(at).map_err(|bad| bad.to_string())?;
        found.unpacked = found.unpacked.saturating_add(entry.size());
        if entry.is_file() {
            found.files.insert(entry.name().map_err(|bad| bad.to_string())?.into_owned());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    #[test]
    fn names_and_sizes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.zip");
        let mut zip = zip::ZipWriter::new(File::create(&path).expect("a file"));
        zip.add_directory("lib", zip::write::SimpleFileOptions::default()).expect("a folder");
        for name in ["index.mjs", "lib/a.mjs"] {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).expect("a file");
            zip.write_all(&[b'x'; 1_000]).expect("content");
        }
        zip.finish().expect("a zip");
        let found = read(&path).expect("a zip");
        assert_eq!(found.files, ["index.mjs", "lib/a.mjs"].map(str::to_owned).into());
        assert_eq!(found.unpacked, 2_000);
        std::fs::write(&path, "PK no zip").expect("a file");
        assert!(read(&path).is_err());
    }

    #[test]
    fn an_archive_of_too_many_entries_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("many.zip");
        let mut zip = zip::ZipWriter::new(std::io::BufWriter::new(File::create(&path).expect("a file")));
        let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        for number in 0..=MOST_FILES {
            zip.start_file(number.to_string(), options).expect("a file");
        }
        zip.finish().expect("a zip");
        assert_eq!(read(&path), Err(format!("it has more than {MOST_FILES} entries")));
    }
}
