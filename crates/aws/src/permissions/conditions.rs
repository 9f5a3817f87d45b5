//! What a grant is held to besides the names of its resources: boundaries of roles, the stack's tag, names of certificates and
//! records.
//!
//! Without them the grants lead further: whoever writes a role's policies and hands it to a function can give that function, and so
//! himself, everything; and whoever may put the stack's tag on anything makes it the stack's.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use super::grants::{
    ATTACH_POLICIES, CHANGE_RECORDS, GIVE_ROLES, MAKE_DISTRIBUTIONS, OWN_CERTIFICATES, OWN_DISTRIBUTIONS,
    REQUEST_CERTIFICATES, TAG_CERTIFICATES, TAG_DISTRIBUTIONS,
};
use super::{Ids, context, facts};
use crate::resource::certificate::CertificateSpec;
use crate::resource::role::RoleSpec;
use crate::resource::{ACCOUNT, Desired, Kind, Resource, STACK_TAG};

/// The statements with conditions that a graph needs.
pub fn statements(desired: &Desired, account: &str, ids: &Ids) -> Vec<Value> {
    let mut all = bounded_roles(desired, account);
    all.extend(attached_policies(desired, account));
    all.extend(distributions(desired, account));
    all.extend(certificates(desired, account));
    all.extend(own_records(desired, account, ids));
    all
}

fn allow(sid: &str, actions: &[&str], on: impl Serialize) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": on})
}

/// The same with a condition.
fn when(mut statement: Value, condition: Value) -> Value {
    statement["Condition"] = condition;
    statement
}

fn roles(desired: &Desired) -> impl Iterator<Item = RoleSpec> {
    let roles = desired.resources.values().filter(|resource| resource.kind == Kind::Role);
    roles.filter_map(|role| serde_json::from_value(role.spec.clone()).ok())
}

fn arn(account: &str, role: &RoleSpec) -> String {
    format!("arn:aws:iam::{account}:role/{}", role.name)
}

/// The boundary of a role, with the account filled in.
fn boundary(account: &str, role: &RoleSpec) -> Option<String> {
    role.boundary.as_ref().map(|arn| arn.replace(ACCOUNT, account))
}

/// A role is made, gets policies and says who may take it on only with its boundary.
fn bounded_roles(desired: &Desired, account: &str) -> Vec<Value> {
    let mut by_boundary: BTreeMap<Option<String>, BTreeSet<String>> = BTreeMap::new();
    for role in roles(desired) {
        by_boundary.entry(boundary(account, &role)).or_default().insert(arn(account, &role));
    }
    let statement = |(at, (boundary, roles)): (usize, (Option<String>, BTreeSet<String>))| {
        let one = allow(&format!("GiveRoles{}", at + 1), GIVE_ROLES, roles);
        match boundary {
            Some(boundary) => when(one, json!({"ArnEquals": {"iam:PermissionsBoundary": boundary}})),
            None => one,
        }
    };
    by_boundary.into_iter().enumerate().map(statement).collect()
}

/// Managed policies: those that the plan names, and no others, within the role's boundary.
fn attached_policies(desired: &Desired, account: &str) -> Vec<Value> {
    let with = roles(desired).filter(|role| !role.managed.is_empty());
    let statement = |(at, role): (usize, RoleSpec)| {
        let mut equal = json!({"iam:PolicyARN": role.managed});
        if let Some(boundary) = boundary(account, &role) {
            equal["iam:PermissionsBoundary"] = boundary.into();
        }
        let one = allow(&format!("AttachPolicies{}", at + 1), ATTACH_POLICIES, [arn(account, &role)]);
        when(one, json!({"ArnEquals": equal}))
    };
    with.enumerate().map(statement).collect()
}

/// What carries the stack's tag.
fn own(stack: &str) -> Value {
    let key = format!("aws:ResourceTag/{STACK_TAG}");
    json!({"StringEquals": {key: stack}})
}

/// What is made with the stack's tag.
fn marked(stack: &str) -> Value {
    let key = format!("aws:RequestTag/{STACK_TAG}");
    json!({"StringEquals": {key: stack}})
}

/// No resource of others gets the stack's tag. The patterns match IDs that exist: a new resource has no ID yet when AWS evaluates the
/// policies, and its ARN has a star in that place.
fn no_others(sid: &str, actions: &[&str], on: impl Serialize, stack: &str) -> Value {
    let key = format!("aws:ResourceTag/{STACK_TAG}");
    json!({"Sid": sid, "Effect": "Deny", "Action": actions, "Resource": on,
           "Condition": {"StringNotEquals": {key: stack}}})
}

/// IDs are not known before; what does not carry the stack's tag is somebody else's.
fn distributions(desired: &Desired, account: &str) -> Vec<Value> {
    if !desired.resources.values().any(|resource| resource.kind == Kind::Distribution) {
        return Vec::new();
    }
    let stack = desired.stack.as_str();
    let (every, given) = ("distribution/*", "distribution/E*");
    let on = |what: &str| [format!("arn:aws:cloudfront::{account}:{what}")];
    vec![
        when(allow("OwnDistributions", OWN_DISTRIBUTIONS, on(every)), own(stack)),
        when(allow("MakeDistributions", MAKE_DISTRIBUTIONS, ["*"]), marked(stack)),
        when(allow("TagDistributions", TAG_DISTRIBUTIONS, on(every)), marked(stack)),
        no_others("OthersDistributions", TAG_DISTRIBUTIONS, on(given), stack),
    ]
}

/// The same for certificates; and only those names are asked for that the plan has.
fn certificates(desired: &Desired, account: &str) -> Vec<Value> {
    let all = desired.resources.values().filter(|resource| resource.kind == Kind::Certificate);
    let all: Vec<CertificateSpec> = all.filter_map(|one| serde_json::from_value(one.spec.clone()).ok()).collect();
    if all.is_empty() {
        return Vec::new();
    }
    let stack = desired.stack.as_str();
    let on = |what: &str| -> BTreeSet<String> {
        all.iter().map(|one| format!("arn:aws:acm:{}:{account}:certificate/{what}", one.region)).collect()
    };
    let names: BTreeSet<&String> =
        all.iter().flat_map(|one| one.alternative_names.iter().chain([&one.domain])).collect();
    let mut asking = marked(stack);
    if !names.iter().any(|name| name.contains("${")) {
        asking["ForAllValues:StringEqualsIgnoreCase"] = json!({"acm:DomainNames": names});
    }
    vec![
        when(allow("OwnCertificates", OWN_CERTIFICATES, on("*")), own(stack)),
        when(allow("RequestCertificates", REQUEST_CERTIFICATES, ["*"]), asking),
        when(allow("TagCertificates", TAG_CERTIFICATES, on("*")), marked(stack)),
        no_others("OthersCertificates", TAG_CERTIFICATES, on("*-*"), stack),
    ]
}

/// Records of the plan's zones, and those of other zones that it names.
fn own_records(desired: &Desired, account: &str, ids: &Ids) -> Option<Value> {
    let groups = desired.resources.values().filter(|resource| resource.kind == Kind::Records);
    let on = |group: &Resource| context::zone_of_records(&facts(desired, group, account, ids));
    let zones: BTreeSet<String> = groups.flat_map(on).collect();
    if zones.is_empty() {
        return None;
    }
    let mut statement = allow("ChangeRecords", CHANGE_RECORDS, zones);
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
    // Those that certificates want are in the zones of the plan.
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
    use crate::resource::Address;

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
    fn a_role_gets_policies_and_trust_only_within_its_boundary() {
        let own = format!("arn:aws:iam::{ACCOUNT}:policy/B2");
        let all = statements(
            &graph(&[role("a", json!({"boundary": "B1"})), role("b", json!({"boundary": own}))]),
            "1",
            &Ids::new(),
        );
        assert_eq!(sids(&all), ["GiveRoles1", "GiveRoles2"]);
        assert_eq!(all[0]["Resource"], json!(["arn:aws:iam::1:role/a"]));
        assert_eq!(all[0]["Condition"], json!({"ArnEquals": {"iam:PermissionsBoundary": "B1"}}));
        assert_eq!(all[1]["Condition"], json!({"ArnEquals": {"iam:PermissionsBoundary": "arn:aws:iam::1:policy/B2"}}));
        assert!(GIVE_ROLES.contains(&"iam:UpdateAssumeRolePolicy"), "{GIVE_ROLES:?}");
    }

    #[test]
    fn only_the_policies_of_the_plan_are_attached() {
        let none = statements(&graph(&[role("a", json!({"boundary": "B"}))]), "1", &Ids::new());
        assert!(!none.iter().any(|statement| statement.to_string().contains("AttachRolePolicy")), "{none:#?}");
        let one = statements(&graph(&[role("a", json!({"managed": ["P"], "boundary": "B"}))]), "1", &Ids::new());
        assert_eq!(sids(&one), ["GiveRoles1", "AttachPolicies1"]);
        let equal = json!({"ArnEquals": {"iam:PolicyARN": ["P"], "iam:PermissionsBoundary": "B"}});
        assert_eq!(one[1]["Condition"], equal);
    }

    #[test]
    fn certificates_are_asked_for_by_the_names_of_the_plan_and_with_its_tag() {
        let spec = |domain: &str| json!({"region": "us-east-1", "domain": domain, "alternative_names": ["b.example"]});
        let all = statements(&graph(&[(Kind::Certificate, "c", spec("a.example"))]), "1", &Ids::new());
        assert_eq!(sids(&all), ["OwnCertificates", "RequestCertificates", "TagCertificates", "OthersCertificates"]);
        let names = json!({"acm:DomainNames": ["a.example", "b.example"]});
        assert_eq!(all[1]["Condition"]["ForAllValues:StringEqualsIgnoreCase"], names);
        let tag = json!({"aws:RequestTag/akidb:stack": "prod"});
        assert_eq!((&all[1]["Condition"]["StringEquals"], &all[2]["Condition"]["StringEquals"]), (&tag, &tag));
        let given = json!(["arn:aws:acm:us-east-1:1:certificate/*-*"]);
        assert_eq!((&all[3]["Effect"], &all[3]["Resource"]), (&json!("Deny"), &given));
        let open = statements(&graph(&[(Kind::Certificate, "c", spec("${x#name}"))]), "1", &Ids::new());
        assert_eq!(open[1]["Condition"], json!({"StringEquals": tag}));
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
