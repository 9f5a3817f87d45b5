//! The least that the tool itself must be allowed to do for a plan: an IAM policy made from its graph. Pure.
//!
//! Source of the actions: the operations that the providers of this room call, by the Service Authorization Reference
//! (S3 names several actions otherwise than its operations). `sts:GetCallerIdentity` needs no permission.

mod boundary;
mod clusters;
mod conditions;
pub mod context;
mod grants;
mod parts;
mod simulate;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::grants_of;
use crate::resource::{Desired, Kind, Resource, resolve};
pub use boundary::boundaries;
pub use context::PolicyContext;
pub use grants::{Grant, LOOK, MAKE};
pub use parts::{MOST, parts, size};
pub use simulate::{MissingAction, Simulation, simulate};

/// The policy document for everything in `desired`. `account` is twelve digits, or `*` when it is not known.
pub fn policy(desired: &Desired, account: &str) -> Value {
    let mut statements: BTreeMap<&str, (BTreeSet<&str>, BTreeSet<String>)> = BTreeMap::new();
    for resource in desired.resources.values() {
        let facts = PolicyContext { spec: literal(desired, resource), account, graph: desired };
        for grant in grants_of(resource.kind) {
            let on = (grant.on)(&facts);
            if !on.is_empty() {
                let (actions, resources) = statements.entry(grant.sid).or_default();
                actions.extend(grant.actions);
                resources.extend(on);
            }
        }
    }
    let mut all: Vec<Value> = statements
        .into_iter()
        .map(|(sid, (actions, on))| json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": on}))
        .collect();
    all.extend(clusters::statement(desired, account));
    all.extend(conditions::statements(desired, account));
    all.extend(handed_over(desired, account));
    all.extend(service_linked_roles(desired, account));
    json!({"Version": "2012-10-17", "Statement": all})
}

/// A spec with the names of other resources of the graph filled in.
fn literal(desired: &Desired, resource: &Resource) -> Value {
    resolve(&resource.spec, &|address, attribute| {
        let target = desired.resources.get(&address.parse().ok()?)?;
        target.spec.get(attribute).filter(|value| value.is_string()).cloned()
    })
}

/// Roles that are handed to a service: each one to its own services, and to no other.
fn handed_over(desired: &Desired, account: &str) -> Vec<Value> {
    let roles = desired.resources.values().filter(|resource| resource.kind == Kind::Role);
    let mut by_services: BTreeMap<Vec<String>, BTreeSet<String>> = BTreeMap::new();
    for role in roles {
        let services = role.spec.pointer("/trust/Statement/0/Principal/Service").and_then(Value::as_array);
        let services = services.into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_owned()));
        // Copies at the edge take the role on; it is handed to Lambda alone.
        let services: Vec<String> = services.filter(|name| name != "edgelambda.amazonaws.com").collect();
        let name = role.spec.get("name").and_then(Value::as_str).unwrap_or("*");
        by_services.entry(services).or_default().insert(format!("arn:aws:iam::{account}:role/{name}"));
    }
    let statement = |(at, (services, roles)): (usize, (Vec<String>, BTreeSet<String>))| {
        json!({"Sid": format!("HandOver{}", at + 1), "Effect": "Allow", "Action": "iam:PassRole", "Resource": roles,
               "Condition": {"StringEquals": {"iam:PassedToService": services}}})
    };
    by_services.into_iter().enumerate().map(statement).collect()
}

/// CloudFront makes these the first time a function runs at its edge (CloudFront Developer Guide, "Set up IAM permissions
/// and roles for Lambda@Edge").
fn service_linked_roles(desired: &Desired, account: &str) -> Option<Value> {
    let at_edge = desired.resources.values().any(|resource| resource.kind == Kind::FunctionVersion);
    let (copies, logs) = ("replicator.lambda.amazonaws.com", "logger.cloudfront.amazonaws.com");
    let arn = |service: &str, name: &str| format!("arn:aws:iam::{account}:role/aws-service-role/{service}/{name}");
    at_edge.then(|| {
        let roles = [arn(copies, "AWSServiceRoleForLambdaReplicator"), arn(logs, "AWSServiceRoleForCloudFrontLogger")];
        json!({"Sid": "EdgeServiceRoles", "Effect": "Allow", "Action": "iam:CreateServiceLinkedRole", "Resource": roles,
               "Condition": {"StringEquals": {"iam:AWSServiceName": [copies, logs]}}})
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_that_is_called_for_is_granted() {
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::FunctionVersion && kind.in_aws()) {
            assert!(grants_of(kind).next().is_some(), "{}", kind.name());
        }
        let all: Vec<&Grant> = Kind::ALL.into_iter().flat_map(grants_of).collect();
        for grant in &all {
            assert!(grant.actions.is_sorted(), "{}: the actions are in order", grant.sid);
            // A statement gives all its actions on all its resources: its rows have the one or the other in common.
            let graph = Desired::new("prod");
            let facts = PolicyContext { spec: json!({}), account: "1", graph: &graph };
            for other in all.iter().filter(|other| other.sid == grant.sid) {
                let same = other.actions == grant.actions || (other.on)(&facts) == (grant.on)(&facts);
                assert!(same, "{}", grant.sid);
            }
        }
    }

    #[test]
    fn the_bucket_of_access_logs_may_be_opened_to_the_log_delivery() {
        let mut desired = Desired::new("prod");
        let bucket = crate::resource::Address::new("models", Kind::Bucket, "logs");
        let spec =
            json!({"logging": {"bucket": format!("{}.s3.amazonaws.com", crate::resource::link(&bucket, "name"))}});
        desired.add(Resource::new(bucket, Kind::Bucket, &json!({"name": "my.logs", "region": "us-east-1"})));
        let address = crate::resource::Address::new("cdn", Kind::Distribution, "main");
        desired.add(Resource::new(address, Kind::Distribution, &spec));
        let all = policy(&desired, "1");
        let statement = all["Statement"].as_array().unwrap().iter().find(|one| one["Sid"] == "AccessLogs").unwrap();
        assert_eq!(statement["Action"], json!(["s3:GetBucketAcl", "s3:PutBucketAcl"]));
        assert_eq!(statement["Resource"], json!(["arn:aws:s3:::my.logs"]));
    }

    #[test]
    fn keys_are_used_for_the_objects_of_the_plan_alone() {
        let mut desired = Desired::new("prod");
        let (key, region) = ("arn:aws:kms:us-east-1:1:key/a", "us-east-1");
        for name in ["with", "without"] {
            let address = crate::resource::Address::new("models", Kind::Bucket, name);
            let spec = json!({"name": name, "region": region, "kms_key": format!("{key}-{name}")});
            desired.add(Resource::new(address, Kind::Bucket, &spec));
        }
        let bucket = crate::resource::Address::new("models", Kind::Bucket, "with");
        let spec = json!({"bucket": crate::resource::link(&bucket, "name"), "region": region, "key": "k"});
        let object = crate::resource::Address::new("models", Kind::Object, "one");
        desired.add(Resource::new(object, Kind::Object, &spec));
        let all = policy(&desired, "1");
        let statement = all["Statement"].as_array().unwrap().iter().find(|one| one["Sid"] == "BucketKeys").unwrap();
        assert_eq!(statement["Resource"], json!([format!("{key}-with")]));
    }

    #[test]
    fn a_web_acl_may_be_read_where_there_is_one() {
        let arn = "arn:aws:wafv2:us-east-1:000000000000:global/webacl/a/b";
        let granted = |spec: Value| {
            let mut desired = Desired::new("prod");
            let address = crate::resource::Address::new("cdn", Kind::Distribution, "main");
            desired.add(Resource::new(address, Kind::Distribution, &spec));
            let all = policy(&desired, "000000000000");
            let statements = all["Statement"].as_array().cloned().unwrap_or_default();
            statements.into_iter().find(|statement| statement["Sid"] == "WebAcl")
        };
        let statement = granted(json!({"web_acl_id": arn})).expect("granted");
        assert_eq!((&statement["Action"], &statement["Resource"]), (&json!(["wafv2:GetWebACL"]), &json!([arn])));
        assert_eq!(granted(json!({"web_acl_id": ""})), None);
        assert_eq!(granted(json!({})), None);
    }
}
