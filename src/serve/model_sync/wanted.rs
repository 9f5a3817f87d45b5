//! What a source has of a model: said by a pointer, or by the list of its files.

use std::collections::BTreeMap;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::fault::WantedFault;
use crate::files::Below;

/// The name of the pointer, beside the files.
pub const POINTER: &str = "current.json";

/// A file of a source.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Its path below the source, with the model's name in front.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// Changes whenever its content does.
    pub etag: String,
}

/// `NAME/current.json`.
#[derive(Debug, Deserialize)]
struct Pointer {
    version: String,
    /// Where its files are, below `NAME/`; beside the pointer when it is not said.
    #[serde(default)]
    root: String,
    files: Vec<Pointed>,
}

#[derive(Debug, Deserialize)]
struct Pointed {
    path: String,
    size: u64,
    sha256: String,
}

/// A file that is wanted.
#[derive(Clone, Debug)]
pub struct File {
    /// Its place in the model's folder.
    pub place: Below,
    /// Where it comes from.
    pub entry: Entry,
    /// Its SHA-256, in hexadecimal, when a pointer says it.
    pub sha256: Option<String>,
}

/// A version of a model.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What its source calls it.
    pub version: String,
    /// Its folder in the store: the version and a hash over its files.
    pub id: String,
    /// Its files.
    pub files: Vec<File>,
}

impl Wanted {
    /// What a pointer says. `listed` are the files that the source has of this model.
    ///
    /// # Errors
    /// It is not a pointer, leads out of its folder, or names what is not there.
    pub fn pointed(name: &str, bytes: &[u8], listed: &[Entry]) -> Result<Self, WantedFault> {
        let model = || name.to_owned();
        let pointer: Pointer =
            serde_json::from_slice(bytes).map_err(|source| WantedFault::Pointer { name: model(), source })?;
        let root = pointer.root.trim_matches('/');
        let mut files = Vec::new();
        for file in pointer.files {
            let place = Below::parse(&file.path)
                .ok_or_else(|| WantedFault::LeadsOut { name: model(), path: file.path.clone() })?;
            let parts = [name, root, &file.path].into_iter().filter(|part| !part.is_empty());
            let path = parts.collect::<Vec<_>>().join("/");
            let known = listed.iter().find(|entry| entry.path == path);
            let known = known.ok_or_else(|| WantedFault::Absent { name: model(), path: path.clone() })?;
            if known.size != file.size {
                return Err(WantedFault::Size { path, found: known.size, said: file.size });
            }
            files.push(File { place, entry: known.clone(), sha256: Some(file.sha256.to_lowercase()) });
        }
        Self::of(pointer.version, files, name)
    }

    /// The files as they lie there.
    ///
    /// # Errors
    /// There are none, or a name leads out of the folder.
    pub fn listed(name: &str, mark: &str, listed: &[Entry]) -> Result<Self, WantedFault> {
        let mut files = Vec::new();
        for entry in listed {
            let path = entry.path.strip_prefix(name).unwrap_or_default().trim_start_matches('/');
            let place = Below::parse(path).ok_or_else(|| WantedFault::Outside { path: entry.path.clone() })?;
            files.push(File { place, entry: entry.clone(), sha256: None });
        }
        Self::of(mark.chars().take(12).collect(), files, name)
    }

    fn of(version: String, files: Vec<File>, name: &str) -> Result<Self, WantedFault> {
        if files.is_empty() {
            return Err(WantedFault::Empty { name: name.to_owned() });
        }
        let mut hasher = Sha256::new();
        for file in &files {
            let content = file.sha256.as_ref().unwrap_or(&file.entry.etag);
            hasher.update(format!("{}\n{}\n{content}\n", file.place, file.entry.size));
        }
        let plain = |letter: char| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '-' };
        let readable: String = version.trim_start_matches('.').chars().map(plain).take(40).collect();
        let id = format!("v{readable}-{}", &hex::encode(hasher.finalize())[..12]);
        Ok(Self { version, id, files })
    }
}

/// The files of a source, by model: its name is the first folder of their paths. A file without such a folder, or in a hidden
/// one, belongs to none; an empty name would be the folder that holds the versions of all models.
pub fn by_model(listed: Vec<Entry>) -> BTreeMap<String, Vec<Entry>> {
    let mut models: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for entry in listed {
        let name = entry.path.split_once('/').map(|(name, _)| name.to_owned());
        if let Some(name) = name.filter(|name| !name.is_empty() && !name.starts_with('.')) {
            models.entry(name).or_default().push(entry);
        }
    }
    models
}

/// What a source looks like without a pointer.
pub fn mark(listed: &[Entry]) -> String {
    let mut hasher = Sha256::new();
    for entry in listed {
        hasher.update(format!("{}\n{}\n{}\n", entry.path, entry.size, entry.etag));
    }
    hex::encode(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::{Entry, Wanted, WantedFault, by_model, mark};

    fn entry(path: &str, size: u64, etag: &str) -> Entry {
        Entry { path: path.to_owned(), size, etag: etag.to_owned() }
    }

    fn pointer(path: &str) -> Vec<u8> {
        format!(r#"{{"version": "../7 b", "root": "r7", "files": [{{"path": "{path}", "size": 3, "sha256": "AB"}}]}}"#)
            .into_bytes()
    }

    #[test]
    fn a_pointer_names_files_below_its_root() {
        let listed = [entry("m/r7/onnx/model.onnx", 3, "x")];
        let wanted = Wanted::pointed("m", &pointer("onnx/model.onnx"), &listed).unwrap();
        assert_eq!((wanted.version.as_str(), wanted.files[0].sha256.as_deref()), ("../7 b", Some("ab")));
        assert!(wanted.id.starts_with("v-7-b-") && !wanted.id.contains('/'), "{}", wanted.id);
    }

    #[test]
    fn what_leads_out_or_is_not_there_is_refused() {
        let listed = [entry("m/r7/a", 4, "x")];
        for (path, why) in [
            ("../a", "leads out"),
            ("/etc/passwd", "leads out"),
            ("", "leads out"),
            ("b", "not there"),
            ("a", "4 bytes"),
        ] {
            let refused = Wanted::pointed("m", &pointer(path), &listed).unwrap_err().to_string();
            assert!(refused.contains(why), "{path}: {refused}");
        }
        let empty = Wanted::pointed("m", b"{}", &listed).unwrap_err();
        assert!(matches!(empty, WantedFault::Pointer { .. }) && empty.to_string().contains("version"), "{empty}");
        assert!(matches!(Wanted::listed("m", "0", &[]), Err(WantedFault::Empty { .. })));
    }

    #[test]
    fn a_file_without_the_name_of_a_model_belongs_to_none() {
        let paths = ["m/a", "/config.json", "alone", ".work/a", "../a", "m/b/c"];
        let models = by_model(paths.map(|path| entry(path, 1, "x")).to_vec());
        assert_eq!(
            models.into_iter().map(|(name, files)| (name, files.len())).collect::<Vec<_>>(),
            [("m".to_owned(), 2)]
        );
    }

    #[test]
    fn another_content_is_another_version() {
        let (one, two) = ([entry("m/a", 1, "x")], [entry("m/a", 1, "y")]);
        assert_ne!(mark(&one), mark(&two));
        let id = |listed: &[Entry]| Wanted::listed("m", &mark(listed), listed).unwrap().id;
        assert_ne!(id(&one), id(&two));
    }
}
