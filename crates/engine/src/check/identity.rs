//! Rule on two resources of a plan that are the same resource in AWS.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::rule::{CheckRule, CheckedResource, RuleFindings, error};
use super::scope::{CheckScope, is_open, whole};
use super::{Finding, RelatedPlace};
use crate::resource::manifest::api_group;
use crate::resource::{Kind, Resource, identity_paths};

pub(super) const RULES: &[CheckRule<Value>] = &[error(
    "GR006-same-thing-twice",
    "no two resources of the plan are the same AWS resource",
    "the second create answers that it exists (BucketAlreadyOwnedByYou, CachePolicyAlreadyExists, \
     EntityAlreadyExists, ResourceConflictException), or both change the same resource in turn",
    "give each its own name, or refer to the first one",
    twice,
)];

/// One thing of AWS that a resource stands for: what is told apart, in words, and where its spec says so.
struct Thing {
    key: Vec<String>,
    path: String,
}

/// The first holder of each thing of a graph.
pub(super) type Holders = BTreeMap<(Kind, Vec<String>), RelatedPlace>;

fn holders(scope: &CheckScope<'_>) -> Holders {
    let mut held = Holders::new();
    for (address, resource) in &scope.desired.resources {
        for Thing { key, path } in things(scope, resource) {
            held.entry((resource.kind, key)).or_insert_with(|| RelatedPlace { address: address.clone(), path });
        }
    }
    held
}

fn twice(seen: &CheckedResource<'_, Value>, notes: &mut RuleFindings<'_>) {
    let Some(own) = seen.scope.desired.resources.get(seen.address) else { return };
    // Record sets have a rule of their own, which knows how Route 53 spells names.
    if own.kind == Kind::Records {
        return;
    }
    let held = seen.scope.holders.get_or_init(|| holders(seen.scope));
    for Thing { key, path } in things(seen.scope, own) {
        let text = key.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ");
        // The same set twice in one group is the business of another rule.
        let Some(first) = held.get(&(own.kind, key)).filter(|first| first.address != *seen.address) else { continue };
        let (verb, too) = if is_open(&text) { ("refers to", "does") } else { ("is", "is") };
        notes.add_beside(path, format!("it {verb} `{text}`, and so {too} `{}`", first.address), first.clone());
    }
}

/// Says of record sets that are in two groups where the other one is, whichever rule found them.
pub(super) fn second_places(scope: &CheckScope<'_>, found: &mut [Finding]) {
    for finding in found.iter_mut().filter(|finding| finding.also.is_none() && finding.rule.starts_with("R5209-")) {
        let Some(own) = scope.desired.resources.get(&finding.address) else { continue };
        let held = scope.holders.get_or_init(|| holders(scope));
        let inside = |path: &str| {
            path == finding.path || path.strip_prefix(&finding.path).is_some_and(|rest| rest.starts_with('.'))
        };
        let mine = things(scope, own).into_iter().filter(|thing| inside(&thing.path));
        let first =
            mine.filter_map(|thing| held.get(&(own.kind, thing.key))).find(|first| first.address != finding.address);
        finding.also = first.cloned();
    }
}

/// The things that a resource stands for; none where two resources may share them.
fn things(scope: &CheckScope<'_>, resource: &Resource) -> Vec<Thing> {
    let fields: &[&str] = match resource.kind {
        Kind::Records => return record_sets(resource),
        Kind::Certificate => return certificate(resource).into_iter().collect(),
        Kind::FunctionVersion | Kind::HealthCheck | Kind::Packages => return Vec::new(),
        kind if kind.facts().lookup => return Vec::new(),
        kind => identity_paths(kind),
    };
    let key: Option<Vec<String>> = fields.iter().map(|field| text(scope, resource, field)).collect();
    let named = key.filter(|key| !key.is_empty()).zip(fields.first());
    named.map(|(key, field)| Thing { key, path: (*field).to_owned() }).into_iter().collect()
}

/// The text of a field; a reference to a bucket's name is that name.
fn text(scope: &CheckScope<'_>, resource: &Resource, field: &str) -> Option<String> {
    let text = resource.spec.get(field)?.as_str()?;
    let bucket = whole(text).filter(|to| to.attribute == "name").and_then(|_| scope.bucket(text));
    let text = bucket.map_or_else(|| text.to_owned(), |(_, bucket)| bucket.name);
    let facts = resource.kind.facts();
    if facts.api_versions.contains(&field) {
        return Some(api_group(&text).to_owned());
    }
    Some(if facts.domain_names.contains(&field) { name(&text) } else { text })
}

/// A DNS name as two that are the same are written alike.
fn name(text: &str) -> String {
    if is_open(text) { text.to_owned() } else { text.trim_end_matches('.').to_ascii_lowercase() }
}

fn record_sets(resource: &Resource) -> Vec<Thing> {
    let zone = resource.spec.get("zone_id").and_then(Value::as_str).unwrap_or_default();
    let sets = resource.spec.get("sets").and_then(Value::as_array);
    let part = |set: &Value, field: &str| set.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let thing = |(at, set): (usize, &Value)| Thing {
        key: vec![name(&part(set, "name")), part(set, "type"), part(set, "set_identifier"), zone.to_owned()],
        path: format!("sets.{at}"),
    };
    sets.into_iter().flatten().enumerate().map(thing).collect()
}

/// Certificates are told apart by their region and their names, in any order.
fn certificate(resource: &Resource) -> Option<Thing> {
    let others = resource.spec.get("alternative_names").and_then(Value::as_array);
    let others = others.into_iter().flatten().filter_map(Value::as_str);
    let names: BTreeSet<String> = others.chain([resource.spec.get("domain")?.as_str()?]).map(name).collect();
    let region = resource.spec.get("region")?.as_str()?.to_owned();
    Some(Thing { key: names.into_iter().chain([region]).collect(), path: "domain".to_owned() })
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, TODAY, case};
    use super::*;

    const TWICE: &str = "GR006-same-thing-twice";

    fn set(name: &str, kind: &str) -> Value {
        let values = if kind == "A" { json!(["192.0.2.1"]) } else { json!(["\"x\""]) };
        json!({"name": name, "type": kind, "ttl": 60, "values": values})
    }

    fn group(sets: Value) -> Value {
        json!({"zone_id": "${routing.zone.main#zone_id}", "sets": sets})
    }

    pub(in super::super) fn cases() -> Vec<Case> {
        let policy = |name: &str| json!({"name": name, "comment": "", "headers": "none", "query_strings": "none", "cookies": "none"});
        let names = json!({"region": "us-east-1", "domain": "*.akidb.com", "alternative_names": ["AkiDB.com"]});
        let reference = json!({"bucket": "${models.bucket.primary#name}", "region": "us-east-1", "key": "k",
            "sha256": "a".repeat(64), "bytes": 1, "content_type": "text/plain"});
        let mut literal = reference.clone();
        literal["bucket"] = json!("akidb-models");
        vec![
            case(TWICE).set("models.bucket.logs2", "", json!({"name": "akidb-logs", "region": "us-east-1"})),
            case(TWICE).set("cdn.origin-request-policy.two", "", policy("akidb-api")),
            case(TWICE).set("cdn.certificate.two", "", names).also("AC002-domain"),
            case(TWICE).set("models.object.one", "", reference).set("models.object.two", "", literal),
            case(TWICE)
                .set("routing.zone.third", "", json!({"name": "AKIDB.net.", "comment": ""}))
                .also("R5401-zone-name"),
        ]
    }

    #[test]
    fn the_other_place_is_named() {
        let logs = json!({"name": "akidb-logs", "region": "us-east-1"});
        let found = super::super::all(&case(TWICE).set("models.bucket.logs2", "", logs).desired, TODAY);
        let also = RelatedPlace { address: "cdn.bucket.logs".parse().expect("an address"), path: "name".to_owned() };
        assert_eq!(found.iter().map(|finding| finding.also.clone()).collect::<Vec<_>>(), [Some(also)]);
    }

    /// What the rule says when these are next to a good stack.
    fn said(more: &[(&str, Value)]) -> Vec<String> {
        let all = more.iter().fold(case(TWICE), |case, (address, spec)| case.set(address, "", spec.clone()));
        let found = super::super::all(&all.desired, TODAY).into_iter().filter(|finding| finding.rule == TWICE);
        found.map(|finding| format!("{} {}: {}", finding.address, finding.path, finding.problem)).collect()
    }

    #[test]
    fn things_are_told_apart_as_their_service_does() {
        let function = |region: &str| json!({"name": "akidb-embed", "region": region});
        assert_eq!(said(&[("edge.function.twin", function("eu-central-1"))]), Vec::<String>::new());
        assert_eq!(
            said(&[("edge.function.twin", function("us-east-1"))]),
            ["edge.function.twin name: it is `akidb-embed us-east-1`, and so is `edge.function.embed`"]
        );
        let version = json!({"function": "f", "region": "us-east-1", "code_sha256": "c", "settings": "s"});
        assert_eq!(said(&[("e.function-version.a", version.clone()), ("e.function-version.b", version)]).len(), 0);
        let packages = json!({"host": "h", "packages": {}});
        assert_eq!(said(&[("d.packages.a", packages.clone()), ("d.packages.b", packages)]).len(), 0);
        let balancer = json!({"region": "us-east-1", "name": "l"});
        let twice = [("r.load-balancer.a", balancer.clone()), ("r.load-balancer.b", balancer)];
        assert_eq!(said(&twice).len(), 0, "two may look for the same");
        let cluster = json!({"name": "west", "reach": {"kubeconfig": {"context": "west"}}});
        assert_eq!(said(&[("d.cluster.a", cluster.clone()), ("d.cluster.b", cluster)]).len(), 0);
        let mode = json!({"host": "h", "mode": "15W"});
        assert_eq!(
            said(&[("d.power-mode.a", mode.clone()), ("d.power-mode.b", mode)]),
            ["d.power-mode.b host: it is `h`, and so is `d.power-mode.a`"]
        );
        let policy = json!({"bucket": "${models.bucket.spare#arn}", "region": "us-east-1", "policy": {}});
        assert_eq!(
            said(&[("m.bucket-policy.a", policy.clone()), ("m.bucket-policy.b", policy)]),
            ["m.bucket-policy.b bucket: it refers to `${models.bucket.spare#arn}`, and so does `m.bucket-policy.a`"]
        );
        let certificate =
            |region: &str, names: &[&str]| json!({"region": region, "domain": "x.org", "alternative_names": names});
        let two = |region: &str, names: &[&str]| {
            said(&[
                ("c.certificate.a", certificate("us-east-1", &["a.org", "B.org."])),
                ("c.certificate.b", certificate(region, names)),
            ])
            .len()
        };
        assert_eq!(two("us-east-1", &["b.org", "A.org"]), 1, "in any order and case");
        assert_eq!((two("eu-west-1", &["a.org", "b.org"]), two("us-east-1", &["a.org"])), (0, 0));
    }

    #[test]
    fn the_other_place_of_a_record_set_is_named() {
        let case = case(TWICE)
            .set("routing.records.one", "", group(json!([set("a.akidb.com", "TXT"), set("b.akidb.com", "A")])))
            .set("routing.records.two", "", group(json!([set("b.akidb.com", "A"), set("b.akidb.com", "TXT")])));
        let found = super::super::all(&case.desired, TODAY);
        let found: Vec<_> = found.iter().filter(|finding| finding.rule.starts_with("R5209-")).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        let also =
            RelatedPlace { address: "routing.records.one".parse().expect("an address"), path: "sets.1".to_owned() };
        assert_eq!((found[0].address.as_str(), found[0].also.as_ref()), ("routing.records.two", Some(&also)));
    }
}
