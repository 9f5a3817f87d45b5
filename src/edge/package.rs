//! The package of the function at the edge: a zip that is the same for the same files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::about::{self, GRAPH, ModelFile, PackageInfo, RUNTIME, STATIC, TOKENS};
use super::machine::{self, Machine};
use crate::files::read;
use crate::template::{self, Archive, TemplateError};

/// What is taken of `node_modules`: `templates/lambda/package-files.json`.
const MODULES: &str = include_str!("../../templates/lambda/package-files.json");
/// The code template of a function that embeds.
const CODE: &str = "inference";
/// ONNX Runtime's library in the package.
const LIBRARY: &str = "node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1";
/// AWS's limits of a zip at the edge, and of what is in it.
const LARGEST_ZIP: u64 = 50 << 20;
const LARGEST_UNPACKED: u64 = 250 << 20;
/// A single file is not larger than the whole may be.
const LARGEST_FILE: u64 = LARGEST_UNPACKED;

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
pub enum PackageFault {
    /// A file is missing, or cannot be read.
    #[error("{path} cannot be read: {why}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// A file is not what it should be.
    #[error("{path}: {why}", path = path.display())]
    Unsound {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A program of another machine.
    #[error("{path} is a program of another machine; the edge runs Linux on x86-64", path = path.display())]
    OtherMachine {
        /// The file.
        path: PathBuf,
    },
    /// The edge would refuse it.
    #[error("{what} has {bytes} bytes; the edge takes {most}")]
    TooLarge {
        /// The zip, or what is in it.
        what: &'static str,
        /// Its size.
        bytes: u64,
        /// The limit.
        most: u64,
    },
    /// The zip cannot be written.
    #[error(transparent)]
    Zip(#[from] TemplateError),
}

impl PackageFault {
    /// What to do next.
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "exporter/build --edge makes the model's files, templates/lambda/install the Node packages; --model and --modules set other paths"
            }
            Self::Unsound { .. } => "make the file again: exporter/build --edge",
            Self::OtherMachine { .. } => "install the Node packages for linux-x64: templates/lambda/install",
            Self::TooLarge { .. } => {
                "take a smaller graph (--variant edge), or leave the static tier out (--no-static)"
            }
            Self::Zip(_) => "report this",
        }
    }
}

/// Which graph of the model answers for the tier `full`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageVariant {
    /// The server's own: 8-bit integers.
    Int8,
    /// The small one of `exporter/build --edge`: 8 bits, with word embeddings in 4.
    Edge,
}

impl PackageVariant {
    /// The graph's file in the model's folder.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Int8 => "model_int8.onnx",
            Self::Edge => "model_edge.onnx",
        }
    }
}

/// Where the files come from.
#[derive(Clone, Debug)]
pub struct Sources<'a> {
    /// Folder of the model.
    pub model: &'a Path,
    /// Its name in requests.
    pub name: &'a str,
    /// Its graph.
    pub variant: PackageVariant,
    /// Whether the static tier goes along.
    pub with_static: bool,
    /// `node_modules` with what `templates/lambda/package.json` names.
    pub modules: &'a Path,
}

/// A package.
#[derive(Clone, Debug)]
pub struct Package {
    /// The zip.
    pub archive: Archive,
    /// What it says of itself.
    pub about: PackageInfo,
    /// Its files and their sizes.
    pub files: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Modules {
    files: Vec<String>,
    folders: Vec<Folder>,
}

#[derive(Deserialize)]
struct Folder {
    path: String,
    ending: String,
}

#[derive(Deserialize)]
struct Config {
    hidden_size: usize,
}

/// Makes the package.
///
/// # Errors
/// A file is missing or wrong, or the edge would refuse the zip.
pub fn build(sources: &Sources<'_>) -> Result<Package, PackageFault> {
    let mut files: BTreeMap<String, Vec<u8>> =
        template::code(CODE)?.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
    add_modules(sources.modules, &mut files)?;
    let about = add_model(sources, &mut files)?;
    let text = serde_json::to_vec_pretty(&about).unwrap_or_default();
    files.insert(about::NAME.to_owned(), text);
    let archive = template::zipped(CODE, &files)?;
    within("the zip", archive.bytes.len() as u64, LARGEST_ZIP)?;
    within("what is in the zip", archive.unpacked, LARGEST_UNPACKED)?;
    let files = files.into_iter().map(|(name, content)| (name, content.len() as u64)).collect();
    Ok(Package { archive, about, files })
}

const fn within(what: &'static str, bytes: u64, most: u64) -> Result<(), PackageFault> {
    if bytes > most { Err(PackageFault::TooLarge { what, bytes, most }) } else { Ok(()) }
}

fn content(path: &Path) -> Result<Vec<u8>, PackageFault> {
    read(path, LARGEST_FILE).map_err(|why| PackageFault::Unreadable { path: path.to_owned(), why: why.to_string() })
}

/// The files of Node packages: named ones, and those of an ending in a folder.
fn add_modules(modules: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), PackageFault> {
    let wanted: Modules = serde_json::from_str(MODULES)
        .map_err(|why| PackageFault::Unsound { path: "package-files.json".into(), why: why.to_string() })?;
    let mut names = wanted.files;
    for folder in &wanted.folders {
        names.extend(in_folder(modules, folder)?);
    }
    for name in names {
        let path = modules.join(&name);
        let bytes = content(&path)?;
        if machine::of(&bytes) == Machine::Other {
            return Err(PackageFault::OtherMachine { path });
        }
        files.insert(format!("node_modules/{name}"), bytes);
    }
    Ok(())
}

fn in_folder(modules: &Path, folder: &Folder) -> Result<Vec<String>, PackageFault> {
    let path = modules.join(&folder.path);
    let unreadable = |why: std::io::Error| PackageFault::Unreadable { path: path.clone(), why: why.to_string() };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&path).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.ends_with(&folder.ending) {
            found.push(format!("{}/{name}", folder.path));
        }
    }
    found.sort();
    Ok(found)
}

/// The model's files, and what `model.json` says of them.
fn add_model(sources: &Sources<'_>, files: &mut BTreeMap<String, Vec<u8>>) -> Result<PackageInfo, PackageFault> {
    let config = sources.model.join("config.json");
    let unsound = |why: serde_json::Error| PackageFault::Unsound { path: config.clone(), why: why.to_string() };
    let Config { hidden_size } = serde_json::from_slice(&content(&config)?).map_err(unsound)?;
    let mut wanted = vec![(GRAPH, sources.variant.file()), (TOKENS, "tokens.json")];
    if sources.with_static {
        wanted.push((STATIC, "static.bin"));
    }
    let mut known = BTreeMap::new();
    for (key, name) in wanted {
        let bytes = content(&sources.model.join(name))?;
        let path = format!("model/{name}");
        known.insert(key.to_owned(), ModelFile::new(&path, &bytes));
        files.insert(path, bytes);
    }
    known.extend(files.get(LIBRARY).map(|bytes| (RUNTIME.to_owned(), ModelFile::new(LIBRARY, bytes))));
    Ok(PackageInfo::new(sources.name, hidden_size, known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, name: &str, bytes: &[u8]) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }

    /// Folders with everything that a package takes.
    fn folders() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let wanted: Modules = serde_json::from_str(MODULES).expect("the list of files");
        for name in &wanted.files {
            put(folder.path(), &format!("modules/{name}"), name.as_bytes());
        }
        for one in &wanted.folders {
            put(folder.path(), &format!("modules/{}/index{}", one.path, one.ending), b"// code");
            put(folder.path(), &format!("modules/{}/index.d.ts", one.path), b"types");
        }
        put(folder.path(), "modules/onnxruntime-node/bin/napi-v6/darwin/arm64/x.node", b"not taken");
        for (name, text) in [
            ("config.json", r#"{"hidden_size": 8}"#),
            ("model_int8.onnx", "graph"),
            ("tokens.json", "{}"),
            ("static.bin", "AKST"),
        ] {
            put(folder.path(), &format!("model/{name}"), text.as_bytes());
        }
        folder
    }

    fn built(folder: &Path) -> Result<Package, PackageFault> {
        let (model, modules) = (folder.join("model"), folder.join("modules"));
        build(&Sources {
            model: &model,
            name: "tiny",
            variant: PackageVariant::Int8,
            with_static: true,
            modules: &modules,
        })
    }

    #[test]
    fn the_same_files_make_the_same_zip_and_nothing_else_is_in_it() {
        let (one, other) = (folders(), folders());
        let first = built(one.path()).expect("a package");
        assert_eq!(first.archive, built(other.path()).expect("a package").archive);
        let names: Vec<&str> = first.files.keys().map(String::as_str).collect();
        for there in ["index.mjs", "inference/static.mjs", "model.json", "model/model_int8.onnx", "model/static.bin"] {
            assert!(names.contains(&there), "{there}: {names:?}");
        }
        assert!(names.iter().all(|name| !name.contains("darwin") && !name.ends_with(".d.ts")), "{names:?}");
        assert_eq!((first.about.model.as_str(), first.about.dimension), ("tiny", 8));
        assert!(first.about.static_version.is_some() && first.about.version.len() == 64);
    }

    #[test]
    fn a_missing_file_and_a_foreign_program_are_named() {
        let folder = folders();
        let library = "onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1";
        put(folder.path(), &format!("modules/{library}"), &[0xcf, 0xfa, 0xed, 0xfe, 0, 0]);
        let refused = built(folder.path()).expect_err("a program of macOS");
        assert!(
            refused.to_string().contains(library) && matches!(refused, PackageFault::OtherMachine { .. }),
            "{refused}"
        );
        put(folder.path(), &format!("modules/{library}"), b"a library");
        std::fs::remove_file(folder.path().join("model/tokens.json")).expect("it was there");
        let refused = built(folder.path()).expect_err("no tokens");
        assert!(refused.to_string().contains("tokens.json cannot be read"), "{refused}");
        assert!(
            within("the zip", LARGEST_ZIP + 1, LARGEST_ZIP).is_err()
                && within("the zip", LARGEST_ZIP, LARGEST_ZIP).is_ok()
        );
    }
}
