//! What needs the local AWS: verbs, providers, the journal in a bucket, accounts, faults, kills.

mod accounts;
mod adopt;
mod bad_input;
mod deploy;
mod destroy;
mod doctor;
mod drift;
mod errors;
mod export_verb;
mod faults;
mod import;
mod journal;
mod kill;
mod ledger;
mod lock;
#[cfg(feature = "serve")]
mod models;
mod operators;
mod provider_bucket;
mod provider_cloudfront;
mod provider_compute;
mod provider_routing;
mod provider_storage;
mod readme;
#[cfg(feature = "serve")]
mod replicate;
mod report;
mod rollback;
mod route;
mod secrets;
mod signals;
mod state;
mod status;
mod store_refuses;
mod validate;
mod verbosity;
mod verbs;
