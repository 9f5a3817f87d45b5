//! # akidb-edge
//!
//! One engine for everything that a plan file can describe. The pipeline of a `deploy`, module by module:
//!
//! ```text
//!  plan file                                            templates
//!      |                                                    |
//!  [1] plan ----------> Plan                                v
//!  [2] desired -------> Desired, Artifacts  <---------- template
//!      check                (what AWS would refuse, before the first call)
//!  [3] ledger --------> StackState, under a lease
//!  [4] observe -------> Observed             reads the real resources
//!  [5] change --------> Changes              --> report shows them, the user confirms
//!  [6] execute -------> RunOutcome           every call is in the journal before it is sent, its result after it
//!      [7] provider     the only place that changes real resources
//!      [8] report       terminal, tables, JSON, pages
//! ```
//!
//! Outside of this pipeline: `export` writes the state as Terraform and CloudFormation. `inference` and `serve` are the embedding
//! server; `models` is the model store of this machine and downloads models from a hub; `delivery` transfers model files by hash.
//! `edge` builds the package of the function at the edge and certifies its vectors. `measure` sends requests by schedule and
//! evaluates their durations.
//!
//! `resource` is the vocabulary that all modules share; it calls nothing. Plan, desired, check and change are pure and
//! synchronous and are tested as text. A verb in `commands` calls the modules in this order and returns an exit code.
//! `ARCHITECTURE.md` lists the allowed dependencies of each module, and the reasons.

// print! and eprint! panic when the reader is gone; `report::put` and `report::say` do not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub use akidb_edge_engine::{
    change, check, desired, execute, export, files, ledger, observe, plan, resource, template,
};

pub use akidb_edge_delivery as delivery;
pub use akidb_edge_measure as measure;

#[cfg(feature = "serve")]
pub use akidb_edge_replica as replica;

pub mod edge;

pub mod provider;

pub mod report;

#[cfg(feature = "serve")]
pub mod inference;

#[cfg(feature = "serve")]
pub mod models;

#[cfg(feature = "serve")]
pub mod serve;

pub mod cli;
pub mod commands;
pub mod exit;
pub mod interrupts;
pub mod renames;
pub mod session;
