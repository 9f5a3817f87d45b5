//! Events while files are transferred.

use std::time::Duration;

/// Something happened.
#[derive(Clone, Debug)]
pub enum ModelEvent<'a> {
    /// A file begins to come, from this byte on.
    Begun {
        /// Its path.
        file: &'a str,
        /// Bytes of the whole.
        size: u64,
        /// Bytes that are here already.
        here: u64,
    },
    /// So many bytes are here now.
    Moved {
        /// Its path.
        file: &'a str,
        /// Bytes that are here.
        here: u64,
    },
    /// It did not come; it is asked for again.
    Retrying {
        /// Its path, or what was asked.
        file: &'a str,
        /// Which try comes next.
        attempt: u32,
        /// After this pause.
        after: Duration,
        /// Why.
        why: &'a str,
    },
    /// It is whole, and its hash is right.
    Right {
        /// Its path.
        file: &'a str,
        /// Bytes of the whole.
        size: u64,
    },
    /// Something to say that is not a fault.
    Remark(&'a str),
}

/// Who is told.
pub type ModelListener<'l> = &'l (dyn Fn(&ModelEvent<'_>) + Sync);
