//! Rules on objects of clusters: what an API server refuses, and what should not stand in them.

use serde_json::Value;

use super::kinds::{Wrong, misfits, version};
use super::policy::{texts, walk};
use super::rule::{CheckRule, CheckedResource, RuleFindings, error, warning};
use crate::resource::literal_secret::{SecretForm, is_literal, literal_secrets, names_a_secret};
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
        "correct its name (kubectl explain KIND.PATH lists the fields), or remove it",
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
    warning(
        "KU005-open-role",
        "a role allows what is needed, to those who need it",
        "accepted: whoever has the role, or a pod with its service account, may do everything, read every Secret included",
        "name apiGroups, resources and verbs in the rules; bind a role of your own to a service account",
        roles,
    ),
    warning(
        "KU006-secret-by-name",
        "no value of a ConfigMap and no argument of a container has a name that says that it is secret",
        "accepted: everyone who may read the object can read it; it is in the preview and the journal as well",
        "put it into a Secret of the cluster and name that: envFrom: [{secretRef: {name: NAME}}], or mount it as a file",
        named_secrets,
    ),
];

/// The group of roles and their bindings.
const RBAC: &str = "rbac.authorization.k8s.io";
/// Groups and users that are everyone.
const EVERYONE: [&str; 3] = ["system:authenticated", "system:unauthenticated", "system:anonymous"];
/// The role that may do everything.
const ADMIN: &str = "cluster-admin";

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
            SecretForm::Variable => "the value of a variable whose name says that it is secret",
            SecretForm::PrivateKey => "a private key",
            SecretForm::Token => "a token",
        };
        notes.add(format!("object.{}", literal.path), format!("this {} contains {what} as plain text", seen.spec.kind));
    }
}

fn roles(seen: &CheckedResource<'_, ManifestSpec>, notes: &mut RuleFindings<'_>) {
    let ManifestSpec { api_version, object, .. } = &seen.spec;
    if api_group(api_version) != RBAC {
        return;
    }
    let all = |rule: &Value, field: &str| texts(rule, field).contains(&"*");
    for (at, rule) in items(object, "rules").iter().enumerate() {
        let open = all(rule, "verbs") && all(rule, "resources");
        notes.add_if(open, format!("object.rules.{at}"), || "it allows every verb on every resource".to_owned());
    }
    let role = object.pointer("/roleRef/name").and_then(Value::as_str).unwrap_or_default();
    for (at, subject) in items(object, "subjects").iter().enumerate() {
        let name = subject.get("name").and_then(Value::as_str).unwrap_or_default();
        let path = format!("object.subjects.{at}");
        notes.add_if(EVERYONE.contains(&name), path.clone(), || format!("{name} gets {role}"));
        let admin = role == ADMIN && subject.get("kind").and_then(Value::as_str) == Some("ServiceAccount");
        notes.add_if(admin, path, || format!("the service account {name} gets {ADMIN}"));
    }
}

fn items<'v>(object: &'v Value, field: &str) -> &'v [Value] {
    object.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn named_secrets(seen: &CheckedResource<'_, ManifestSpec>, notes: &mut RuleFindings<'_>) {
    let ManifestSpec { api_version, kind, object, .. } = &seen.spec;
    if kind == "ConfigMap" && api_group(api_version).is_empty() {
        for (key, value) in object.get("data").and_then(Value::as_object).into_iter().flatten() {
            // A file is looked at as a whole: its name says nothing of one value.
            let secret = value.as_str().is_some_and(|text| is_literal(text) && !text.contains('\n'));
            notes.add_if(secret && names_a_secret(key), format!("object.data.{key}"), || {
                format!("the name of {key} says that its value is secret")
            });
        }
    }
    walk(object, "object", &mut |path, text| {
        let given = text.strip_prefix("--").and_then(|text| text.split_once('='));
        let Some((name, _)) =
            given.filter(|(name, value)| is_argument(path) && is_literal(value) && names_a_secret(name))
        else {
            return;
        };
        notes.add(path, format!("the name of --{name} says that its value is secret"));
    });
}

/// Whether an argument of a container is at this path: `containers.0.args.1`.
fn is_argument(path: &str) -> bool {
    let mut parts = path.rsplit('.').skip(1);
    parts.next().is_some_and(|part| part == "args" || part == "command") && path.contains("ontainers.")
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
            of("KU005-open-role", rbac("ClusterRole", json!({"rules": [rule(&["*"])]}))),
            of("KU005-open-role", rbac("ClusterRoleBinding", binding("view", "Group", "system:unauthenticated"))),
            of("KU005-open-role", rbac("ClusterRoleBinding", binding("cluster-admin", "ServiceAccount", "ci"))),
            of("KU006-secret-by-name", object("ConfigMap", json!({"data": {"db.password": "hunter2"}}))),
            of("KU006-secret-by-name", with_argument("--password=hunter2")),
        ]
    }

    fn rbac(kind: &str, object: Value) -> Value {
        let api_version = format!("{RBAC}/v1");
        json!({"cluster": "west", "api_version": api_version, "kind": kind, "name": "a", "object": object})
    }

    fn rule(verbs: &[&str]) -> Value {
        json!({"apiGroups": ["*"], "resources": ["*"], "verbs": verbs})
    }

    fn binding(role: &str, kind: &str, name: &str) -> Value {
        let mut subject = json!({"kind": kind, "name": name});
        if kind == "ServiceAccount" {
            subject["namespace"] = "n".into();
        }
        json!({"roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}, "subjects": [subject]})
    }

    fn with_argument(argument: &str) -> Value {
        let containers =
            json!([{"name": "a", "image": format!("a@sha256:{}", "a".repeat(64)), "args": ["-v", argument]}]);
        object("Deployment", json!({"spec": {"template": {"spec": {"containers": containers}}}}))
    }

    #[test]
    fn what_is_needed_is_not_told() {
        let good = [
            rbac("ClusterRole", json!({"rules": [rule(&["get", "list"])]})),
            rbac("ClusterRoleBinding", binding("view", "ServiceAccount", "ci")),
            rbac("ClusterRoleBinding", binding("cluster-admin", "Group", "admins")),
            object(
                "ConfigMap",
                json!({"data": {"password_file": "/run/secrets/db", "token.ttl": "3600", "tokens": "[a]\n[b]\n"}}),
            ),
            with_argument("--password=$(DB_PASSWORD)"),
            with_argument("--password-file=/run/secrets/db"),
        ];
        for object in good {
            let found = super::super::all(&case("").set(AT, "", object.clone()).desired, super::super::testing::TODAY);
            assert_eq!(found, [], "{object}");
        }
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
            "object.rules.0: it allows every verb on every resource",
            "object.subjects.0: system:unauthenticated gets view",
            "object.subjects.0: the service account ci gets cluster-admin",
            "object.data.db.password: the name of db.password says that its value is secret",
            "object.spec.template.spec.containers.0.args.1: the name of --password says that its value is secret",
        ];
        assert_eq!(told, wanted);
    }
}
