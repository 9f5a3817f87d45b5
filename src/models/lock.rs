//! A lock for one process per model. The lock ends with the process.

use std::path::Path;

use super::fault::ModelsFault;
use super::name::ModelName;
use crate::delivery::lock::{self, LockFault};

/// A model that is worked on.
pub struct ModelLock {
    _lock: lock::Lock,
}

impl ModelLock {
    /// Takes it.
    ///
    /// # Errors
    /// When another process has it.
    pub fn take(work: &Path, name: &ModelName) -> Result<Self, ModelsFault> {
        let taken = lock::Lock::take(&work.join(format!("{name}.lock"))).map_err(|fault| match fault {
            LockFault::Busy { process } => ModelsFault::Busy { name: name.to_string(), process },
            LockFault::File(fault) => fault.into(),
        });
        Ok(Self { _lock: taken? })
    }
}
