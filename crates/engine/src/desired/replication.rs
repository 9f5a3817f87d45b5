//! Replication between the buckets of a step: rules of each source, the roles that S3 takes on, their policies.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Builder, as_name, boundary, trust_for_this_account};
use crate::plan::Step;
use crate::plan::models::{ModelsStep, ReplicationPlan};
use crate::resource::bucket::BucketSpec;
use crate::resource::replication::{ReplicationRule, ReplicationSpec};
use crate::resource::role::RoleSpec;
use crate::resource::{Address, Kind, Resource, link};

/// The rules of each source bucket; both ways makes a rule on the other side, too.
pub fn replication(builder: &mut Builder<'_>, step: &Step, plan: &ModelsStep) -> BTreeMap<String, Address> {
    let mut by_source: BTreeMap<String, Vec<(String, String, &ReplicationPlan)>> = BTreeMap::new();
    let mut is_known = true;
    for (name, rule) in &plan.replication {
        for (side, bucket) in [("from", &rule.from), ("to", &rule.to)] {
            if !plan.buckets.contains_key(bucket) {
                let problem = format!("replication {name} names bucket {bucket:?}, which is not in this step");
                let next = format!(
                    "declare it under buckets: otherwise S3 answers \"Destination bucket must exist\" \
                             ({side})"
                );
                builder.unknown(step, &format!("replication.{name}.{side}"), problem, next);
                is_known = false;
            }
        }
        by_source.entry(rule.from.clone()).or_default().push((name.clone(), rule.to.clone(), rule));
        if rule.bidirectional {
            by_source.entry(rule.to.clone()).or_default().push((format!("{name}-back"), rule.from.clone(), rule));
        }
    }
    if !is_known {
        return BTreeMap::new();
    }
    let mut made = BTreeMap::new();
    let boundary = role_boundary(builder, step, plan);
    for (source, rules) in by_source {
        let address = replicate(builder, step, plan, &source, &rules, &boundary);
        made.insert(source, address);
    }
    made
}

fn replicate(
    builder: &mut Builder<'_>,
    step: &Step,
    plan: &ModelsStep,
    source: &str,
    rules: &[(String, String, &ReplicationPlan)],
    boundary: &str,
) -> Address {
    let bucket_of = |key: &str| Address::new("models", Kind::Bucket, &as_name(key));
    let below = format!("replication.{}", rules[0].0.trim_end_matches("-back"));
    let role = Address::new("models", Kind::Role, &as_name(&format!("replication-{source}")));
    let destinations: Vec<&str> = rules.iter().map(|(_, to, _)| plan.buckets[to].name.as_str()).collect();
    let mut policy = replication_policy(&plan.buckets[source].name, &destinations);
    let keys = kms_statements(plan, source, rules);
    if let Some(statements) = policy["Statement"].as_array_mut() {
        statements.extend(keys);
    }
    let spec = RoleSpec {
        name: format!("{}-replication-{}", builder.plan.stack, as_name(source)),
        description: format!("S3 replication out of {}", plan.buckets[source].name),
        trust: trust_for_this_account(&["s3.amazonaws.com"]),
        inline: BTreeMap::from([("replicate".to_owned(), policy)]),
        managed: Vec::new(),
        boundary: Some(boundary.to_owned()),
        tags: BTreeMap::new(),
    };
    builder.add(step, &below, Resource::new(role.clone(), Kind::Role, &spec));
    let rules = rules.iter().map(|(name, to, rule)| ReplicationRule {
        id: name.clone(),
        priority: rule.priority,
        prefix: rule.prefix.clone(),
        destination: link(&bucket_of(to), "name"),
        enabled: rule.enabled,
        delete_markers: rule.delete_markers,
        replica_modifications: rule.replica_modifications.unwrap_or(false),
        time_control_minutes: rule.time_control_minutes,
        encrypted_objects: rule.encrypted_objects,
        replica_key: replica_key(plan, to, rule),
    });
    let spec = ReplicationSpec {
        source: link(&bucket_of(source), "name"),
        region: plan.buckets[source].region.clone(),
        role_arn: link(&role, "arn"),
        rules: rules.collect(),
    };
    let address = Address::new("models", Kind::Replication, &as_name(source));
    builder.add(step, &below, Resource::new(address, Kind::Replication, &spec))
}

/// What the replication roles cannot go beyond. AWS has no managed policy for objects and keys alone: the next larger one would let
/// whoever writes the role's policies change other functions, and with them become an administrator.
fn role_boundary(builder: &mut Builder<'_>, step: &Step, plan: &ModelsStep) -> String {
    let with_keys = plan.replication.values().any(|rule| rule.encrypted_objects == Some(true));
    match &plan.role_boundary {
        Some(name) if boundary::is_name(name) => return boundary::own(name),
        Some(name) => {
            let problem = format!("{name:?} is not the name of a managed policy");
            builder.complain(step, "role_boundary", problem, "write up to 128 letters, digits and +=,.@_-");
        }
        None if with_keys => {
            let problem =
                "encrypted_objects: true needs role_boundary: AWS has no managed policy for objects and keys alone";
            let next = "write role_boundary: NAME beside it, and let an administrator make that managed policy once \
                        from what akidb-edge deploy --print-iam-boundary prints";
            builder.complain(step, "replication", problem, next);
        }
        None => {}
    }
    boundary::OBJECTS.to_owned()
}

/// What S3 needs to copy objects, and no more (S3 User Guide, "Setting up permissions for replication").
fn replication_policy(source: &str, destinations: &[&str]) -> serde_json::Value {
    let copies: Vec<String> = destinations.iter().map(|name| format!("arn:aws:s3:::{name}/*")).collect();
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "ReadRules", "Effect": "Allow",
             "Action": ["s3:GetReplicationConfiguration", "s3:ListBucket"], "Resource": [format!("arn:aws:s3:::{source}")]},
            {"Sid": "ReadVersions", "Effect": "Allow",
             "Action": ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"],
             "Resource": [format!("arn:aws:s3:::{source}/*")]},
            {"Sid": "WriteCopies", "Effect": "Allow",
             "Action": ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"], "Resource": copies},
        ],
    })
}

/// The key of replicas in a bucket: the rule's own setting is about its destination, not about the reverse direction.
fn replica_key(plan: &ModelsStep, to: &str, rule: &ReplicationPlan) -> Option<String> {
    let stated = rule.replica_key.clone().filter(|_| rule.to == to);
    stated.or_else(|| plan.buckets[to].kms_key.clone()).filter(|_| rule.encrypted_objects == Some(true))
}

/// What S3 needs of KMS (S3 User Guide, "Replicating encrypted objects"): only through S3, only for these buckets.
fn kms_statements(
    plan: &ModelsStep,
    source: &str,
    rules: &[(String, String, &ReplicationPlan)],
) -> Vec<serde_json::Value> {
    let encrypted: Vec<_> = rules.iter().filter(|(_, _, rule)| rule.encrypted_objects == Some(true)).collect();
    let Some(from) = plan.buckets.get(source).filter(|_| !encrypted.is_empty()) else { return Vec::new() };
    let statement = |sid: &str, actions: &[&str], bucket: &BucketSpec, key: Option<&str>| {
        // With a bucket key, the context is the bucket itself.
        let objects = [format!("arn:aws:s3:::{}", bucket.name), format!("arn:aws:s3:::{}/*", bucket.name)];
        json!({
            "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": [key_resource(key, &bucket.region)],
            "Condition": {"StringLike": {
                "kms:ViaService": format!("s3.{}.amazonaws.com", bucket.region),
                "kms:EncryptionContext:aws:s3:arn": objects,
            }},
        })
    };
    let mut all = vec![statement("ReadUnderKey", &["kms:Decrypt"], from, from.kms_key.as_deref())];
    for (at, (_, to, rule)) in encrypted.into_iter().enumerate() {
        let (bucket, key) = (&plan.buckets[to], replica_key(plan, to, rule));
        // A bucket key is proven by reading it back.
        let actions: &[&str] =
            if bucket.bucket_key == Some(true) { &["kms:Decrypt", "kms:Encrypt"] } else { &["kms:Encrypt"] };
        all.push(statement(&format!("WriteUnderKey{}", at + 1), actions, bucket, key.as_deref()));
    }
    all
}

/// The key in a policy, which takes no alias: then any key of the region, bound by the conditions.
fn key_resource(key: Option<&str>, region: &str) -> String {
    match key {
        Some(arn) if arn.starts_with("arn:") && arn.contains(":key/") => arn.to_owned(),
        Some(id) if !id.contains(':') && !id.starts_with("alias/") => {
            format!("arn:aws:kms:{region}:{}:key/{id}", crate::resource::ACCOUNT)
        }
        _ => format!("arn:aws:kms:{region}:{}:key/*", crate::resource::ACCOUNT),
    }
}
