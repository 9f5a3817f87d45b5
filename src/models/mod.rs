//! The models on this machine: a store of folders, and the hub that they come from.
//!
//! ```text
//!  STORE/NAME/                a model: the layout of sentence-transformers, and `akidb-model.json`, its manifest
//!  STORE/.work/NAME.lock      who is at work on it
//!  STORE/.work/NAME/parts/    what came so far, each file under its hash; `.partial` until it is whole and right
//!  STORE/.work/NAME/folder/   the new folder: it becomes STORE/NAME by one rename, when all is right
//!  STORE/.work/NAME/old/      the folder before it, for the moment between two renames
//!  STORE/.versions/NAME/      versions that model sync of a server brought: they are served before STORE/NAME
//! ```
//!
//! A file counts only after it was read back from the disk and its hash was right. Names that come from a server are
//! compared with a list of what a model consists of; nothing else is written.

pub mod check;
mod containment;
pub mod event;
pub mod fault;
pub mod hub;
pub mod import;
mod install;
pub mod list;
mod lock;
pub mod name;
pub mod publish;
pub mod pull;
pub mod remove;
pub mod selection;
pub mod store;
pub mod verify;
mod vocabulary;

pub use crate::delivery::{digest, manifest};
pub use event::ModelEvent;
pub use fault::ModelsFault;
pub use store::ModelStore;
