//! The least that the tool itself must be allowed to do for a plan: an IAM policy made from its graph. Pure.
//!
//! Source of the actions: the operations that the providers of this crate call, by the Service Authorization Reference
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
use crate::resource::{Address, Desired, Kind, Resource, resolve};
pub use boundary::boundaries;
pub use context::PolicyContext;
pub use grants::{Grant, LOOK, MAKE};
pub use parts::{MOST, parts, size};
pub use simulate::{MissingAction, Simulation, simulate};

/// What services call the things of a stack, by address: those that are made and known.
pub type Ids = BTreeMap<Address, String>;

/// The policy document for everything in `desired`. `account` is twelve digits, or `*` when it is not known. What is in `ids` is
/// named by its ID where the ID is chosen by AWS; the rest of its sort is then out of reach.
pub fn policy(desired: &Desired, account: &str, ids: &Ids) -> Value {
    let mut statements: BTreeMap<&str, (BTreeSet<&str>, BTreeSet<String>)> = BTreeMap::new();
    for resource in desired.resources.values() {
        let facts = facts(desired, resource, account, ids);
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
    all.extend(clusters::statement(desired, account, ids));
    all.extend(conditions::statements(desired, account, ids));
    all.extend(handed_over(desired, account));
    all.extend(service_linked_roles(desired, account));
    json!({"Version": "2012-10-17", "Statement": all})
}

fn facts<'a>(desired: &'a Desired, resource: &Resource, account: &'a str, ids: &'a Ids) -> PolicyContext<'a> {
    let id = ids.get(&resource.address).map_or("*", String::as_str);
    PolicyContext { spec: literal(desired, resource, ids), account, id, graph: desired }
}

/// A spec with the names of other resources of the graph filled in, and their IDs as far as they are known.
fn literal(desired: &Desired, resource: &Resource, ids: &Ids) -> Value {
    resolve(&resource.spec, &|address, attribute| {
        let address: Address = address.parse().ok()?;
        let target = desired.resources.get(&address)?;
        let named = target.spec.get(attribute).filter(|value| value.is_string()).cloned();
        // The ID of a hosted zone is its attribute `zone_id`; that of a distribution names CloudFront's own zone.
        let is_id = attribute == "id" || target.kind == Kind::Zone && attribute == "zone_id";
        named.or_else(|| ids.get(&address).filter(|_| is_id).cloned().map(Value::from))
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
    use crate::resource::link;

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
            let facts = PolicyContext { spec: json!({}), account: "1", id: "*", graph: &graph };
            for other in all.iter().filter(|other| other.sid == grant.sid) {
                let same = other.actions == grant.actions || (other.on)(&facts) == (grant.on)(&facts);
                assert!(same, "{}", grant.sid);
            }
        }
    }

    #[test]
    fn what_is_granted_on_everything_is_on_the_page_about_security() {
        let page = include_str!("../../../../docs/security.md");
        let (_, about) = page.split_once("*Actions that AWS cannot restrict.*").expect("the paragraph");
        let about = about.split("\n\n").next().unwrap_or_default();
        let graph = Desired::new("prod");
        let facts = PolicyContext { spec: json!({}), account: "1", id: "*", graph: &graph };
        let open = Kind::ALL.into_iter().flat_map(grants_of).filter(|grant| (grant.on)(&facts) == ["*"]);
        let granted: BTreeSet<&str> = open.flat_map(|grant| grant.actions.iter().copied()).collect();
        let named: BTreeSet<&str> = about
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| word.contains(':') && !word.contains("::") && !word.contains(' '))
            .collect();
        assert_eq!(named, granted);
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
        let all = policy(&desired, "1", &Ids::new());
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
        let all = policy(&desired, "1", &Ids::new());
        let statement = all["Statement"].as_array().unwrap().iter().find(|one| one["Sid"] == "BucketKeys").unwrap();
        assert_eq!(statement["Resource"], json!([format!("{key}-with")]));
    }

    #[test]
    fn what_is_deployed_is_named_by_its_id_and_nothing_else_of_its_sort() {
        let mut desired = Desired::new("prod");
        let all = [
            (Kind::Zone, "z", json!({"name": "example.com"})),
            (Kind::HealthCheck, "h", json!({})),
            (Kind::CachePolicy, "c", json!({"name": "c"})),
            (Kind::OriginRequestPolicy, "o", json!({"name": "o"})),
            (Kind::ResponseHeadersPolicy, "r", json!({"name": "r"})),
            (Kind::OriginAccess, "a", json!({"name": "a"})),
            (Kind::Distribution, "d", json!({})),
            (Kind::Certificate, "t", json!({"region": "us-east-1", "domain": "example.com"})),
        ];
        let at = |kind: Kind, name: &str| Address::new("x", kind, name);
        for (kind, name, spec) in &all {
            desired.add(Resource::new(at(*kind, name), *kind, spec));
        }
        for (name, zone) in [("own", link(&at(Kind::Zone, "z"), "zone_id")), ("other", "/hostedzone/ZOTHER".to_owned())]
        {
            let spec = json!({"zone_id": zone, "sets": []});
            desired.add(Resource::new(at(Kind::Records, name), Kind::Records, &spec));
        }
        let on = |ids: &Ids, sid: &str| -> Vec<String> {
            let policy = policy(&desired, "1", ids);
            let all = policy["Statement"].as_array().cloned().unwrap_or_default();
            let one = all.into_iter().find(|statement| statement["Sid"] == sid).unwrap_or_default();
            serde_json::from_value(one["Resource"].clone()).expect(sid)
        };
        let before = Ids::new();
        let zone = |id: &str| format!("arn:aws:route53:::hostedzone/{id}");
        assert_eq!(on(&before, "Zones"), [zone("*")]);
        assert_eq!(on(&before, "ChangeRecords"), [zone("*"), zone("ZOTHER")]);
        let mut ids: Ids = all.iter().map(|(kind, name, _)| (at(*kind, name), format!("ID{name}"))).collect();
        let certificate = "arn:aws:acm:us-east-1:1:certificate/abc".to_owned();
        ids.insert(at(Kind::Certificate, "t"), certificate.clone());
        assert_eq!(on(&ids, "Zones"), [zone("IDz")]);
        for sid in ["Records", "ChangeRecords"] {
            assert_eq!(on(&ids, sid), [zone("IDz"), zone("ZOTHER")], "{sid}");
        }
        assert_eq!(on(&ids, "HealthChecks"), ["arn:aws:route53:::healthcheck/IDh"]);
        assert_eq!(on(&ids, "Tags"), ["arn:aws:route53:::healthcheck/IDh".to_owned(), zone("IDz")]);
        assert_eq!(on(&ids, "Certificates"), [certificate]);
        let stars = |ids: &Ids| {
            let policy = policy(&desired, "1", ids).to_string();
            let sorts = ["cache-policy", "origin-request-policy", "response-headers-policy", "origin-access-control"];
            sorts.map(|sort| policy.contains(&format!("{sort}/*\"")))
        };
        assert_eq!((stars(&before), stars(&ids)), ([true; 4], [false; 4]));
        // One that is not made yet keeps all of its sort in reach.
        ids.remove(&at(Kind::CachePolicy, "c"));
        assert_eq!(stars(&ids), [true, false, false, false]);
    }

    #[test]
    fn a_web_acl_may_be_read_where_there_is_one() {
        let arn = "arn:aws:wafv2:us-east-1:000000000000:global/webacl/a/b";
        let granted = |spec: Value| {
            let mut desired = Desired::new("prod");
            let address = crate::resource::Address::new("cdn", Kind::Distribution, "main");
            desired.add(Resource::new(address, Kind::Distribution, &spec));
            let all = policy(&desired, "000000000000", &Ids::new());
            let statements = all["Statement"].as_array().cloned().unwrap_or_default();
            statements.into_iter().find(|statement| statement["Sid"] == "WebAcl")
        };
        let statement = granted(json!({"web_acl_id": arn})).expect("granted");
        assert_eq!((&statement["Action"], &statement["Resource"]), (&json!(["wafv2:GetWebACL"]), &json!([arn])));
        assert_eq!(granted(json!({"web_acl_id": ""})), None);
        assert_eq!(granted(json!({})), None);
    }
}
