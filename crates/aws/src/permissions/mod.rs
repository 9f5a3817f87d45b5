//! The least that the tool itself must be allowed to do for a plan: an IAM policy made from its graph. Pure.
//!
//! Source of the actions: the operations that the providers of this room call, by the Service Authorization Reference
//! (S3 names several actions otherwise than its operations). `sts:GetCallerIdentity` needs no permission.

mod conditions;
mod grants;
mod simulate;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::grants_of;
use crate::resource::{Desired, Kind, Resource, resolve};
pub use grants::{Facts, Grant, everything};
pub use simulate::{Missing, Simulation, simulate};

/// The policy document for everything in `desired`. `account` is twelve digits, or `*` when it is not known.
pub fn policy(desired: &Desired, account: &str) -> Value {
    let mut statements: BTreeMap<&str, (&[&str], BTreeSet<String>)> = BTreeMap::new();
    for resource in desired.resources.values() {
        let facts = Facts { spec: literal(desired, resource), account };
        for grant in grants_of(resource.kind) {
            let on = (grant.on)(&facts);
            if !on.is_empty() {
                statements.entry(grant.sid).or_insert((grant.actions, BTreeSet::new())).1.extend(on);
            }
        }
    }
    let mut all: Vec<Value> = statements
        .into_iter()
        .filter(|(_, (_, on))| !on.is_empty())
        .map(|(sid, (actions, on))| json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": on}))
        .collect();
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
        let services: Vec<String> =
            services.into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_owned())).collect();
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
    at_edge.then(|| {
        json!({"Sid": "EdgeServiceRoles", "Effect": "Allow", "Action": "iam:CreateServiceLinkedRole",
               "Resource": [
                   format!("arn:aws:iam::{account}:role/aws-service-role/replicator.lambda.amazonaws.com/AWSServiceRoleForLambdaReplicator"),
                   format!("arn:aws:iam::{account}:role/aws-service-role/logger.cloudfront.amazonaws.com/AWSServiceRoleForCloudFrontLogger"),
               ]})
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_that_is_called_for_is_granted() {
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::FunctionVersion && !kind.on_a_machine()) {
            assert!(grants_of(kind).next().is_some(), "{}", kind.name());
            for grant in grants_of(kind) {
                assert!(grant.actions.is_sorted(), "{}: the actions are in order", grant.sid);
            }
        }
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
