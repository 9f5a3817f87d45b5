//! Exceptions that a plan allows for single objects: taking over fields, deleting and recreating.

use super::read::ManifestObject;
use super::{Builder, ObjectTarget};
use crate::plan::Step;
use crate::resource::manifest::ManifestSpec;

/// Writes into an object what the plan allows with it.
pub fn allow(spec: &mut ManifestSpec, target: &ObjectTarget<'_>) {
    spec.force_conflicts = target.force_conflicts.iter().any(|name| names(name, spec));
    spec.recreate = target.recreate.iter().any(|name| names(name, spec));
}

/// Complains of names that are not those of an object.
pub fn complain(builder: &mut Builder<'_>, step: &Step, target: &ObjectTarget<'_>, objects: &[ManifestObject<'_>]) {
    for (field, all) in [("force_conflicts", target.force_conflicts), ("recreate", target.recreate)] {
        for (at, name) in all.iter().enumerate().filter(|(_, name)| !objects.iter().any(|one| names(name, &one.spec))) {
            let problem = format!("{field}: no object of this step is {name:?}");
            let next = "write KIND/NAME as in the object, such as Deployment/web, or KIND/NAMESPACE/NAME";
            builder.complain(step, &format!("{field}.{at}"), problem, next);
        }
    }
}

/// Whether `KIND/NAME` or `KIND/NAMESPACE/NAME` names an object. Names of roles may hold a slash themselves.
fn names(name: &str, spec: &ManifestSpec) -> bool {
    let Some(rest) = name.strip_prefix(spec.kind.as_str()).and_then(|rest| rest.strip_prefix('/')) else {
        return false;
    };
    let of_namespace = spec.namespace.as_deref().and_then(|namespace| rest.strip_prefix(namespace));
    rest == spec.name || of_namespace.and_then(|rest| rest.strip_prefix('/')) == Some(spec.name.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_named_by_its_kind_and_name() {
        let spec = json!({"cluster": "c", "api_version": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web",
                          "object": {}});
        let spec: ManifestSpec = serde_json::from_value(spec).expect("a manifest");
        assert!(names("Deployment/web", &spec) && names("Deployment/shop/web", &spec));
        for other in
            ["deployment/web", "Deployment/other/web", "Deployment/we", "Deployment", "web", "", "Deployment/shop/"]
        {
            assert!(!names(other, &spec), "{other}");
        }
    }
}
