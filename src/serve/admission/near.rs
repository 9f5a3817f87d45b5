//! The places of one connection among those that need no key, so that a single client does not take all of them.

use super::slots::Slots;

/// Requests of open addresses of a connection at a time.
const OPEN: usize = 32;
/// Refusals that a connection is told at a time: a client that does not read them takes no more.
pub const REFUSALS: usize = 128;
/// Watches of the health of a connection: a client needs one for each service that it calls.
pub const WATCHES: usize = 8;

/// Places of a connection.
#[derive(Clone, Debug)]
pub struct Near {
    /// For requests of open addresses.
    pub open: Slots,
    /// For refusals that are being sent.
    pub refusals: Slots,
    /// For watches of the health.
    pub watches: Slots,
}

impl Near {
    /// All free.
    pub fn new() -> Self {
        Self { open: Slots::new(OPEN), refusals: Slots::new(REFUSALS), watches: Slots::new(WATCHES) }
    }
}

impl Default for Near {
    fn default() -> Self {
        Self::new()
    }
}
