//! Takes a model out of the store.

use std::fs;

use super::check;
use super::fault::ModelsFault;
use super::manifest::FILE;
use super::name::ModelName;
use super::place::Work;
use super::store::Store;
use super::verify::files;

/// What would go.
#[derive(Clone, Debug)]
pub struct Removal {
    /// How many files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Looks at what would go.
///
/// # Errors
/// When there is nothing of that name, or it is not a model.
pub fn look(store: &Store, name: &ModelName) -> Result<Removal, ModelsFault> {
    let folder = store.folder(name);
    let refused = |why: &str| ModelsFault::Foreign { path: folder.display().to_string(), why: why.to_owned() };
    let place = match fs::symlink_metadata(&folder) {
        Ok(facts) if facts.is_symlink() => return Err(refused("it is a link")),
        Ok(facts) if !facts.is_dir() => return Err(refused("it is a file")),
        Ok(_) if folder.join(FILE).is_file() => folder,
        Ok(_) => match check::folder(&folder) {
            Ok(_) => folder,
            Err(_) => return Err(refused("it is no model: it has neither a manifest nor what a model consists of")),
        },
        Err(_) => {
            Some(store.work().join(name.as_str())).filter(|place| place.is_dir()).ok_or_else(|| store.unknown(name))?
        }
    };
    let all = files(&place)?;
    let bytes = all.iter().filter_map(|file| fs::metadata(place.join(file)).ok()).map(|facts| facts.len()).sum();
    Ok(Removal { files: all.len(), bytes })
}

/// Takes it away, and what was fetched of it so far.
///
/// # Errors
/// When it is not a model, another process works on it, or the disk refuses.
pub fn remove(store: &Store, name: &ModelName) -> Result<Removal, ModelsFault> {
    look(store, name)?;
    let work = Work::begin(store, name)?;
    let removal = look(store, name)?;
    work.take_away()?;
    Ok(removal)
}
