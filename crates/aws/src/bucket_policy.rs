//! S3 bucket policies. Our statements are told from those of others by their `Sid`, else by being equal; the policy's `Id`
//! is tagged as the stack's, and the plan does not state it.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::bucket::home;
use super::fault::{optional, taken};
use super::statements::{is_among, is_same, merged, spell, statements};
use super::{Clients, fault_of};
use crate::permissions::{Grant, context};
use crate::provider::{Applied, DeleteOutcome, Provider, ResourceContext};
use crate::resource::bucket_policy::BucketPolicySpec;
use crate::resource::{Attributes, Fault, FieldChange, ObservedResource, Owner, UnmanagedField, comment};

/// What its calls need.
pub const GRANTS: &[Grant] = &[Grant {
    sid: "BucketPolicies",
    on: context::bucket_of,
    actions: &["s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy"],
}];

/// Policies of the account's buckets.
pub struct BucketPolicies {
    clients: Arc<Clients>,
}

impl BucketPolicies {
    /// Bucket policies reached by `clients`.
    pub fn new(clients: &Arc<Clients>) -> Self {
        Self { clients: Arc::clone(clients) }
    }
}

#[async_trait]
impl Provider for BucketPolicies {
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault> {
        let wanted: BucketPolicySpec = subject.typed()?;
        let region = home(subject, "bucket", wanted.region.clone());
        let Some(held) = self.held(&BucketPolicySpec { region, ..wanted.clone() }).await? else { return Ok(None) };
        if subject.id.is_none() && has_room(&wanted, &held) {
            return Ok(None);
        }
        found(subject, &wanted, held).map(Some)
    }

    async fn create(&self, subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        let spec: BucketPolicySpec = subject.typed()?;
        // S3 replaces a policy without a word, so it is looked at first: statements of others stay beside ours.
        let held = self.held(&spec).await?;
        let occupied = held.as_ref().filter(|held| !has_room(&spec, held));
        if let Some(Owner::Foreign(whose)) = occupied.map(|held| owner(subject, held)) {
            let moved = subject.former.is_some_and(|address| {
                held.as_ref().is_some_and(|held| owner(&ResourceContext { address, ..*subject }, held) == Owner::Ours)
            });
            if !moved {
                let what = format!("a policy of bucket {}", spec.bucket);
                return Err(taken("s3", "PutBucketPolicy", "PolicyExists", &what, &whose, subject.address));
            }
        }
        self.put(subject, spec, held).await
    }

    async fn update(
        &self,
        subject: &ResourceContext<'_>,
        found: &ObservedResource,
        fields: &[FieldChange],
    ) -> Result<Applied, Fault> {
        if fields.is_empty() && found.owner == Owner::Ours {
            return Ok(Applied { id: found.id.clone(), attributes: found.attributes.clone() });
        }
        let spec: BucketPolicySpec = subject.typed()?;
        let held = self.held(&spec).await?;
        self.put(subject, spec, held).await
    }

    async fn delete(&self, subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault> {
        let spec: BucketPolicySpec = subject.typed()?;
        let Some(mut held) = self.held(&spec).await? else { return Ok(DeleteOutcome::Deleted) };
        let ours = known(&spec, None);
        let others: Vec<Value> = statements(&held).into_iter().filter(|one| !is_among(&ours, one)).collect();
        if others.is_empty() {
            let answer = self.clients.s3(&spec.region)?.delete_bucket_policy().bucket(&spec.bucket).send().await;
            optional(answer.map_err(|bad| fault_of("s3", "DeleteBucketPolicy", bad)))?;
            return Ok(DeleteOutcome::Deleted);
        }
        let marked = owner(subject, &held) == Owner::Ours;
        if others.len() == statements(&held).len() && !marked {
            return Ok(DeleteOutcome::Deleted);
        }
        if let Some(fields) = held.as_object_mut() {
            fields.insert("Statement".to_owned(), others.into());
            if marked {
                fields.remove("Id");
            }
        }
        optional(self.write(&spec, &held).await)?;
        Ok(DeleteOutcome::Deleted)
    }
}

impl BucketPolicies {
    async fn held(&self, spec: &BucketPolicySpec) -> Result<Option<Value>, Fault> {
        let answer = self.clients.s3(&spec.region)?.get_bucket_policy().bucket(&spec.bucket).send().await;
        let answer = optional(answer.map_err(|bad| fault_of("s3", "GetBucketPolicy", bad)))?;
        // A policy that is not JSON stays text, so that it differs from the plan.
        let parsed = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(answer.and_then(|answer| answer.policy).map(parsed))
    }

    async fn put(
        &self,
        subject: &ResourceContext<'_>,
        spec: BucketPolicySpec,
        held: Option<Value>,
    ) -> Result<Applied, Fault> {
        let mut policy = spec.policy.clone();
        let merged = merged(&statements(&policy), &known(&spec, before(subject).as_ref()), held.as_ref());
        if let Some(fields) = policy.as_object_mut() {
            fields.insert("Id".to_owned(), comment(subject.stack, subject.address).into());
            fields.insert("Statement".to_owned(), merged.into());
        }
        self.write(&spec, &policy).await?;
        Ok(Applied { id: spec.bucket, attributes: Attributes::new() })
    }

    async fn write(&self, spec: &BucketPolicySpec, policy: &Value) -> Result<(), Fault> {
        let call = self.clients.s3(&spec.region)?.put_bucket_policy().bucket(&spec.bucket).policy(policy.to_string());
        call.send().await.map(drop).map_err(|bad| fault_of("s3", "PutBucketPolicy", bad))
    }
}

/// What an earlier run asked for, as far as this version can read it.
fn before(subject: &ResourceContext<'_>) -> Option<BucketPolicySpec> {
    subject.before.and_then(|before| serde_json::from_value(before.clone()).ok())
}

/// Whether a policy of others has nothing of ours and no `Id`, so that our statements and mark can be next to theirs.
fn has_room(spec: &BucketPolicySpec, held: &Value) -> bool {
    let ours = known(spec, None);
    held.is_object() && held.get("Id").is_none() && !statements(held).iter().any(|one| is_among(&ours, one))
}

/// The statements that this plan or an earlier run asked for.
fn known(spec: &BucketPolicySpec, before: Option<&BucketPolicySpec>) -> Vec<Value> {
    let then = before.map(|before| statements(&before.policy)).unwrap_or_default();
    statements(&spec.policy).into_iter().chain(then).collect()
}

fn owner(subject: &ResourceContext<'_>, policy: &Value) -> Owner {
    let mark = comment(subject.stack, subject.address);
    match policy.get("Id").and_then(Value::as_str) {
        Some(id) if id == mark => Owner::Ours,
        Some(id) => Owner::Foreign(format!("its Id is {id:?}")),
        None => Owner::Foreign("it has no Id of this tool".to_owned()),
    }
}

/// Our part of the policy, in the plan's order and without the mark; statements of others are extras.
fn found(
    subject: &ResourceContext<'_>,
    wanted: &BucketPolicySpec,
    mut policy: Value,
) -> Result<ObservedResource, Fault> {
    let owner = owner(subject, &policy);
    let known = known(wanted, before(subject).as_ref());
    let (mut ours, others): (Vec<Value>, Vec<Value>) =
        statements(&policy).into_iter().partition(|one| is_among(&known, one));
    ours.sort_by_key(|one| known.iter().position(|known| is_same(known, one)));
    spell(&mut ours, &statements(&wanted.policy));
    let extras = others.into_iter().enumerate().map(|(at, value)| {
        let name = value.get("Sid").and_then(Value::as_str).map_or_else(|| at.to_string(), str::to_owned);
        UnmanagedField { path: format!("policy.Statement.{name}"), value, theirs: true }
    });
    let extras = extras.collect();
    if let Some(fields) = policy.as_object_mut() {
        fields.remove("Id");
        if let Some(own) = wanted.policy.get("Id") {
            fields.insert("Id".to_owned(), own.clone());
        }
        let bare = wanted.policy.get("Statement").is_some_and(Value::is_object) && ours.len() == 1;
        fields.insert("Statement".to_owned(), if bare { ours.remove(0) } else { json!(ours) });
    }
    let spec = BucketPolicySpec { bucket: wanted.bucket.clone(), region: wanted.region.clone(), policy };
    let spec = serde_json::to_value(spec).map_err(|bad| Fault::unexpected("s3", "GetBucketPolicy", bad.to_string()))?;
    Ok(ObservedResource { id: wanted.bucket.clone(), spec, attributes: Attributes::new(), owner, extras })
}
