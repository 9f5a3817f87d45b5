//! # The engine: from a plan file to what has to be done, in the order of one `deploy`
//!
//! `resource` is the vocabulary that all modules share. `plan`, `template`, `desired`, `check`, `change` and `export` are
//! synchronous functions over data. `ledger` is the journal and its lease, `observe` and `execute` call the real resources through the
//! traits of `provider`. The AWS SDK, Kubernetes and the command line are not among this crate's dependencies: the providers are
//! crates of their own, the verbs and the printer are in the root package.

#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod resource;

pub mod files;
pub mod plan;
pub mod template;

pub mod desired;

pub mod check;

pub mod ledger;

pub mod observe;

pub mod change;

pub mod execute;

pub mod provider;

pub mod export;
