//! Rules on objects of clusters: what an API server refuses, and what should not stand in them.

use serde_json::Value;

use super::kinds::{Wrong, misfits, version};
use super::rule::{CheckRule, CheckedResource, RuleFindings, error, warning};
use crate::resource::literal_secret::{Sort, literal_secrets};
use crate::resource::manifest::{ManifestSpec, api_group};

pub(super) const RULES: &[CheckRule<ManifestSpec>] = &[
    error(
        "KU001-type-of-field",
        "a value has the type that its field has in Kubernetes",
        "BadRequest: strict decoding error, or: expected string, got number",
        "write it as its type; a number, or true or false, becomes a text in quotes",
        types,
    ),
    warning(
        "KU002-unknown-field",
        "a field is one that the kind has",
        "a server of this version refuses the object: field not declared in schema",
        "correct its name (kubectl explain KIND.PATH lists the fields), or take it out",
        unknown_fields,
    ),
    error(
        "KU003-unnamed-port",
        "each port of a Service with several ports has a name",
        "Invalid: spec.ports[0].name: Required value",
        "give each port a name: ports: [{name: http, port: 80}, {name: metrics, port: 9090}]",
        ports,
    ),
    warning(
        "KU004-secret-in-the-clear",
        "secrets are in Secrets only, not in other objects",
        "accepted: everyone who may read the object or the plan can read it, in every copy of both",
        "put it into a Secret of the cluster (kubectl create secret, External Secrets, Sealed Secrets) and name that: \
         valueFrom: {secretKeyRef: {name: NAME, key: KEY}}",
        secrets,
    ),
];

fn types(seen: &CheckedResource<'_, ManifestSpec>, notes: &mut RuleFindings<'_>) {
    let spec = &seen.spec;
    for mismatch in misfits(&spec.api_version, &spec.kind, &spec.object) {
        if let Wrong::Type(wanted) = mismatch.wrong {
            let problem = format!("{} of this {} is not {wanted}", mismatch.path, spec.kind);
            notes.add(format!("object.{}", mismatch.path), problem);
        }
    }
}

fn unknown_fields(seen: &CheckedResource<'_, ManifestSpec>, notes: &mut RuleFindings<'_>) {
    let spec = &seen.spec;
    for mismatch in misfits(&spec.api_version, &spec.kind, &spec.object) {
        if mismatch.wrong == Wrong::Unknown {
            let problem = format!("a {} of Kubernetes {} has no {}", spec.kind, version(), mismatch.path);
            notes.add(format!("object.{}", mismatch.path), problem);
        }
    }
}

fn ports(seen: &CheckedResource<'_, ManifestSpec>, notes: &mut RuleFindings<'_>) {
    let spec = &seen.spec;
    let ports = spec.object.pointer("/spec/ports").and_then(Value::as_array);
    let is_service = spec.kind == "Service" && api_group(&spec.api_version).is_empty();
    let Some(ports) = ports.filter(|ports| is_service && ports.len() > 1) else { return };
    let unnamed = |port: &Value| port.get("name").and_then(Value::as_str).is_none_or(str::is_empty);
    for (at, _) in ports.iter().enumerate().filter(|(_, port)| unnamed(port)) {
        let problem = format!("port {} of {} has no name", at + 1, ports.len());
        notes.add(format!("object.spec.ports.{at}"), problem);
    }
}

fn secrets(seen: &CheckedResource<'_, ManifestSpec>, notes: &mut RuleFindings<'_>) {
    for literal in literal_secrets(&seen.spec.object) {
        let what = match literal.sort {
            Sort::Variable => "the value of a variable whose name says that it is secret",
            Sort::PrivateKey => "a private key",
            Sort::Token => "a token",
        };
        notes.add(format!("object.{}", literal.path), format!("this {} contains {what} as plain text", seen.spec.kind));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, case};
    use super::*;

    const AT: &str = "kubernetes.manifest.one";

    fn object(kind: &str, object: Value) -> Value {
        let api_version = if kind == "Deployment" { "apps/v1" } else { "v1" };
        json!({"cluster": "west", "api_version": api_version, "kind": kind, "namespace": "n", "name": "a", "object": object})
    }

    fn with_env(env: Value) -> Value {
        let containers = json!([{"name": "a", "image": format!("a@sha256:{}", "a".repeat(64)), "env": env}]);
        object("Deployment", json!({"spec": {"template": {"spec": {"containers": containers}}}}))
    }

    pub(in super::super) fn cases() -> Vec<Case> {
        let of = |rule: &'static str, object: Value| case(rule).set(AT, "", object);
        vec![
            of("KU001-type-of-field", object("ConfigMap", json!({"data": {"port": 8080}}))),
            of("KU001-type-of-field", with_env(json!([{"name": "DEBUG", "value": true}]))),
            of("KU002-unknown-field", object("Deployment", json!({"spec": {"replica": 3}}))),
            of(
                "KU003-unnamed-port",
                object("Service", json!({"spec": {"ports": [{"name": "a", "port": 1}, {"port": 2}]}})),
            ),
            of("KU004-secret-in-the-clear", with_env(json!([{"name": "DB_PASSWORD", "value": "hunter2"}]))),
        ]
    }

    #[test]
    fn a_finding_names_the_place_and_no_secret() {
        let found = |case: &Case| super::super::all(&case.desired, super::super::testing::TODAY);
        let told: Vec<String> =
            cases().iter().flat_map(found).map(|one| format!("{}: {}", one.path, one.problem)).collect();
        let wanted = [
            "object.data.port: data.port of this ConfigMap is not a text",
            "object.spec.template.spec.containers.0.env.0.value: spec.template.spec.containers.0.env.0.value of this Deployment \
             is not a text",
            "object.spec.replica: a Deployment of Kubernetes v1.36.3 has no spec.replica",
            "object.spec.ports.1: port 2 of 2 has no name",
            "object.spec.template.spec.containers.0.env.0.value: this Deployment contains the value of a variable \
             whose name says that it is secret as plain text",
        ];
        assert_eq!(told, wanted);
    }
}
