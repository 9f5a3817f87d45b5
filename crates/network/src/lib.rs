//! How this machine reaches others: proxies and certificate authorities, as the AWS CLI reads them. Used for AWS and for the
//! model hub.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod environment;
mod proxy;
mod trust;

pub use environment::Environment;
pub use proxy::{Proxies, Proxy};
pub use trust::{Bundle, system};

use akidb_edge_engine::resource::{Fault, FaultClass, Untrusted};

/// Service of the faults that are found in the configuration of this machine, before any call.
pub const CONFIGURATION: &str = "configuration";

/// A setting of this machine that cannot be used: the code, what is wrong, and what to do.
pub fn wrong(code: &str, problem: impl Into<Untrusted>, next: impl Into<Untrusted>) -> Fault {
    Fault::new(FaultClass::Credentials, CONFIGURATION, "read", code, problem).next(next)
}
