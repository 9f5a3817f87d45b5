//! Buckets with their settings, policies and replication, and objects.

use serde_json::json;

use super::compute::tags;
use super::hcl::Body;
use super::{ExportItem, GLOBAL, TerraformBlock, TerraformResource, resource};
use crate::resource::bucket::{BucketSpec, CorsRule, LifecycleRule};
use crate::resource::bucket_policy::BucketPolicySpec;
use crate::resource::object::ObjectSpec;
use crate::resource::replication::{ReplicationRule, ReplicationSpec};
use crate::resource::{ResourceRecord, comment};

pub fn bucket(item: &ExportItem<'_>) -> TerraformResource {
    let spec: BucketSpec = item.typed()?;
    let body = Body::new().set("bucket", spec.name.clone()).set("tags", tags(item, &spec.tags));
    let mut all = vec![resource("aws_s3_bucket", item, &spec.name, body).unread(&["force_destroy"])];
    let whose = Body::new().code("bucket", &format!("aws_s3_bucket.{}.id", super::label(item.address)));
    let setting = |kind: &'static str, body: Body| resource(kind, item, &spec.name, body);
    if let Some(on) = spec.versioning {
        let status = Body::new().set("status", if on { "Enabled" } else { "Suspended" });
        all.push(setting("aws_s3_bucket_versioning", whose.clone().block("versioning_configuration", status)));
    }
    if let Some(algorithm) = &spec.encryption {
        let by = Body::new().set("sse_algorithm", algorithm.clone()).set_some("kms_master_key_id", spec.kms_key);
        let rule = Body::new().block("apply_server_side_encryption_by_default", by);
        let rule = rule.set_some("bucket_key_enabled", spec.bucket_key);
        let kind = "aws_s3_bucket_server_side_encryption_configuration";
        all.push(setting(kind, whose.clone().block("rule", rule)));
    }
    if let Some(on) = spec.block_public_access {
        let names = ["block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"];
        let body = names.iter().fold(whose.clone(), |body, name| body.set(name, on));
        all.push(setting("aws_s3_bucket_public_access_block", body));
    }
    if let Some(ownership) = &spec.ownership {
        let rule = Body::new().set("object_ownership", ownership.clone());
        all.push(setting("aws_s3_bucket_ownership_controls", whose.clone().block("rule", rule)));
    }
    if let Some(rules) = spec.cors.filter(|rules| !rules.is_empty()) {
        let body = whose.clone().blocks("cors_rule", rules.iter().map(cors));
        all.push(setting("aws_s3_bucket_cors_configuration", body));
    }
    if let Some(rules) = spec.lifecycle.filter(|rules| !rules.is_empty()) {
        let body = whose.blocks("rule", rules.iter().map(lifecycle));
        all.push(setting("aws_s3_bucket_lifecycle_configuration", body));
    }
    Ok((in_region(all, &spec.region), Vec::new()))
}

/// What Terraform calls an attribute of a bucket: the host name is another one in the first region.
pub fn bucket_argument(record: &ResourceRecord, ours: &str) -> Option<(&'static str, &'static str)> {
    let argument = match ours {
        "arn" => "arn",
        "name" => "bucket",
        "domain" if record.spec["region"] == GLOBAL => "bucket_domain_name",
        "domain" => "bucket_regional_domain_name",
        _ => return None,
    };
    Some(("aws_s3_bucket", argument))
}

fn in_region(all: Vec<TerraformBlock>, region: &str) -> Vec<TerraformBlock> {
    all.into_iter().map(|one| one.at(region)).collect()
}

fn cors(rule: &CorsRule) -> Body {
    let mut body =
        Body::new().set("allowed_origins", rule.origins.clone()).set("allowed_methods", rule.methods.clone());
    if !rule.headers.is_empty() {
        body = body.set("allowed_headers", rule.headers.clone());
    }
    if !rule.expose.is_empty() {
        body = body.set("expose_headers", rule.expose.clone());
    }
    body.set_some("max_age_seconds", rule.max_age_seconds)
}

fn lifecycle(rule: &LifecycleRule) -> Body {
    let body = Body::new().set("id", rule.id.clone()).set("status", status(rule.enabled.unwrap_or(true)));
    let body = body.block("filter", Body::new().set("prefix", rule.prefix.clone()));
    let days = |head: &str, name: &str, days: Option<i32>, body: Body| match days {
        Some(days) => body.block(head, Body::new().set(name, days)),
        None => body,
    };
    let body = days("expiration", "days", rule.expire_days, body);
    let body = days("noncurrent_version_expiration", "noncurrent_days", rule.expire_old_versions_days, body);
    days("abort_incomplete_multipart_upload", "days_after_initiation", rule.abort_uploads_days, body)
}

pub fn policy(item: &ExportItem<'_>) -> TerraformResource {
    let spec: BucketPolicySpec = item.typed()?;
    let mut document = spec.policy;
    if let Some(fields) = document.as_object_mut() {
        fields.insert("Id".to_owned(), comment(item.stack, item.address).into());
    }
    let body = Body::new().set("bucket", spec.bucket).json("policy", &document);
    Ok((vec![resource("aws_s3_bucket_policy", item, item.id, body).at(&spec.region)], Vec::new()))
}

pub fn replication(item: &ExportItem<'_>) -> TerraformResource {
    let spec: ReplicationSpec = item.typed()?;
    let rules = spec.rules.iter().zip(1..).map(|(rule, place)| replication_rule(rule, place));
    let body = Body::new().set("bucket", spec.source).set("role", spec.role_arn).blocks("rule", rules);
    let made = resource("aws_s3_bucket_replication_configuration", item, item.id, body);
    Ok((vec![made.at(&spec.region)], Vec::new()))
}

fn status(on: bool) -> &'static str {
    if on { "Enabled" } else { "Disabled" }
}

fn replication_rule(rule: &ReplicationRule, place: i32) -> Body {
    let mut to = Body::new().set("bucket", format!("arn:aws:s3:::{}", rule.destination));
    if let Some(minutes) = rule.time_control_minutes {
        let within = || Body::new().set("minutes", minutes);
        let on = || Body::new().set("status", "Enabled");
        to = to.block("replication_time", on().block("time", within()));
        to = to.block("metrics", on().block("event_threshold", within()));
    }
    if let Some(key) = &rule.replica_key {
        to = to.block("encryption_configuration", Body::new().set("replica_kms_key_id", key.clone()));
    }
    let markers = Body::new().set("status", status(rule.delete_markers.unwrap_or_default()));
    let mut body = Body::new()
        .set("id", rule.id.clone())
        .set("priority", rule.priority.unwrap_or(place))
        .set("status", status(rule.enabled))
        .block("filter", Body::new().set("prefix", rule.prefix.clone()))
        .block("delete_marker_replication", markers)
        .block("destination", to);
    let mut selected = Body::new();
    if rule.replica_modifications {
        selected = selected.block("replica_modifications", Body::new().set("status", "Enabled"));
    }
    if rule.encrypted_objects == Some(true) {
        selected = selected.block("sse_kms_encrypted_objects", Body::new().set("status", "Enabled"));
    }
    if rule.replica_modifications || rule.encrypted_objects == Some(true) {
        body = body.block("source_selection_criteria", selected);
    }
    body
}

pub fn object(item: &ExportItem<'_>) -> TerraformResource {
    let spec: ObjectSpec = item.typed()?;
    let mut metadata = spec.metadata.clone();
    metadata.insert("sha256".to_owned(), spec.sha256.clone());
    metadata.insert("akidb-stack".to_owned(), item.stack.to_owned());
    metadata.insert("akidb-address".to_owned(), item.address.to_string());
    let body = Body::new()
        .set("bucket", spec.bucket)
        .set("key", spec.key)
        .set("content_type", spec.content_type)
        .set_some("cache_control", spec.cache_control)
        .remark(&format!("The state has no content. The object has {} bytes.", spec.bytes))
        .set("metadata", json!(metadata));
    let made = resource("aws_s3_object", item, item.id, body).at(&spec.region).unread(&["force_destroy"]);
    let note = "its content is not in the state: without source or content Terraform leaves it as it is";
    Ok((vec![made], vec![item.note(note)]))
}
