//! What a source has of a model: said by a pointer and its manifest, by a pointer of a former layout, or by the list of its files.

use std::collections::BTreeMap;

use akidb_edge_engine::files::RelativePath;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::layout::{self, FORMAT, FORMER_POINTER, POINTER, VersionFile};
use crate::manifest;
use crate::source::SourceEntry;

/// Why a version cannot be taken as its source describes it.
#[derive(Debug, thiserror::Error)]
pub enum VersionFault {
    /// A document is not what it should be.
    #[error("{path}: not as expected: {source}")]
    Document {
        /// Its path in the source.
        path: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A document was written by a newer program.
    #[error("{path}: its format {format} is newer than this akidb-edge, which reads up to {}", FORMAT)]
    Newer {
        /// Its path in the source.
        path: String,
        /// The format.
        format: u32,
    },
    /// The manifest is of another model or version, or its version does not follow from its files.
    #[error("{path}: it is the manifest of {found}, but the pointer names {said}")]
    OtherVersion {
        /// Its path in the source.
        path: String,
        /// The model and version of the manifest.
        found: String,
        /// Those of the pointer.
        said: String,
    },
    /// A path of a document leads out of the model's folder.
    #[error("{document}: {path:?} is outside the folder, or is not a path")]
    LeadsOut {
        /// The document.
        document: String,
        /// The path.
        path: String,
    },
    /// A document names a file that the source does not have.
    #[error("{document} names {path}, which does not exist")]
    Absent {
        /// The document.
        document: String,
        /// The path.
        path: String,
    },
    /// A file has another size than a document says.
    #[error("{path} has {found} bytes; {document} says {said}")]
    Size {
        /// The document.
        document: String,
        /// The file.
        path: String,
        /// Its bytes.
        found: u64,
        /// The bytes of the document.
        said: u64,
    },
    /// The bytes of the manifest are not those that the pointer names.
    #[error("{path}: its SHA-256 is {found}, but the pointer has {said}")]
    Hash {
        /// The manifest.
        path: String,
        /// The hash of what came.
        found: String,
        /// The hash of the pointer.
        said: String,
    },
    /// There is nothing to take.
    #[error("{name}: no files")]
    Empty {
        /// The model.
        name: String,
    },
    /// Nothing of it is fetched.
    #[error("{name} is not a model that can be served: it has no {lacks}")]
    NoModel {
        /// The folder of the source.
        name: String,
        /// What is missing.
        lacks: &'static str,
    },
}

/// A file that is wanted.
#[derive(Clone, Debug)]
pub struct DesiredFile {
    /// Its place in the model's folder.
    pub place: RelativePath,
    /// Where it comes from.
    pub entry: SourceEntry,
    /// Its SHA-256 in lower-case hex, when a document says it.
    pub sha256: Option<String>,
}

/// A version of a model.
#[derive(Clone, Debug)]
pub struct DesiredVersion {
    /// What its source calls it.
    pub version: String,
    /// Its folder in the store: the version and a hash over its files.
    pub id: String,
    /// Its files.
    pub files: Vec<DesiredFile>,
}

/// What a pointer leads to.
#[derive(Clone, Debug)]
pub enum PointerTarget {
    /// The files: a pointer of a former layout names them itself.
    Files(DesiredVersion),
    /// The manifest, which names them.
    Manifest(ListedManifest),
}

/// A manifest that a pointer names.
#[derive(Clone, Debug)]
pub struct ListedManifest {
    /// Where it lies.
    pub entry: SourceEntry,
    version: String,
    sha256: String,
}

/// The pointer of a model among the files of its source.
pub fn pointer<'l>(name: &str, listed: &'l [SourceEntry]) -> Option<&'l SourceEntry> {
    let at = |file: &str| listed.iter().find(|entry| entry.path == format!("{name}/{file}"));
    at(POINTER).or_else(|| at(FORMER_POINTER))
}

/// `NAME/current.json` of the layout.
#[derive(Deserialize)]
struct Pointer {
    model: String,
    version: String,
    manifest: VersionFile,
}

/// `NAME/current.json` as `serve --sync` read it before format 2.
#[derive(Deserialize)]
struct FormerSync {
    version: String,
    /// Where its files are, below `NAME/`; beside the pointer when it is not said.
    #[serde(default)]
    root: String,
    files: Vec<VersionFile>,
}

/// `NAME/latest.json` as `deploy` wrote it before format 2.
#[derive(Deserialize)]
struct FormerDeploy {
    files: BTreeMap<String, FormerObject>,
}

#[derive(Deserialize)]
struct FormerObject {
    /// From the root of the bucket.
    key: String,
    sha256: String,
    bytes: u64,
}

/// Any document: which format it has. Documents without one are of a former layout.
#[derive(Deserialize)]
struct Format {
    #[serde(default)]
    format: u32,
}

impl PointerTarget {
    /// Reads a pointer. `listed` are the files that the source has of this model.
    ///
    /// # Errors
    /// It is not a pointer, leads out of its folder, or names what is not there.
    pub fn read(name: &str, pointer: &SourceEntry, bytes: &[u8], listed: &[SourceEntry]) -> Result<Self, VersionFault> {
        let document = Document { path: &pointer.path, bytes };
        let format = document.format()?;
        let found = Found { name, document: &pointer.path, listed };
        if pointer.path.ends_with(FORMER_POINTER) {
            let former: FormerDeploy = document.parse()?;
            return found.former_deploy(former).map(Self::Files);
        }
        if format == 0 {
            let former: FormerSync = document.parse()?;
            return found.former_sync(former).map(Self::Files);
        }
        let Pointer { model, version, manifest } = document.parse()?;
        if model != name {
            let (found, said) = (model, name.to_owned());
            return Err(VersionFault::OtherVersion { path: pointer.path.clone(), found, said });
        }
        let entry = found.entry(&manifest.path, manifest.size)?;
        Ok(Self::Manifest(ListedManifest { entry, version, sha256: manifest.sha256.to_lowercase() }))
    }
}

impl ListedManifest {
    /// The version whose manifest this is.
    ///
    /// # Errors
    /// The bytes are not those that the pointer names, or not a manifest of that version; it names what is not there.
    pub fn read(&self, name: &str, bytes: &[u8], listed: &[SourceEntry]) -> Result<DesiredVersion, VersionFault> {
        let path = &self.entry.path;
        let found = akidb_edge_engine::resource::sha256_hex(bytes);
        if found != self.sha256 {
            return Err(VersionFault::Hash { path: path.clone(), found, said: self.sha256.clone() });
        }
        let document = Document { path, bytes };
        document.format()?;
        let manifest: layout::VersionManifest = document.parse()?;
        let sound = manifest.model == name
            && manifest.version == self.version
            && layout::version_of(&manifest.files) == self.version;
        if !sound {
            let found = format!("{} {}", manifest.model, layout::version_of(&manifest.files));
            return Err(VersionFault::OtherVersion {
                path: path.clone(),
                found,
                said: format!("{name} {}", self.version),
            });
        }
        let found = Found { name, document: path, listed };
        let files = manifest.files.iter().map(|file| found.file(&file.path, &file.key(), file.size, &file.sha256));
        DesiredVersion::of(self.version.clone(), files.collect::<Result<_, _>>()?, name)
    }
}

/// A JSON document of a source.
struct Document<'a> {
    path: &'a str,
    bytes: &'a [u8],
}

impl Document<'_> {
    fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, VersionFault> {
        serde_json::from_slice(self.bytes)
            .map_err(|source| VersionFault::Document { path: self.path.to_owned(), source })
    }

    fn format(&self) -> Result<u32, VersionFault> {
        let Format { format } = self.parse()?;
        if format > FORMAT {
            return Err(VersionFault::Newer { path: self.path.to_owned(), format });
        }
        Ok(format)
    }
}

/// Files that a document names, looked up in the list of the source.
struct Found<'a> {
    name: &'a str,
    document: &'a str,
    listed: &'a [SourceEntry],
}

impl Found<'_> {
    /// A file below the model's name.
    fn entry(&self, key: &str, size: u64) -> Result<SourceEntry, VersionFault> {
        let document = || self.document.to_owned();
        let below = RelativePath::parse(key)
            .ok_or_else(|| VersionFault::LeadsOut { document: document(), path: key.to_owned() })?;
        let path = format!("{}/{below}", self.name);
        let known = self.listed.iter().find(|entry| entry.path == path);
        let known = known.ok_or_else(|| VersionFault::Absent { document: document(), path: path.clone() })?;
        if known.size != size {
            return Err(VersionFault::Size { document: document(), path, found: known.size, said: size });
        }
        Ok(known.clone())
    }

    fn file(&self, place: &str, key: &str, size: u64, sha256: &str) -> Result<DesiredFile, VersionFault> {
        let leads_out = || VersionFault::LeadsOut { document: self.document.to_owned(), path: place.to_owned() };
        let place = RelativePath::parse(place).ok_or_else(leads_out)?;
        Ok(DesiredFile { place, entry: self.entry(key, size)?, sha256: Some(sha256.to_lowercase()) })
    }

    fn former_sync(&self, former: FormerSync) -> Result<DesiredVersion, VersionFault> {
        let root = former.root.trim_matches('/');
        let files = former.files.iter().map(|file| {
            let key = if root.is_empty() { file.path.clone() } else { format!("{root}/{}", file.path) };
            self.file(&file.path, &key, file.size, &file.sha256)
        });
        DesiredVersion::of(former.version, files.collect::<Result<_, _>>()?, self.name)
    }

    fn former_deploy(&self, former: FormerDeploy) -> Result<DesiredVersion, VersionFault> {
        let own = format!("/{}/", self.name);
        let files = former.files.iter().map(|(place, object)| {
            // The source may begin anywhere in the bucket: what leads to the model's name is left out.
            let whole = format!("/{}", object.key);
            let key = whole.split_once(&own).map_or_else(|| object.key.clone(), |(_, key)| key.to_owned());
            self.file(place, &key, object.bytes, &object.sha256)
        });
        let files: Vec<DesiredFile> = files.collect::<Result<_, _>>()?;
        let as_files = files.iter().map(|file| VersionFile {
            path: file.place.as_str().to_owned(),
            size: file.entry.size,
            sha256: file.sha256.clone().unwrap_or_default(),
        });
        let version = layout::version_of(&as_files.collect::<Vec<_>>());
        DesiredVersion::of(version, files, self.name)
    }
}

impl DesiredVersion {
    /// The files as they lie there, without a pointer. Files whose names no model has are passed over.
    ///
    /// # Errors
    /// There are none.
    pub fn listed(name: &str, mark: &str, listed: &[SourceEntry]) -> Result<Self, VersionFault> {
        let below = format!("{name}/");
        let own = listed.iter().filter_map(|entry| {
            let path = entry.path.strip_prefix(&below).filter(|path| layout::is_file_path(path))?;
            Some(DesiredFile { place: RelativePath::parse(path)?, entry: entry.clone(), sha256: None })
        });
        Self::of(mark.chars().take(12).collect(), own.collect(), name)
    }

    fn of(version: String, mut files: Vec<DesiredFile>, name: &str) -> Result<Self, VersionFault> {
        // The store writes its own.
        files.retain(|file| file.place.as_str() != manifest::FILE);
        if files.is_empty() {
            return Err(VersionFault::Empty { name: name.to_owned() });
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

    /// Whether it can be a model at all: looked at before anything of it is fetched.
    ///
    /// # Errors
    /// What is missing.
    pub fn is_model(&self, name: &str) -> Result<(), VersionFault> {
        let has = |wanted: &str| self.files.iter().any(|file| file.place.as_str() == wanted);
        let lacks = |lacks: &'static str| VersionFault::NoModel { name: name.to_owned(), lacks };
        if !has("config.json") && !has("modules.json") {
            return Err(lacks("config.json"));
        }
        let graph = self.files.iter().any(|file| file.place.as_str().ends_with(".onnx"));
        if graph { Ok(()) } else { Err(lacks("ONNX graph")) }
    }
}

/// The files of a source, by model, and what is passed over. The name is the first folder of a path.
pub fn by_model(listed: Vec<SourceEntry>) -> (BTreeMap<String, Vec<SourceEntry>>, Vec<String>) {
    let mut models: BTreeMap<String, Vec<SourceEntry>> = BTreeMap::new();
    let mut skipped = Vec::new();
    for entry in listed {
        let place = entry.path.split_once('/');
        let place = place.map(|(name, below)| (name.to_owned(), RelativePath::parse(below).is_some()));
        match place {
            None => {}
            // Hidden folders are somebody's own.
            Some((name, _)) if name.starts_with('.') => {}
            Some((name, true)) if layout::is_model_name(&name) => models.entry(name).or_default().push(entry),
            Some(_) => skipped.push(format!("{:?} is not the path of a file of a model", entry.path)),
        }
    }
    (models, skipped)
}

/// What the files of a model look like: another mark after every change.
pub fn mark(listed: &[SourceEntry]) -> String {
    let mut hasher = Sha256::new();
    for entry in listed {
        hasher.update(format!("{}\n{}\n{}\n", entry.path, entry.size, entry.etag));
    }
    hex::encode(hasher.finalize())
}

#[cfg(test)]
#[path = "desired_version_tests.rs"]
mod tests;
