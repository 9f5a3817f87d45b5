//! Rules on the graph itself: references, needs, specs that fit their kind.

use serde_json::Value;

use super::policy::walk;
use super::rule::{CheckRule, CheckedResource, RuleFindings, error, warning};
use super::scope::{Reference, references};
use crate::resource::{Kind, has_references, is_reference};

pub(super) const RULES: &[CheckRule<Value>] = &[
    error(
        "GR001-unknown-reference",
        "every reference and every need names a resource of the plan",
        "the run stops there: nothing resolves this reference",
        "name a resource of this plan, or add the step that creates it",
        unknown_reference,
    ),
    error(
        "GR002-unknown-attribute",
        "every reference names an attribute that the kind provides",
        "the run stops there: nothing resolves this reference",
        "use an attribute of that kind",
        unknown_attribute,
    ),
    error(
        "GR003-circular-needs",
        "needs are not circular",
        "no resource of the cycle could be created first",
        "remove one of the needs, for example by making the bucket policy a separate resource",
        cycle,
    ),
    error(
        "GR004-spec-shape",
        "the spec has the shape of its kind",
        "the provider refuses a spec that does not fit",
        "write the fields of this kind, each with its type",
        shape,
    ),
    warning(
        "GR005-not-checked",
        "references are not used for numbers or lists",
        "the other rules cannot check such a spec, so its mistakes show only when AWS refuses it",
        "write the value itself, and references only for texts",
        unchecked,
    ),
];

fn unknown_reference(seen: &CheckedResource<'_, Value>, notes: &mut RuleFindings<'_>) {
    walk(&seen.spec, "", &mut |path, text| {
        for to in references(text).into_iter().filter(|to| !is_of_a_script(seen, to)) {
            let lost = !to.address.is_empty() && seen.scope.at(to.address).is_none();
            notes.add_if(lost, path, || format!("`{}` is not in the plan", to.address));
        }
    });
    let resources = &seen.scope.desired.resources;
    let named = crate::resource::references(&seen.spec);
    let needs = resources.get(seen.address).into_iter().flat_map(|resource| resource.needs.keys());
    for need in needs.filter(|need| !resources.contains_key(*need) && !named.contains(*need)) {
        notes.add("", format!("it needs `{need}`, which is not in the plan"));
    }
}

/// Whether it only reads like a reference: objects of clusters hold scripts, and `${name#prefix}` is the shell's. Elsewhere it is
/// a mistake.
fn is_of_a_script(seen: &CheckedResource<'_, Value>, to: &Reference<'_>) -> bool {
    let object = seen.scope.desired.resources.get(seen.address).is_some_and(|own| own.kind == Kind::Manifest);
    object && !is_reference(to.address, to.attribute)
}

fn unknown_attribute(seen: &CheckedResource<'_, Value>, notes: &mut RuleFindings<'_>) {
    walk(&seen.spec, "", &mut |path, text| {
        for to in references(text).into_iter().filter(|to| !is_of_a_script(seen, to)) {
            if to.address.is_empty() {
                let wrong = to.attribute != "account";
                notes.add_if(wrong, path, || format!("unknown fact `{}`; the only fact is `account`", to.attribute));
            } else if let Some((address, target)) = seen.scope.at(to.address)
                && !target.kind.facts().has_attribute(to.attribute)
            {
                let known = target.kind.facts().attributes.join(", ");
                let known = if known.is_empty() { "nothing".to_owned() } else { known };
                notes.add_with(
                    path,
                    format!("`{address}` has no attribute `{}`", to.attribute),
                    format!("a {} has the attributes: {known}", target.kind.name()),
                );
            }
        }
    });
}

fn cycle(seen: &CheckedResource<'_, Value>, notes: &mut RuleFindings<'_>) {
    if let Some(cycle) = seen.scope.cycle().filter(|cycle| cycle.at == *seen.address) {
        let names: Vec<&str> = cycle.places.iter().chain(cycle.places.first()).map(String::as_str).collect();
        notes.add("", format!("circular needs, each needs the next: {}", names.join(" -> ")));
    }
}

fn shape(seen: &CheckedResource<'_, Value>, notes: &mut RuleFindings<'_>) {
    if let Some(bad) = mismatch(seen).filter(|_| !has_references(&seen.spec)) {
        notes.add("", format!("the spec does not fit: {bad}"));
    }
}

fn unchecked(seen: &CheckedResource<'_, Value>, notes: &mut RuleFindings<'_>) {
    if let Some(bad) = mismatch(seen).filter(|_| has_references(&seen.spec)) {
        notes.add("", format!("the spec could not be checked: {bad}"));
    }
}

fn mismatch(seen: &CheckedResource<'_, Value>) -> Option<String> {
    let own = seen.scope.desired.resources.get(seen.address)?;
    (own.kind.facts().shape)(&seen.spec)
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, TODAY, case, good};

    pub(in super::super) fn cases() -> Vec<Case> {
        vec![
            case("GR001-unknown-reference").set(
                "cdn.monitoring.main",
                "/distribution_id",
                json!("${cdn.distribution.none#id}"),
            ),
            case("GR001-unknown-reference").need("cdn.monitoring.main", "cdn.distribution.none"),
            case("GR002-unknown-attribute").set(
                "cdn.monitoring.main",
                "/distribution_id",
                json!("${cdn.distribution.main#arm}"),
            ),
            case("GR002-unknown-attribute").set("edge.function.embed", "/description", json!("${#region}")),
            case("GR003-circular-needs").need("edge.role.function", "edge.function.embed"),
            case("GR004-spec-shape").set("cdn.origin-access.models", "", json!({"name": 1})),
            case("GR005-not-checked").set("edge.function.embed", "/memory_mb", json!("${#account}")),
            case("GR001-unknown-reference").set(SCRIPT, "", script("${models.bucket.none#name}")),
            case("GR002-unknown-attribute").set(SCRIPT, "", script("${edge.role.function#arm}")),
        ]
    }

    const SCRIPT: &str = "kubernetes.manifest.script";

    fn script(text: &str) -> serde_json::Value {
        json!({"cluster": "c", "api_version": "v1", "kind": "ConfigMap", "namespace": "n", "name": "s",
               "object": {"data": {"run.sh": text}}})
    }

    #[test]
    fn a_script_in_an_object_is_no_mistake() {
        let case = Case { desired: good(), rules: [].into(), note: String::new() };
        let case = case.set(SCRIPT, "", script("echo ${name#prefix} ${#list} ${path##*/}"));
        assert_eq!(super::super::all(&case.desired, TODAY), []);
    }
}
