//! The vocabulary: addresses, the graph, actions, events, faults and one typed spec per kind.
//!
//! Every room looks here; this room looks at no one and calls no one.

mod address;
pub mod answer;
mod artefact;
mod change;
mod drift;
mod event;
mod fault;
mod graph;
mod identity;
mod kind;
mod mark;
pub mod moves;
mod observed;
mod outcome;
mod reference;
mod remembered;

pub mod account;
pub mod bucket;
pub mod bucket_policy;
pub mod cache_policy;
pub mod certificate;
pub mod distribution;
pub mod file;
pub mod function;
pub mod function_version;
pub mod health_check;
pub mod host;
pub mod image;
pub mod jetpack;
pub mod load_balancer;
pub mod manifest;
pub mod monitoring;
pub mod node;
pub mod object;
pub mod origin_access;
pub mod origin_request_policy;
pub mod packages;
pub mod places;
pub mod power_mode;
pub mod records;
pub mod replication;
pub mod response_headers_policy;
pub mod role;
pub mod service;
pub mod untrusted;
pub mod zone;

pub use address::{Address, BadAddress, is_name};
pub use artefact::{Artefacts, Source, sha256_hex};
pub use change::{Action, Change, Changes, FieldChange, MovedFrom, Risk};
pub use drift::{DriftField, Drifted, Happened, Remedy, Said, Sort};
pub use event::{Event, Listener, Silent};
pub use fault::{Class, Fault};
pub use graph::{Desired, Level, Resource};
pub use identity::{identity, identity_paths};
pub use kind::{Facts, Kind};
pub use mark::{ADDRESS_TAG, IMPORTED, IMPORTED_METADATA, ORIGIN_TAG, STACK_TAG, comment, marked, token};
pub use moves::{MadeAt, Moves, SetMove};
pub use observed::{ACCEPTED_EXTRAS, Extra, Found, Observed, Owned, Owner, TAKEN_IN, known};
pub use outcome::{Done, Outcome};
pub use reference::{ACCOUNT, Attributes, has_references, link, references, resolve};
pub(crate) use remembered::unite;
pub use remembered::{Ending, Leftover, Origin, Record, Remembered, RunSummary, Standing};
pub use untrusted::{Unfit, Untrusted};
