//! Buckets with their replication, and their policies.

use serde_json::{Value, json};

use super::{ExportItem, ExportNote, ExportedResource, ResourceExport, resource, tags};
use crate::resource::bucket::{BucketSpec, CorsRule, LifecycleRule};
use crate::resource::bucket_policy::BucketPolicySpec;
use crate::resource::replication::{ReplicationRule, ReplicationSpec};
use crate::resource::{Kind, comment};

pub fn bucket(item: &ExportItem<'_>, all: &[ExportItem<'_>]) -> ResourceExport {
    let spec: BucketSpec = item.typed()?;
    let properties = json!({
        "BucketName": spec.name,
        "VersioningConfiguration":
            spec.versioning.map(|on| json!({"Status": if on { "Enabled" } else { "Suspended" }})),
        "BucketEncryption": spec.encryption.map(|by| json!({"ServerSideEncryptionConfiguration":
            [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": by, "KMSMasterKeyID": spec.kms_key},
              "BucketKeyEnabled": spec.bucket_key}]})),
        "PublicAccessBlockConfiguration": spec.block_public_access.map(|on| json!({"BlockPublicAcls": on,
            "BlockPublicPolicy": on, "IgnorePublicAcls": on, "RestrictPublicBuckets": on})),
        "OwnershipControls": spec.ownership.map(|who| json!({"Rules": [{"ObjectOwnership": who}]})),
        "CorsConfiguration": spec.cors.filter(|rules| !rules.is_empty())
            .map(|rules| json!({"CorsRules": rules.iter().map(cors).collect::<Vec<_>>()})),
        "LifecycleConfiguration": spec.lifecycle.filter(|rules| !rules.is_empty())
            .map(|rules| json!({"Rules": rules.iter().map(lifecycle).collect::<Vec<_>>()})),
        "ReplicationConfiguration": replication(&spec.name, all)?,
        "Tags": tags(item, &spec.tags),
    });
    Ok((resource("AWS::S3::Bucket", ("BucketName", item.id), properties).at(&spec.region), Vec::new()))
}

fn cors(rule: &CorsRule) -> Value {
    json!({"AllowedOrigins": rule.origins, "AllowedMethods": rule.methods, "AllowedHeaders": rule.headers,
           "ExposedHeaders": rule.expose, "MaxAge": rule.max_age_seconds})
}

fn lifecycle(rule: &LifecycleRule) -> Value {
    json!({
        "Id": rule.id, "Status": if rule.enabled.unwrap_or(true) { "Enabled" } else { "Disabled" }, "Prefix": rule.prefix, "ExpirationInDays": rule.expire_days,
        "NoncurrentVersionExpiration": rule.expire_old_versions_days.map(|days| json!({"NoncurrentDays": days})),
        "AbortIncompleteMultipartUpload": rule.abort_uploads_days.map(|days| json!({"DaysAfterInitiation": days})),
    })
}

/// Replication rules are a part of their bucket.
pub fn part_of_its_bucket(
    item: &ExportItem<'_>,
    all: &[ExportItem<'_>],
) -> Result<Option<ExportedResource>, ExportNote> {
    let spec: ReplicationSpec = item.typed()?;
    let held = |other: &&ExportItem<'_>| other.kind == Kind::Bucket && other.id == spec.source;
    let missing = || item.note("skipped: it is a part of its bucket, which is not in the state");
    all.iter().find(held).map(|_| None).ok_or_else(missing)
}

/// The rules of the bucket, which are a resource of their own with us.
fn replication(bucket: &str, all: &[ExportItem<'_>]) -> Result<Option<Value>, ExportNote> {
    let Some(item) = all.iter().find(|item| item.kind == Kind::Replication && item.id == bucket) else {
        return Ok(None);
    };
    let spec: ReplicationSpec = item.typed()?;
    let rules: Vec<Value> = spec.rules.iter().zip(1..).map(|(rule, place)| replication_rule(rule, place)).collect();
    Ok(Some(json!({"Role": spec.role_arn, "Rules": rules})))
}

fn replication_rule(rule: &ReplicationRule, place: i32) -> Value {
    let status = |on: bool| if on { "Enabled" } else { "Disabled" };
    let time = rule.time_control_minutes.map(|minutes| json!({"Status": "Enabled", "Time": {"Minutes": minutes}}));
    let metrics =
        rule.time_control_minutes.map(|minutes| json!({"Status": "Enabled", "EventThreshold": {"Minutes": minutes}}));
    let on = |on: bool| on.then(|| json!({"Status": "Enabled"}));
    let kms = rule.encrypted_objects == Some(true);
    let selected = (rule.replica_modifications || kms)
        .then(|| json!({"ReplicaModifications": on(rule.replica_modifications), "SseKmsEncryptedObjects": on(kms)}));
    let key = rule.replica_key.as_ref().map(|key| json!({"ReplicaKmsKeyID": key}));
    json!({
        "Id": rule.id, "Priority": rule.priority.unwrap_or(place), "Status": status(rule.enabled),
        "Filter": {"Prefix": rule.prefix},
        "DeleteMarkerReplication": {"Status": status(rule.delete_markers.unwrap_or_default())},
        "Destination": {"Bucket": format!("arn:aws:s3:::{}", rule.destination), "ReplicationTime": time, "Metrics": metrics,
                        "EncryptionConfiguration": key},
        "SourceSelectionCriteria": selected,
    })
}

pub fn policy(item: &ExportItem<'_>) -> ResourceExport {
    let spec: BucketPolicySpec = item.typed()?;
    let mut document = spec.policy;
    if let Some(fields) = document.as_object_mut() {
        fields.insert("Id".to_owned(), comment(item.stack, item.address).into());
    }
    let properties = json!({"Bucket": spec.bucket, "PolicyDocument": document});
    Ok((resource("AWS::S3::BucketPolicy", ("Bucket", item.id), properties).at(&spec.region), Vec::new()))
}
