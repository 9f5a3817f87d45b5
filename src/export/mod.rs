//! The state in the words of other tools, so that nobody is locked in. Pure: from what the journal remembers, no call.
//!
//! Nothing is dropped silently: what the other tool cannot say is listed in [`Export::notes`] and in the files.

mod bundle;
pub mod cloudformation;
pub mod terraform;

pub use bundle::{Export, File, Item, Note};
