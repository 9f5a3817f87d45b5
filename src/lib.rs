//! # akidb-edge: the map
//!
//! One engine for everything that a plan file may ask for. The walk of one `deploy`, room by room:
//!
//! ```text
//!  plan file                                            templates
//!      |                                                    |
//!  [1] plan ----------> Plan                                v
//!  [2] desired -------> Desired, Artifacts  <---------- template
//!      check                (what AWS would refuse, before the first call)
//!  [3] ledger --------> StackState, under a lease
//!  [4] observe -------> Observed             the only reading of the real resources
//!  [5] change --------> Changes              --> report shows, a person says yes
//!  [6] execute -------> RunOutcome           every call announced in the journal before, answered after
//!      [7] provider     the only place that changes real resources
//!      [8] report       terminal, tables, JSON, pages
//! ```
//!
//! Beside the walk, `export` says the state in the words of Terraform and CloudFormation. `inference` and `serve` are the
//! embedding server; `models` keeps the models of this machine and fetches them from a hub; `delivery` brings
//! their bytes by hash. `edge` makes the package of the function at the edge and the certificate of its vectors.
//! their bytes by hash. `measure` sends requests on a clock and says what their times allow to say.
//!
//! `resource` is the vocabulary that all rooms share; it calls no one. Plan, desired, check and change are pure and
//! synchronous and are tested as text. A verb in `commands` calls the rooms in this order and returns an exit code.
//! `ARCHITECTURE.md` says who may look at whom and why.

// They end the process when nobody reads: `report::put` and `report::say` do not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub use akidb_edge_engine::{
    change, check, desired, execute, export, files, ledger, observe, plan, resource, template,
};

pub use akidb_edge_delivery as delivery;
pub use akidb_edge_measure as measure;

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
pub mod session;
