//! S3 bucket policies. The policy's `Id` carries the stack's mark; the plan does not state it.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::fault::{optional, taken};
use super::{Clients, fault_of};
use crate::provider::{Gone, Made, Provider, Subject};
use crate::resource::bucket_policy::BucketPolicySpec;
use crate::resource::{Attributes, Fault, FieldChange, Found, Owner, comment};

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
    async fn read(&self, subject: &Subject<'_>) -> Result<Option<Found>, Fault> {
        let wanted: BucketPolicySpec = subject.typed()?;
        let answer = self.clients.s3(&wanted.region).get_bucket_policy().bucket(&wanted.bucket).send().await;
        let answer = optional(answer.map_err(|bad| fault_of("s3", "GetBucketPolicy", bad)))?;
        let Some(text) = answer.and_then(|answer| answer.policy) else { return Ok(None) };
        // What is no JSON stays text, so that it differs from the plan.
        let held = serde_json::from_str(&text).unwrap_or(Value::String(text));
        found(subject, &wanted, held).map(Some)
    }

    async fn create(&self, subject: &Subject<'_>) -> Result<Made, Fault> {
        let spec: BucketPolicySpec = subject.typed()?;
        // S3 replaces a policy without a word, so it is looked at first, unless this run just did.
        let standing = if subject.seen_absent { None } else { self.read(subject).await? };
        if let Some(Found { owner: Owner::Foreign(whose), .. }) = standing {
            let what = format!("a policy of bucket {}", spec.bucket);
            return Err(taken("s3", "PutBucketPolicy", "PolicyExists", &what, &whose, subject.address));
        }
        self.put(subject, spec).await
    }

    async fn update(&self, subject: &Subject<'_>, found: &Found, fields: &[FieldChange]) -> Result<Made, Fault> {
        if fields.is_empty() {
            return Ok(Made { id: found.id.clone(), attributes: found.attributes.clone() });
        }
        self.put(subject, subject.typed()?).await
    }

    async fn delete(&self, subject: &Subject<'_>) -> Result<Gone, Fault> {
        let spec: BucketPolicySpec = subject.typed()?;
        let answer = self.clients.s3(&spec.region).delete_bucket_policy().bucket(&spec.bucket).send().await;
        optional(answer.map_err(|bad| fault_of("s3", "DeleteBucketPolicy", bad)))?;
        Ok(Gone::Gone)
    }
}

impl BucketPolicies {
    async fn put(&self, subject: &Subject<'_>, spec: BucketPolicySpec) -> Result<Made, Fault> {
        let mut policy = spec.policy;
        if let Some(fields) = policy.as_object_mut() {
            fields.insert("Id".to_owned(), comment(subject.stack, subject.address).into());
        }
        let call = self.clients.s3(&spec.region).put_bucket_policy().bucket(&spec.bucket).policy(policy.to_string());
        call.send().await.map_err(|bad| fault_of("s3", "PutBucketPolicy", bad))?;
        Ok(Made { id: spec.bucket, attributes: Attributes::new() })
    }
}

/// The policy without the mark: its `Id` is the plan's own, or none, when it is ours.
fn found(subject: &Subject<'_>, wanted: &BucketPolicySpec, mut policy: Value) -> Result<Found, Fault> {
    let mark = comment(subject.stack, subject.address);
    let id = policy.get("Id").and_then(Value::as_str).map(str::to_owned);
    let owner = match id {
        Some(id) if id == mark => Owner::Ours,
        Some(id) => Owner::Foreign(format!("its Id is {id:?}")),
        None => Owner::Foreign("it has no Id of this tool".to_owned()),
    };
    if let Some(fields) = policy.as_object_mut().filter(|_| owner == Owner::Ours) {
        fields.remove("Id");
        if let Some(own) = wanted.policy.get("Id") {
            fields.insert("Id".to_owned(), own.clone());
        }
    }
    let spec = BucketPolicySpec { bucket: wanted.bucket.clone(), region: wanted.region.clone(), policy };
    let spec = serde_json::to_value(spec).map_err(|bad| Fault::unexpected("s3", "GetBucketPolicy", bad.to_string()))?;
    Ok(Found { id: wanted.bucket.clone(), spec, attributes: Attributes::new(), owner, extras: Vec::new() })
}
