//! # Replica: SQLite databases that are copied elsewhere, and prove that the copy is right
//!
//! ```text
//!  primary (SQLite, WAL) --> publish: frames of the WAL, or a checked snapshot --> LTX objects, each with a signed proof
//!                                                                                     |  in the bucket of every region
//!       restore, verify, status  <--------------------------------------------------- + --> `latest`, moved by conditional write
//!                                                                                     |
//!                                        follow: proof, hash, Merkle root, check --> pages within one transaction of SQLite
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | `store` | what an object store has to do ([`ObjectStore`]), its faults, and one in a folder |
//! | `publish` | [`Publisher`]: once, at a period, or continuously; to many targets at once |
//! | `follow` | [`Follower`]: keeps a replica up to date beneath readers that have it open |
//! | `restore` | a database as it was at a transaction or at a time |
//! | `verify` | replays the newest chain, and sends a sentinel through it: good, bad or inconclusive |
//! | `status` | what lies in a bucket, how old it is, and what it costs |
//! | `control` | the lease of the one primary; pause and resume |
//! | `registry` | the tables of models, tenants and collections in the primary's database, with their migrations |
//! | `trust` | keys: who signs, and whom a reader believes |
//! | `metrics` | numbers for a caller to print |
//!
//! The format is LTX version 3, in the layout of Litestream 0.5: its `restore` reads what is written here, and what it writes is read
//! here. No SDK and no HTTP client: whoever uses this crate brings the store. SQLite blocks, so everything that touches it runs on
//! the blocking threads of tokio.

#![forbid(unsafe_code)]
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod calls;
mod chain;
pub mod control;
mod fetch;
pub mod follow;
mod head;
mod image;
mod ltx;
mod merkle;
pub mod metrics;
mod primary;
mod proof;
pub mod publish;
pub mod registry;
pub mod restore;
pub mod status;
pub mod store;
pub mod trust;
pub mod txid;
pub mod verify;
mod wal;

pub use follow::{FollowFault, FollowOptions, Follower, Position};
pub use publish::{Observer, PublishEvent, PublishFault, PublishOptions, PublishTarget, Publisher, Retention};
pub use restore::{RestoreFault, RestoreOptions, RestorePlan, RestorePoint, Restored};
pub use status::Status;
pub use store::{FolderStore, ObjectStore, StoreFault};
pub use trust::{PublicKey, SigningKey, Trust};
pub use txid::Txid;
pub use verify::{Sentinel, VerifyOptions, VerifyOutcome, VerifyReport};
