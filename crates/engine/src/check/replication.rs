//! Rules on replication between buckets.

use std::collections::BTreeSet;

use super::policy::{allows, bad_role_arn, trusts};
use super::rule::{CheckRule, CheckedResource, RuleFindings, error, warning};
use super::scope::{is_open, whole};
use crate::resource::bucket::BucketSpec;
use crate::resource::replication::{ReplicationRule, ReplicationSpec};
use crate::resource::{Address, Kind, counted};

type Spec<'a> = CheckedResource<'a, ReplicationSpec>;

pub(super) const RULES: &[CheckRule<ReplicationSpec>] = &[
    error(
        "RP001-source-versioned",
        "the source of a replication has versioning",
        "InvalidRequest: Versioning must be 'Enabled' on the bucket to apply a replication configuration",
        "write versioning: true on the source bucket",
        source_versioned,
    ),
    error(
        "RP002-destination-versioned",
        "every destination has versioning",
        "InvalidRequest: Destination bucket must have versioning enabled.",
        "write versioning: true on the destination bucket",
        destination_versioned,
    ),
    error(
        "RP003-versioning-suspended",
        "versioning is not suspended on a bucket that replicates",
        "InvalidBucketState: A replication configuration is present on this bucket, so you cannot change the versioning state to suspended",
        "write versioning: true, or remove the replication first",
        suspended,
    ),
    warning(
        "RP004-bucket-not-in-plan",
        "source and destinations are buckets of the plan",
        "InvalidRequest: Destination bucket must exist, if it was not created",
        "add the bucket to the plan, or make sure that it exists and has versioning",
        not_in_plan,
    ),
    error(
        "RP005-delete-markers",
        "every rule says whether delete markers are copied",
        "InvalidRequest: DeleteMarkerReplication must be specified for this version of Cross Region Replication configuration schema",
        "write delete_markers: true or false",
        delete_markers,
    ),
    error(
        "RP006-priority",
        "every rule has its own priority and id",
        "InvalidRequest: Priority must be specified for this version of Cross Region Replication configuration schema, or InvalidArgument for a duplicate",
        "write a different priority and a different id in each rule",
        priority,
    ),
    error(
        "RP007-time-control",
        "replication time control is 15 minutes",
        "InvalidArgument: the only valid value of Minutes is 15",
        "write time_control_minutes: 15, or leave it out",
        time_control,
    ),
    error(
        "RP008-destination-is-source",
        "a bucket is not copied to itself",
        "InvalidRequest: Destination bucket cannot be the same as the source bucket",
        "name another bucket",
        to_itself,
    ),
    warning(
        "RP009-both-ways",
        "a pair that copies both ways copies changes of replicas on both sides",
        "accepted; changes of metadata, tags and ACLs on a replica do not flow back, so the two sides drift apart",
        "write replica_modifications: true in the rules of both sides",
        both_ways,
    ),
    error(
        "RP010-role-arn",
        "the role is the ARN of a role",
        "InvalidArgument: Invalid Role specified in replication configuration",
        "write ${<area>.role.<name>#arn}",
        role_arn,
    ),
    error(
        "RP011-role-permissions",
        "the role of the plan may do all that replication does",
        "accepted; objects stay at ReplicationStatus FAILED",
        "add the missing actions to the role's policy",
        role_permissions,
    ),
    error(
        "RP012-role-trust",
        "the role of the plan trusts s3.amazonaws.com",
        "accepted; objects stay at ReplicationStatus FAILED, because S3 cannot assume the role",
        "name s3.amazonaws.com as a principal of sts:AssumeRole in the trust document",
        role_trust,
    ),
    error(
        "RP013-rule-count",
        "a replication has 1 to 1,000 rules",
        "MalformedXML: The XML you provided was not well-formed or did not validate against our published schema",
        "write at least one rule, or remove the replication",
        rule_count,
    ),
    error(
        "RP014-source-region",
        "the region is that of the source bucket",
        "PermanentRedirect: The bucket you are attempting to access must be addressed using the specified endpoint.",
        "use the region of the source bucket",
        source_region,
    ),
    error(
        "RP015-encrypted-source",
        "a rule states whether objects under a KMS key are replicated",
        "accepted; S3 silently skips objects under a KMS key",
        "write encrypted_objects: true and a kms_key (an ARN) on the destination bucket; or encrypted_objects: false",
        encrypted_source,
    ),
    error(
        "RP016-encrypted-destination",
        "a rule into a bucket with a KMS key states the key of the replicas",
        "accepted; replicas keep the encryption of their source, so the key of the destination is not used for them",
        "write encryption: aws:kms on the source bucket and encrypted_objects: true in the rule; or encrypted_objects: false",
        encrypted_destination,
    ),
    error(
        "RP017-replica-key",
        "a rule that copies objects under a KMS key names the ARN of the key of the replicas, and only such a rule does",
        "InvalidRequest: ReplicaKmsKeyID must be specified if SseKmsEncryptedObjects tag is present, or InvalidArgument: Invalid ReplicaKmsKeyID ARN.",
        "write the ARN of a KMS key in the destination's region as kms_key of the destination bucket, and encrypted_objects: true",
        replica_key,
    ),
];

fn rules(spec: &ReplicationSpec) -> impl Iterator<Item = (String, &ReplicationRule)> {
    spec.rules.iter().enumerate().map(|(at, rule)| (format!("rules.{at}"), rule))
}

/// Source and destinations as the text of the spec, with their paths.
fn buckets(spec: &ReplicationSpec) -> Vec<(String, &str)> {
    let destinations = rules(spec).map(|(path, rule)| (format!("{path}.destination"), rule.destination.as_str()));
    [("source".to_owned(), spec.source.as_str())].into_iter().chain(destinations).collect()
}

fn unversioned<'a>(seen: &Spec<'a>, bucket: &str) -> Option<(&'a Address, BucketSpec)> {
    seen.scope.bucket(bucket).filter(|(_, bucket)| bucket.versioning.is_none())
}

fn source_versioned(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    if let Some((address, _)) = unversioned(seen, &seen.spec.source) {
        notes.add("source", format!("`{address}` has no versioning"));
    }
}

fn destination_versioned(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, rule) in rules(&seen.spec) {
        if let Some((address, _)) = unversioned(seen, &rule.destination) {
            notes.add(format!("{path}.destination"), format!("`{address}` has no versioning"));
        }
    }
}

fn suspended(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, bucket) in buckets(&seen.spec) {
        if let Some((address, _)) = seen.scope.bucket(bucket).filter(|(_, bucket)| bucket.versioning == Some(false)) {
            notes.add(path, format!("`{address}` has versioning: false"));
        }
    }
}

fn not_in_plan(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, bucket) in buckets(&seen.spec) {
        let lost = !is_open(bucket) && seen.scope.bucket(bucket).is_none();
        notes.add_if(lost, path, || format!("bucket `{bucket}` is not in the plan"));
    }
}

fn delete_markers(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, rule) in rules(&seen.spec) {
        let lacks = rule.delete_markers.is_none();
        notes.add_if(lacks, format!("{path}.delete_markers"), || format!("rule `{}` does not state it", rule.id));
    }
}

fn priority(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let (mut numbers, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for (path, rule) in rules(&seen.spec) {
        notes.add_if(!ids.insert(&rule.id), format!("{path}.id"), || format!("the id `{}` appears twice", rule.id));
        let at = format!("{path}.priority");
        match rule.priority {
            None => notes.add(at, format!("rule `{}` has no priority", rule.id)),
            Some(number) => {
                notes.add_if(!numbers.insert(number), at, || format!("priority {number} appears twice"));
            }
        }
    }
}

fn time_control(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, rule) in rules(&seen.spec) {
        let minutes = rule.time_control_minutes.unwrap_or(15);
        notes.add_if(minutes != 15, format!("{path}.time_control_minutes"), || {
            format!("it is {}", counted(minutes, "minute"))
        });
    }
}

/// What a bucket text means: an address of the graph, or the text itself.
fn meaning(seen: &Spec<'_>, bucket: &str) -> String {
    let known = seen.scope.bucket(bucket).map(|(address, _)| address.to_string());
    known.or_else(|| whole(bucket).map(|to| to.address.to_owned())).unwrap_or_else(|| bucket.to_owned())
}

fn to_itself(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let source = meaning(seen, &seen.spec.source);
    for (path, rule) in rules(&seen.spec).filter(|(_, rule)| meaning(seen, &rule.destination) == source) {
        notes.add(format!("{path}.destination"), format!("`{}` is the source as well", rule.destination));
    }
}

fn both_ways(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let source = meaning(seen, &seen.spec.source);
    for (path, rule) in rules(&seen.spec).filter(|(_, rule)| !rule.replica_modifications) {
        let destination = meaning(seen, &rule.destination);
        let back = seen.scope.each::<ReplicationSpec>(Kind::Replication).find(|(_, other)| {
            let returns = other.rules.iter().any(|rule| meaning(seen, &rule.destination) == source);
            destination != source && meaning(seen, &other.source) == destination && returns
        });
        if let Some((other, _)) = back {
            let problem = format!("`{other}` copies back, and rule `{}` has no replica_modifications", rule.id);
            notes.add(format!("{path}.replica_modifications"), problem);
        }
    }
}

fn role_arn(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    if let Some(problem) = bad_role_arn(&seen.spec.role_arn) {
        notes.add("role_arn", problem);
    }
}

fn role_permissions(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    const ACTIONS: [&str; 8] = [
        "s3:GetReplicationConfiguration",
        "s3:ListBucket",
        "s3:GetObjectVersionForReplication",
        "s3:GetObjectVersionAcl",
        "s3:GetObjectVersionTagging",
        "s3:ReplicateObject",
        "s3:ReplicateDelete",
        "s3:ReplicateTags",
    ];
    // Managed policies are not read here; a role that has one may get the actions from it.
    let held = seen.scope.role(&seen.spec.role_arn).filter(|(_, role)| role.managed.is_empty());
    let Some((address, role)) = held else { return };
    let lacking: Vec<&str> =
        ACTIONS.into_iter().filter(|action| !role.inline.values().any(|document| allows(document, action))).collect();
    notes.add_if(!lacking.is_empty(), "role_arn", || format!("`{address}` lacks {}", lacking.join(", ")));
}

fn role_trust(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some((address, role)) = seen.scope.role(&seen.spec.role_arn) else { return };
    let wrong = !trusts(&role.trust, "s3.amazonaws.com");
    notes.add_if(wrong, "role_arn", || format!("`{address}` does not trust s3.amazonaws.com"));
}

fn rule_count(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let count = seen.spec.rules.len();
    notes.add_if(!(1..=1000).contains(&count), "rules", || format!("there are {count} rules"));
}

fn source_region(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some((address, bucket)) = seen.scope.bucket(&seen.spec.source) else { return };
    let region = &seen.spec.region;
    let wrong = bucket.region != *region && !is_open(region);
    notes.add_if(wrong, "region", || format!("`{address}` is in {}, not in {region}", bucket.region));
}

fn under_kms(bucket: &BucketSpec) -> bool {
    bucket.kms_key.is_some() || bucket.encryption.as_ref().is_some_and(|by| by.starts_with("aws:kms"))
}

fn encrypted_source(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some((address, _)) = seen.scope.bucket(&seen.spec.source).filter(|(_, bucket)| under_kms(bucket)) else {
        return;
    };
    for (path, rule) in rules(&seen.spec).filter(|(_, rule)| rule.encrypted_objects.is_none()) {
        let problem =
            format!("`{address}` encrypts its objects with a KMS key, and rule `{}` does not copy them", rule.id);
        notes.add(format!("{path}.encrypted_objects"), problem);
    }
}

fn encrypted_destination(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    if seen.scope.bucket(&seen.spec.source).is_none_or(|(_, bucket)| under_kms(&bucket)) {
        return;
    }
    for (path, rule) in rules(&seen.spec).filter(|(_, rule)| rule.encrypted_objects.is_none()) {
        let held = seen.scope.bucket(&rule.destination).filter(|(_, bucket)| under_kms(bucket));
        if let Some((address, _)) = held {
            let problem = format!("`{address}` has a KMS key, and the replicas of rule `{}` do not get it", rule.id);
            notes.add(format!("{path}.encrypted_objects"), problem);
        }
    }
}

fn replica_key(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, rule) in rules(&seen.spec) {
        let path = format!("{path}.replica_key");
        match (rule.encrypted_objects == Some(true), &rule.replica_key) {
            (true, None) => notes.add(path, format!("rule `{}` names no key for the replicas", rule.id)),
            (false, Some(_)) => {
                notes.add(path, format!("rule `{}` names a key, and copies no objects under a key", rule.id));
            }
            (_, Some(key)) if !is_open(key) => {
                let region = seen.scope.bucket(&rule.destination).map(|(_, bucket)| bucket.region);
                if let Some(problem) = super::s3::bad_key_arn(key, region.as_deref()) {
                    notes.add(path, problem);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, case};

    pub(in super::super) fn cases() -> Vec<Case> {
        const TO_EU: &str = "models.replication.primary";
        let other = json!({"id": "b", "priority": 1, "destination": "akidb-models-spare-2", "enabled": true, "delete_markers": true});
        vec![
            case("RP001-source-versioned")
                .remove("models.bucket.primary", "/versioning")
                .also("RP002-destination-versioned"),
            case("RP002-destination-versioned").set(TO_EU, "/rules/0/destination", json!("akidb-spare")),
            case("RP003-versioning-suspended").set("models.bucket.primary", "/versioning", json!(false)),
            case("RP004-bucket-not-in-plan").set(TO_EU, "/rules/0/destination", json!("akidb-models-elsewhere")),
            case("RP005-delete-markers").remove(TO_EU, "/rules/0/delete_markers"),
            case("RP006-priority").remove(TO_EU, "/rules/0/priority"),
            case("RP006-priority").push(TO_EU, "/rules", other).also("RP004-bucket-not-in-plan"),
            case("RP007-time-control").set(TO_EU, "/rules/0/time_control_minutes", json!(5)),
            case("RP008-destination-is-source").set(TO_EU, "/rules/0/destination", json!("akidb-models")),
            case("RP009-both-ways").set(TO_EU, "/rules/0/replica_modifications", json!(false)),
            case("RP010-role-arn").set(TO_EU, "/role_arn", json!("arn:aws:iam::ACCOUNT_ID:role/s3-replication-role")),
            case("RP011-role-permissions").set(
                "models.role.replication",
                "/inline/replicate/Statement/0/Action",
                json!(["s3:ListBucket", "s3:Replicate*"]),
            ),
            case("RP012-role-trust").set(
                "models.role.replication",
                "/trust/Statement/0/Principal/Service",
                json!("ec2.amazonaws.com"),
            ),
            case("RP013-rule-count").set(TO_EU, "/rules", json!([])),
            case("RP014-source-region").set(TO_EU, "/region", json!("eu-central-1")),
            case("RP015-encrypted-source")
                .set("models.bucket.primary", "/encryption", json!("aws:kms"))
                .also("RP016-encrypted-destination")
                .also("S3205-cloudfront-needs-own-key"),
            case("RP016-encrypted-destination")
                .set("models.bucket.replica", "/encryption", json!("aws:kms"))
                .also("RP015-encrypted-source"),
            case("RP017-replica-key").set(TO_EU, "/rules/0/encrypted_objects", json!(true)),
            case("RP017-replica-key").set(TO_EU, "/rules/0/replica_key", json!("alias/replicas")),
        ]
    }
}
