//! The vocabulary: addresses, the graph, actions, events, faults and one typed spec per kind.
//!
//! Every module uses this one; it uses no other module and calls nothing.

mod address;
mod artifact;
mod change;
pub mod dns_answer;
mod drift;
mod event;
mod fault;
mod graph;
mod id_form;
mod identity;
mod imported;
mod kind;
mod kind_facts;
mod mark;
mod marked_up;
pub mod moves;
mod naming;
pub mod needs;
mod observed;
mod outcome;
mod platforms;
mod preview;
mod purpose;
mod reference;
mod safe_text;
mod stack_state;

pub mod account;
pub mod bucket;
pub mod bucket_policy;
pub mod cache_policy;
pub mod certificate;
pub mod cluster;
pub mod distribution;
pub mod file;
pub mod function;
pub mod function_version;
pub mod health_check;
pub mod host;
pub mod image;
pub mod jetpack;
pub mod literal_secret;
pub mod load_balancer;
pub mod manifest;
pub mod model_layout;
pub mod monitoring;
pub mod node;
pub mod object;
pub mod origin_access;
pub mod origin_request_policy;
pub mod packages;
pub mod places;
pub mod power_mode;
pub mod queue;
pub mod records;
pub mod replication;
pub mod response_headers_policy;
pub mod role;
pub mod sensitive;
pub mod service;
pub mod syntax_check;
pub mod untrusted;
pub mod zone;

pub use address::{Address, InvalidAddress, is_name};
pub use artifact::{ArtifactSource, Artifacts, sha256_hex};
pub use change::{Action, Change, Changes, FieldChange, PreviousAddress, Risk};
pub use drift::{DriftField, DriftKind, DriftedResource, FieldOrigin, PlannedValue, Remedy};
pub use event::{Event, EventListener, SilentListener};
pub use fault::{Fault, FaultClass};
pub use graph::{Desired, Level, Resource};
pub use id_form::IdForm;
pub use identity::{identity, identity_paths};
pub use imported::{IMPORTED_SETTINGS, counterpart, in_both, without_empty_lists};
pub use kind::Kind;
pub(crate) use kind::each_kind;
pub use kind_facts::{ApiGroup, ApiRow, KindFacts, NO_MEMBER, Platform};
pub use mark::{ADDRESS_TAG, IMPORTED, IMPORTED_METADATA, ORIGIN_TAG, STACK_TAG, comment, marked, token};
pub use marked_up::{Markdown, ToMarkdown, md};
pub use moves::{CreatedAddress, Moves, SetMove};
pub use naming::Naming;
pub use observed::{
    ACCEPTED_EXTRAS, Observed, ObservedResource, OwnedResource, Owner, TAKEN_IN, UnmanagedField, known,
};
pub use outcome::{CompletedStep, RunOutcome};
pub use platforms::PlatformIdentity;
pub use preview::{Expected, Preview};
pub use purpose::RunPurpose;
pub use reference::{ACCOUNT, Attributes, has_references, is_reference, link, references, resolve};
pub use safe_text::{SafeText, ToSafeText, counted, shown};
pub(crate) use stack_state::unite;
pub use stack_state::{
    PendingDeletion, ResourceOrigin, ResourceRecord, ResourceStatus, RunStatus, RunSummary, StackState,
};
pub use syntax_check::{CheckedSettings, InvalidSetting};
pub use untrusted::{RejectedText, Untrusted};
