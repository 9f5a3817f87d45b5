//! One process at a time works on a model. The lock ends with the process, however that ends.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use super::fault::ModelsFault;
use super::name::ModelName;

/// A model that is worked on.
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes it.
    ///
    /// # Errors
    /// When another process has it.
    pub fn take(work: &Path, name: &ModelName) -> Result<Self, ModelsFault> {
        let path = work.join(format!("{name}.lock"));
        let fault = || ModelsFault::file(&path);
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(fault())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut who = String::new();
                // Who holds it is only told when it can be read.
                let _ = file.read_to_string(&mut who);
                return Err(ModelsFault::Busy { name: name.to_string(), process: who.trim().parse().ok() });
            }
            Err(TryLockError::Error(bad)) => return Err(fault()(bad)),
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(fault())?;
        writeln!(file, "{}", std::process::id()).map_err(fault())?;
        Ok(Self { _file: file })
    }
}
