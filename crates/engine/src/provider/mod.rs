//! [7] The only place that changes real resources: one provider for each kind, behind one trait.

pub mod cluster;
pub mod retry;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use self::retry::RetryPolicy;
use crate::resource::{
    Address, Attributes, Fault, FaultClass, FieldChange, Kind, Level, ObservedResource, OwnedResource, Preview,
    TAKEN_IN, Untrusted, syntax_check,
};

/// What a call is about. The spec has no open references, except in [`Provider::read`] of things that do not exist yet.
#[derive(Clone, Copy, Debug)]
pub struct ResourceContext<'a> {
    /// Name of the stack.
    pub stack: &'a str,
    /// Its address.
    pub address: &'a Address,
    /// Idempotency token of this generation: caller references and client tokens are made of it.
    pub token: &'a str,
    /// The settings.
    pub spec: &'a Value,
    /// What the service calls it, when that is known.
    pub id: Option<&'a str>,
    /// What it made known before.
    pub attributes: &'a Attributes,
    /// The settings that an earlier run asked for, resolved as far as they are known: what they state and `spec` does not
    /// goes back to the service's default. None for what no run has made yet.
    pub before: Option<&'a Value>,
    /// The address under which it was made, when the plan has moved it since: its marks may still name that one.
    pub former: Option<&'a Address>,
    /// Read everything that the service shows of it, also what neither `spec` nor `before` states (`status --drift`).
    pub thorough: bool,
    /// In this very run it was looked for and not there, and no call to make it has gone out since: a create need not
    /// look once more.
    pub seen_absent: bool,
}

impl ResourceContext<'_> {
    /// Whether it existed before this stack took it in: its mark says so.
    pub fn is_imported(&self) -> bool {
        self.attributes.get(TAKEN_IN) == Some(&Value::Bool(true))
    }

    /// The typed spec.
    ///
    /// # Errors
    /// When the spec is not of its kind's shape: a program error, or a state written by a newer version. When its region, or the
    /// one that an earlier run asked for, is not the name of a region: a client for it cannot be made.
    pub fn typed<S: serde::de::DeserializeOwned>(&self) -> Result<S, Fault> {
        self.need_regions()?;
        S::deserialize(self.spec).map_err(|bad| {
            Fault::unexpected("akidb-edge", "spec", format!("the settings of {} do not fit: {bad}", self.address))
        })
    }

    /// Refuses a region that is not the name of one, and says where it stands: a plan was checked before, a journal was not.
    fn need_regions(&self) -> Result<(), Fault> {
        let region = |settings: &Value| settings.get("region").and_then(Value::as_str).map(str::to_owned);
        let (now, before) = (region(self.spec), self.before.and_then(region));
        for (name, in_journal) in [(&before, true), (&now, before == now)] {
            if let Some(name) = name.as_deref().filter(|name| !syntax_check::region(name)) {
                return Err(self.not_a_region(name, in_journal));
            }
        }
        Ok(())
    }

    fn not_a_region(&self, name: &str, in_journal: bool) -> Fault {
        let name: String = name.chars().take(64).collect();
        let place = if in_journal { "the journal" } else { "the plan, or the journal for what the plan does not name" };
        let problem =
            format!("the region of {} in {place} is {name:?}, which is not the name of an AWS region", self.address);
        Fault::new(FaultClass::Refused, "akidb-edge", "spec", "InvalidRegion", problem).next(format!(
            "{} in the plan; if it is in the journal, restore an undamaged copy: akidb-edge state push FILE --stack \
             {} --force",
            syntax_check::REGION,
            self.stack
        ))
    }
}

/// What a listing of the stack's own things is to look for.
#[derive(Clone, Copy, Debug)]
pub struct OwnedQuery<'a> {
    /// Name of the stack.
    pub stack: &'a str,
    /// The regions that it lives in.
    pub regions: &'a BTreeSet<String>,
    /// Ids of this kind that are known already: they need no look.
    pub known: &'a BTreeSet<String>,
}

/// What a create or update answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// What the service calls it.
    pub id: String,
    /// What it makes known now.
    pub attributes: Attributes,
}

/// What a delete answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeleteOutcome {
    /// It is gone (or was already).
    Deleted,
    /// It will not go yet: a later run tries again.
    Deferred(Untrusted),
}

/// One look at something that takes its time.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// It has come as far as was asked; newly known attributes.
    Ready(Attributes),
    /// Not yet: the service's word for it, and when to look again at the earliest.
    NotYet(Untrusted, Duration),
}

/// Reads, makes, changes and removes one kind of resource. Calls are single tries: retries, waits, order and journal
/// belong to the engine. Every method may be called again after a lost answer.
#[async_trait]
pub trait Provider: Send + Sync {
    /// What exists: by id when it is known, else by its deterministic name, token or tags. `None` when absent.
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault>;

    /// Makes it. When it exists already and is ours, answers as if it had just been made; when it is somebody else's,
    /// a fault of class [`Exists`](crate::resource::FaultClass::Exists).
    async fn create(&self, subject: &ResourceContext<'_>) -> Result<Applied, Fault>;

    /// Changes it in place. No fields, no requests.
    async fn update(
        &self,
        subject: &ResourceContext<'_>,
        found: &ObservedResource,
        fields: &[FieldChange],
    ) -> Result<Applied, Fault>;

    /// What an update of what was found to these settings would do, without changing anything: asked before the difference is
    /// shown. The default: nothing is known beforehand.
    async fn preview(&self, _subject: &ResourceContext<'_>, _found: &ObservedResource) -> Result<Preview, Fault> {
        Ok(Preview::default())
    }

    /// Deletes what was found and makes it again under its name: a preview said that it cannot be changed in place, and the user
    /// has seen that.
    async fn recreate(&self, subject: &ResourceContext<'_>, _found: &ObservedResource) -> Result<Applied, Fault> {
        let words = format!("{} is of a kind that is never made again under its name", subject.address);
        Err(Fault::unexpected("akidb-edge", "recreate", words))
    }

    /// Removes it; absent already is success.
    async fn delete(&self, subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault>;

    /// Looks once whether it has come as far as `level`. The default: as soon as it is made, it is everything.
    async fn settled(&self, _subject: &ResourceContext<'_>, _level: Level) -> Result<Progress, Fault> {
        Ok(Progress::Ready(Attributes::new()))
    }

    /// What is tagged as the stack's and is not known: as few calls as the service allows. Nothing, for kinds that cannot
    /// be listed by their mark or go with another.
    async fn list_owned(&self, _search: &OwnedQuery<'_>) -> Result<Vec<OwnedResource>, Fault> {
        Ok(Vec::new())
    }

    /// What is left in it once the objects (of a zone: the record sets; of an object of a cluster: the objects, by
    /// [`object_key`](crate::resource::manifest::object_key)) with the keys `going` are gone, in words: it is lost with
    /// it, or keeps the service from deleting it. None for what holds no data.
    async fn data(&self, _subject: &ResourceContext<'_>, _going: &BTreeSet<String>) -> Result<Option<String>, Fault> {
        Ok(None)
    }

    /// Removes the data in it, or gives it up, so that it can be deleted. Only on the user's explicit word.
    async fn empty(&self, _subject: &ResourceContext<'_>) -> Result<(), Fault> {
        Ok(())
    }
}

/// Says whether something may be sent now, or why not: asked before every request of a run that holds a lease.
pub type SendPermission = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// The provider of each kind, and how patiently they are asked.
#[derive(Clone, Default)]
pub struct Providers {
    table: BTreeMap<Kind, Arc<dyn Provider>>,
    /// How long a service in trouble is tried.
    retry_policy: RetryPolicy,
    /// The same for kinds of other platforms.
    of_others: BTreeMap<Kind, RetryPolicy>,
}

impl Providers {
    /// The same with this retry policy.
    #[must_use]
    pub fn with_retry_policy(self, retry_policy: RetryPolicy) -> Self {
        Self { retry_policy, ..self }
    }

    /// The same with the providers of another platform, which keep their own retry policy.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        let own = other.table.keys().map(|kind| (*kind, other.retry_policy.clone()));
        self.of_others.extend(own);
        self.of_others.extend(other.of_others);
        self.table.extend(other.table);
        self
    }

    /// How long the service of a kind is tried when it is in trouble.
    pub fn retry_policy_of(&self, kind: Kind) -> &RetryPolicy {
        self.of_others.get(&kind).unwrap_or(&self.retry_policy)
    }

    /// Puts a provider in the table.
    #[must_use]
    pub fn with(mut self, kind: Kind, provider: Arc<dyn Provider>) -> Self {
        self.table.insert(kind, provider);
        self
    }

    /// Every provider with its kind.
    pub fn all(&self) -> impl Iterator<Item = (Kind, &Arc<dyn Provider>)> {
        self.table.iter().map(|(kind, provider)| (*kind, provider))
    }

    /// The provider of a kind.
    ///
    /// # Errors
    /// When this build has none for it.
    pub fn of(&self, kind: Kind) -> Result<&Arc<dyn Provider>, Fault> {
        self.table.get(&kind).ok_or_else(|| {
            Fault::unexpected("akidb-edge", "provider", format!("this build has no provider for kind {}", kind.name()))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::bucket_policy::BucketPolicySpec;

    /// A journal that somebody edited: whatever reads the settings says so, before a client of the SDK would panic.
    #[test]
    fn a_region_that_is_none_is_refused_with_its_place() {
        let address: Address = "storage.bucket-policy.site".parse().expect("an address");
        let attributes = Attributes::new();
        let spec = |region: &str| json!({"bucket": "b", "region": region, "policy": {}});
        let (good, bad) = (spec("us-east-1"), spec("us-east-1\u{1}"));
        let read = |spec: &Value, before: Option<&Value>| {
            let (id, former, token) = (None, None, "");
            let (thorough, seen_absent, stack) = (false, false, "akidb");
            let attributes = &attributes;
            ResourceContext {
                stack,
                address: &address,
                token,
                spec,
                id,
                attributes,
                before,
                former,
                thorough,
                seen_absent,
            }
            .typed::<BucketPolicySpec>()
            .map(|spec| spec.region)
        };
        assert_eq!(read(&good, None), Ok("us-east-1".to_owned()));
        assert_eq!(read(&good, Some(&good)), Ok("us-east-1".to_owned()));
        for (spec, before, place) in [
            (&bad, Some(&bad), "in the journal is"),
            (&good, Some(&bad), "in the journal is"),
            (&bad, None, "in the plan, or"),
        ] {
            let fault = read(spec, before).expect_err("it is not a region");
            assert!(fault.class == FaultClass::Refused && fault.code == "InvalidRegion", "{fault}");
            let said = fault.to_string();
            assert!(said.contains("storage.bucket-policy.site") && said.contains(place), "{said}");
            assert!(!said.contains('\u{1}'), "{said}");
        }
    }
}
