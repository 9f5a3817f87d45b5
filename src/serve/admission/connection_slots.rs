//! What belongs to one connection: its places among those that need no key, so that a single client does not take all of them, and
//! what the certificate calls that its client has shown.

use std::sync::Arc;

use tokio::sync::watch;

use super::slots::Slots;

/// Requests of open addresses of a connection at a time.
const OPEN: usize = 32;
/// Refusals that a connection is told at a time: a client that does not read them takes no more.
pub const REFUSALS: usize = 128;
/// Watches of the health of a connection: a client needs one for each service that it calls.
pub const WATCHES: usize = 8;

/// Places of a connection, and whose it is.
#[derive(Clone, Debug)]
pub struct ConnectionSlots {
    /// The holder of the client's certificate, when one was shown.
    pub holder: Option<Arc<str>>,
    /// Changes when an authority of clients is taken away; nothing where no certificate is asked for.
    pub authorities: Option<watch::Receiver<u64>>,
    /// For requests of open addresses.
    pub open: Slots,
    /// For refusals that are being sent.
    pub refusals: Slots,
    /// For watches of the health.
    pub watches: Slots,
}

impl ConnectionSlots {
    /// All free, and nobody's.
    pub fn new() -> Self {
        Self {
            holder: None,
            authorities: None,
            open: Slots::new(OPEN),
            refusals: Slots::new(REFUSALS),
            watches: Slots::new(WATCHES),
        }
    }
}

impl Default for ConnectionSlots {
    fn default() -> Self {
        Self::new()
    }
}
