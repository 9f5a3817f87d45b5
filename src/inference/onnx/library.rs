//! Where ONNX Runtime's library is, and loading it.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What one gets it from.
pub const HOW_TO_GET: &str = "install it with `pip install onnxruntime==1.31.1` (or onnxruntime-gpu) and set the file \
                              onnxruntime/capi/libonnxruntime.so.1.31.1 in ORT_DYLIB_PATH, or with --onnxruntime \
                              FILE";

/// The loaded library.
#[derive(Clone)]
pub struct OnnxRuntime {
    environment: ort::environment::Environment,
    /// The file it was loaded from.
    pub file: PathBuf,
    /// What it says of itself.
    pub version: String,
}

impl fmt::Debug for OnnxRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("file", &self.file).field("version", &self.version).finish_non_exhaustive()
    }
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum LibraryFault {
    /// No file.
    #[error("ONNX Runtime's library was not found; tried {}", .0.join(", "))]
    NotFound(Vec<String>),
    /// A file that cannot be loaded.
    #[error("{} cannot be loaded as ONNX Runtime: {source}", file.display())]
    Unusable {
        /// Its path.
        file: PathBuf,
        /// What the loader said.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl LibraryFault {
    fn unusable(file: &Path, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unusable { file: file.to_owned(), source: source.into() }
    }
}

/// One for the process: a second load would be another copy.
static LOADED: Mutex<Option<OnnxRuntime>> = Mutex::new(None);

impl OnnxRuntime {
    /// Loads the library: the file that is named, else the first that is found beside the program, in `lib/` beside it, or
    /// where packages put it.
    ///
    /// # Errors
    /// Each place that was looked at, or what the loader said.
    pub fn load(named: Option<&Path>) -> Result<Self, LibraryFault> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*loaded {
            return Ok(runtime.clone());
        }
        let file = find(named)?;
        let environment = ort::init_from(&file)
            .map_err(|why| LibraryFault::unusable(&file, why))?
            .with_name("akidb-edge")
            .with_telemetry(false)
            .build()
            .map_err(|why| LibraryFault::unusable(&file, why))?;
        environment.set_log_level(ort::logging::LogLevel::Error);
        let version = version(&file);
        let runtime = Self { environment, file, version };
        *loaded = Some(runtime.clone());
        Ok(runtime)
    }

    pub(super) fn environment(&self) -> &ort::environment::Environment {
        &self.environment
    }
}

/// The version in its own words: `ORT Build Info: git-branch=…, git-commit-id=…`; the file's name says the number.
fn version(file: &Path) -> String {
    let real = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let name = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match name.split_once(".so.") {
        Some((_, version)) if !version.is_empty() => version.to_owned(),
        _ => ort::info().chars().take(80).collect(),
    }
}

fn find(named: Option<&Path>) -> Result<PathBuf, LibraryFault> {
    if let Some(named) = named {
        let within = if named.is_dir() { newest(named) } else { Some(named.to_owned()) };
        return within
            .filter(|file| file.is_file())
            .ok_or_else(|| LibraryFault::NotFound(vec![named.display().to_string()]));
    }
    let folders = folders();
    folders.iter().find_map(|folder| newest(folder)).ok_or_else(|| {
        LibraryFault::NotFound(folders.iter().map(|folder| folder.join(NAME).display().to_string()).collect())
    })
}

#[cfg(target_os = "macos")]
const NAME: &str = "libonnxruntime.dylib";
#[cfg(not(target_os = "macos"))]
const NAME: &str = "libonnxruntime.so";

fn folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(beside) = std::env::current_exe().ok().as_deref().and_then(Path::parent) {
        folders.extend([beside.to_owned(), beside.join("lib")]);
    }
    let usual = ["/opt/onnxruntime/lib", "/usr/local/lib", "/usr/lib", "/usr/lib64"];
    folders.extend(usual.map(PathBuf::from));
    folders.extend(
        ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"]
            .map(PathBuf::from)
            .into_iter()
            .filter(|path| path.is_dir()),
    );
    folders
}

/// The library in a folder: `libonnxruntime.so`, else the one with the highest number behind it.
fn newest(folder: &Path) -> Option<PathBuf> {
    let plain = folder.join(NAME);
    if plain.is_file() {
        return Some(plain);
    }
    let names = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut versions: Vec<(Vec<u64>, String)> = names
        .filter_map(|name| {
            let version = name.strip_prefix(NAME)?.strip_prefix('.')?.split('.').map(|part| part.parse().ok());
            Some((version.collect::<Option<Vec<u64>>>()?, name.clone()))
        })
        .collect();
    versions.sort();
    versions.pop().map(|(_, name)| folder.join(name))
}
