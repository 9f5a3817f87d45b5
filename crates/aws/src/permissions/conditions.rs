//! What a grant is held to besides the names of its resources: boundaries of roles, the stack's tag, the names of records.
//!
//! Without them the grants lead further: whoever writes a role's policies and hands it to a function can give that function, and so
//! himself, everything.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::resource::role::RoleSpec;
use crate::resource::{Desired, Kind, STACK_TAG};

/// Calls that give a role something. AWS knows the boundary of the role in each of them.
const GIVING: [&str; 3] = ["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"];

/// The statements with conditions that a graph needs.
pub fn statements(desired: &Desired, account: &str) -> Vec<Value> {
    let mut all = bounded_roles(desired, account);
    all.extend(attached_policies(desired, account));
    all.extend(own_distributions(desired, account));
    all.extend(own_certificates(desired, account));
    all.extend(own_records(desired));
    all
}

fn roles(desired: &Desired) -> impl Iterator<Item = RoleSpec> {
    let roles = desired.resources.values().filter(|resource| resource.kind == Kind::Role);
    roles.filter_map(|role| serde_json::from_value(role.spec.clone()).ok())
}

fn arn(account: &str, role: &RoleSpec) -> String {
    format!("arn:aws:iam::{account}:role/{}", role.name)
}

/// A role is made, and gets policies, only with its boundary. The second statement is for a role without one: the condition of the
/// first holds where a request has no such key.
fn bounded_roles(desired: &Desired, account: &str) -> Vec<Value> {
    let mut by_boundary: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut unbounded = BTreeSet::new();
    for role in roles(desired) {
        match &role.boundary {
            Some(boundary) => drop(by_boundary.entry(boundary.clone()).or_default().insert(arn(account, &role))),
            None => drop(unbounded.insert(arn(account, &role))),
        }
    }
    let mut all = Vec::new();
    if !unbounded.is_empty() {
        all.push(json!({"Sid": "GiveRoles", "Effect": "Allow", "Action": GIVING, "Resource": unbounded}));
    }
    for (at, (boundary, roles)) in by_boundary.into_iter().enumerate() {
        let number = at + 1;
        all.push(json!({"Sid": format!("GiveRoles{number}"), "Effect": "Allow", "Action": GIVING, "Resource": roles,
            "Condition": {"ArnEqualsIfExists": {"iam:PermissionsBoundary": boundary}}}));
        all.push(json!({"Sid": format!("OnlyBounded{number}"), "Effect": "Deny", "Action": GIVING, "Resource": roles,
            "Condition": by_people(json!({"ArnNotEquals": {"iam:PermissionsBoundary": boundary}}))}));
    }
    all
}

/// The condition, for everybody but AWS's own services: a key that is in each request to AWS.
fn by_people(mut condition: Value) -> Value {
    condition["Bool"] = json!({"aws:PrincipalIsAWSService": "false"});
    condition
}

/// Managed policies: those that the plan names, and no others.
fn attached_policies(desired: &Desired, account: &str) -> Option<Value> {
    let with: Vec<RoleSpec> = roles(desired).filter(|role| !role.managed.is_empty()).collect();
    let on: BTreeSet<String> = with.iter().map(|role| arn(account, role)).collect();
    let policies: BTreeSet<&String> = with.iter().flat_map(|role| &role.managed).collect();
    (!on.is_empty()).then(|| {
        json!({"Sid": "AttachPolicies", "Effect": "Allow", "Action": ["iam:AttachRolePolicy", "iam:DetachRolePolicy"],
               "Resource": on, "Condition": {"ArnEquals": {"iam:PolicyARN": policies}}})
    })
}

/// Ids are not known before; what does not carry the stack's tag is somebody else's.
fn own(sid: &str, actions: &[&str], on: &BTreeSet<String>, stack: &str) -> Option<Value> {
    let key = format!("aws:ResourceTag/{STACK_TAG}");
    (!on.is_empty()).then(|| {
        json!({"Sid": sid, "Effect": "Deny", "Action": actions, "Resource": on,
               "Condition": by_people(json!({"StringNotEquals": {key: stack}}))})
    })
}

fn own_distributions(desired: &Desired, account: &str) -> Option<Value> {
    let on = desired.resources.values().filter(|resource| resource.kind == Kind::Distribution);
    let on = on.map(|_| format!("arn:aws:cloudfront::{account}:distribution/*")).collect();
    own("OwnDistributions", &["cloudfront:DeleteDistribution", "cloudfront:UpdateDistribution"], &on, &desired.stack)
}

fn own_certificates(desired: &Desired, account: &str) -> Option<Value> {
    let certificates = desired.resources.values().filter(|resource| resource.kind == Kind::Certificate);
    let regions = certificates.filter_map(|resource| resource.spec.get("region")?.as_str());
    let on = regions.map(|region| format!("arn:aws:acm:{region}:{account}:certificate/*")).collect();
    own("OwnCertificates", &["acm:DeleteCertificate"], &on, &desired.stack)
}

/// Records of the plan's zones, and those of other zones that it names.
fn own_records(desired: &Desired) -> Option<Value> {
    if !desired.resources.values().any(|resource| resource.kind == Kind::Records) {
        return None;
    }
    let mut statement = json!({"Sid": "ChangeRecords", "Effect": "Allow", "Action": ["route53:ChangeResourceRecordSets"],
                               "Resource": ["arn:aws:route53:::hostedzone/*"]});
    if let Some(names) = record_names(desired) {
        statement["Condition"] =
            json!({"ForAllValues:StringLike": {"route53:ChangeResourceRecordSetsNormalizedRecordNames": names}});
    }
    Some(statement)
}

/// Patterns of all names; nothing when one is not known before the run.
fn record_names(desired: &Desired) -> Option<BTreeSet<String>> {
    let of = |kind: Kind| desired.resources.values().filter(move |resource| resource.kind == kind);
    let zones: BTreeSet<String> =
        of(Kind::Zone).filter_map(|zone| Some(normal(zone.spec.get("name")?.as_str()?))).collect();
    let sets = of(Kind::Records).filter_map(|group| group.spec.get("sets")?.as_array()).flatten();
    let names: BTreeSet<String> = sets.filter_map(|set| Some(normal(set.get("name")?.as_str()?))).collect();
    // Those that certificates want lie in the zones of the plan.
    let (unknown, known): (BTreeSet<String>, BTreeSet<String>) =
        names.into_iter().partition(|name| name.contains("${"));
    if !unknown.is_empty() && zones.is_empty() {
        return None;
    }
    let inside = |name: &String| zones.iter().any(|zone| name == zone || name.ends_with(&format!(".{zone}")));
    let others: Vec<String> = known.into_iter().filter(|name| !inside(name)).collect();
    let below = zones.iter().map(|zone| format!("*.{zone}"));
    Some(zones.iter().cloned().chain(below).chain(others).collect())
}

/// A name as Route 53 compares it (Developer Guide, "Using IAM policy conditions for fine-grained access control").
fn normal(name: &str) -> String {
    name.trim_end_matches('.').to_lowercase().replace('*', "\\052")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Address, Resource};

    fn graph(all: &[(Kind, &str, Value)]) -> Desired {
        let mut desired = Desired::new("prod");
        for (kind, name, spec) in all {
            desired.add(Resource::new(Address::new("x", *kind, name), *kind, spec));
        }
        desired
    }

    fn role(name: &str, more: Value) -> (Kind, &'static str, Value) {
        let mut spec = json!({"name": name, "description": "", "trust": {}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        (Kind::Role, if name == "a" { "a" } else { "b" }, spec)
    }

    fn sids(all: &[Value]) -> Vec<&str> {
        all.iter().map(|statement| statement["Sid"].as_str().unwrap()).collect()
    }

    #[test]
    fn a_role_gets_policies_only_within_its_boundary() {
        let all =
            statements(&graph(&[role("a", json!({"boundary": "B1"})), role("b", json!({"boundary": "B2"}))]), "1");
        assert_eq!(sids(&all), ["GiveRoles1", "OnlyBounded1", "GiveRoles2", "OnlyBounded2"]);
        assert_eq!(all[0]["Resource"], json!(["arn:aws:iam::1:role/a"]));
        assert_eq!(all[1]["Condition"]["ArnNotEquals"], json!({"iam:PermissionsBoundary": "B1"}));
        assert_eq!((&all[1]["Effect"], &all[1]["Action"]), (&json!("Deny"), &json!(GIVING)));
    }

    #[test]
    fn only_the_policies_of_the_plan_are_attached() {
        let none = statements(&graph(&[role("a", json!({"boundary": "B"}))]), "1");
        assert!(!none.iter().any(|statement| statement.to_string().contains("AttachRolePolicy")), "{none:#?}");
        let one = statements(&graph(&[role("a", json!({"managed": ["P"]}))]), "1");
        assert_eq!(sids(&one), ["GiveRoles", "AttachPolicies"]);
        assert_eq!(one[1]["Condition"], json!({"ArnEquals": {"iam:PolicyARN": ["P"]}}));
    }

    #[test]
    fn records_are_those_of_the_zones_and_of_the_plan() {
        let sets = |names: &[&str]| json!({"zone_id": "z", "sets": names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>()});
        let zone = (Kind::Zone, "z", json!({"name": "Example.com."}));
        let names =
            |all: &[(Kind, &str, Value)]| record_names(&graph(all)).map(|names| names.into_iter().collect::<Vec<_>>());
        let records = (Kind::Records, "r", sets(&["a.example.com", "*.other.org", "${x#name}"]));
        let wanted = ["*.example.com", "\\052.other.org", "example.com"].map(str::to_owned);
        assert_eq!(names(&[zone, records.clone()]), Some(wanted.to_vec()));
        assert_eq!(names(&[records]), None);
        assert_eq!(names(&[(Kind::Records, "r", sets(&["a.b"]))]), Some(vec!["a.b".to_owned()]));
    }
}
