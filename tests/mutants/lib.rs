//! The pure rooms of akidb-edge and the executor, without AWS, devices, verbs and the server: a mutant of them is compiled in seconds.
//! `tests/mutants/run` puts this in the place of `src/lib.rs`, in a copy of the sources.

pub mod change;
pub mod check;
pub mod desired;
pub mod execute;
pub mod files;
pub mod ledger;
pub mod observe;
pub mod plan;
pub mod provider;
pub mod resource;
pub mod template;
