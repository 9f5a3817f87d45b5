//! What a store says when it does not do as asked.

/// A call of a store that failed. Texts are for people; whoever decides looks at the variant.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StoreFault {
    /// Nothing lies there.
    #[error("{store}: {key} is not there")]
    NotFound {
        /// The store's name.
        store: String,
        /// The object.
        key: String,
    },
    /// Somebody else has written it.
    #[error("{store}: {key} was written by another process at the same time")]
    PreconditionFailed {
        /// The store's name.
        store: String,
        /// The object.
        key: String,
    },
    /// It throttles.
    #[error("{store} slows this client down: {detail}")]
    Throttled {
        /// The store's name.
        store: String,
        /// Its words.
        detail: String,
    },
    /// No answer, a broken one, or one that says that it is down.
    #[error("{store} cannot be reached: {detail}")]
    Unreachable {
        /// The store's name.
        store: String,
        /// What happened.
        detail: String,
    },
    /// It refuses who asks.
    #[error("{store} refuses {key}: {detail}. Check the permissions of this identity on the bucket")]
    Denied {
        /// The store's name.
        store: String,
        /// The object.
        key: String,
        /// Its words.
        detail: String,
    },
    /// No room: the disk is full, or a quota.
    #[error("{store} has no room for {key}: {detail}")]
    Full {
        /// The store's name.
        store: String,
        /// The object.
        key: String,
        /// Its words.
        detail: String,
    },
    /// Anything else that trying again does not change: no such bucket, a wrong region.
    #[error("{store}: {detail}")]
    Other {
        /// The store's name.
        store: String,
        /// Its words.
        detail: String,
    },
}

impl StoreFault {
    /// Whether the same call may succeed later without anybody changing something.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::Unreachable { .. } | Self::Full { .. })
    }

    /// Whether nothing lies there.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether somebody else was first.
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::PreconditionFailed { .. })
    }
}
