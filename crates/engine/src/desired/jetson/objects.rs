//! Kubernetes objects from templates. A template is data before its values come: a value takes the place of one scalar, or
//! of a part of its text, and is never read as YAML.

use serde_json::Value;

use crate::plan::yaml;

/// The templates, by name.
const TEMPLATES: [(&str, &str); 4] = [
    ("app", include_str!("../../../../../templates/kubernetes/app.yaml")),
    ("gpu", include_str!("../../../../../templates/kubernetes/gpu.yaml")),
    ("proof", include_str!("../../../../../templates/kubernetes/proof.yaml")),
    ("registry", include_str!("../../../../../templates/kubernetes/registry.yaml")),
];

/// The objects of a template, without their values. It is read once for all machines.
#[derive(Clone, Debug)]
pub struct Template {
    /// What it is called.
    pub name: &'static str,
    objects: Vec<Value>,
}

impl Template {
    /// The template of that name.
    ///
    /// # Errors
    /// When there is none, or it is not YAML.
    pub fn named(name: &str) -> Result<Self, String> {
        let known = TEMPLATES.iter().find(|(known, _)| *known == name);
        let (name, text) = *known.ok_or_else(|| format!("unknown template {name}"))?;
        let objects = text.split("\n---\n").map(yaml).collect::<Result<_, _>>()?;
        Ok(Self { name, objects })
    }

    /// The objects with the values of `context`.
    ///
    /// # Errors
    /// When the context lacks a value.
    pub fn filled(&self, context: &Value) -> Result<Vec<Value>, String> {
        let one = |object: &Value| {
            let mut object = object.clone();
            fill(&mut object, context)?;
            Ok(object)
        };
        self.objects.iter().map(one).collect()
    }
}

fn fill(value: &mut Value, context: &Value) -> Result<(), String> {
    match value {
        Value::String(text) => {
            if let Some(new) = replaced(text, context)? {
                *value = new;
            }
            Ok(())
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| fill(item, context)),
        Value::Object(fields) => {
            fields.values_mut().try_for_each(|field| fill(field, context))?;
            // A setting without a value is left out, as if the template did not have it.
            fields.retain(|_, field| !field.is_null());
            Ok(())
        }
        _ => Ok(()),
    }
}

/// What a scalar becomes; none when it names no value. `{{ name }}` alone becomes the value of whatever type, within a text
/// it becomes a part of that text.
fn replaced(text: &str, context: &Value) -> Result<Option<Value>, String> {
    let named = |name: &str| context.get(name).ok_or_else(|| format!("unknown value {name}"));
    let Some((before, rest)) = text.split_once("{{ ") else { return Ok(None) };
    let (name, mut rest) = rest.split_once(" }}").ok_or("a {{ without its }}")?;
    if before.is_empty() && rest.is_empty() {
        return named(name).cloned().map(Some);
    }
    let part = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut whole = format!("{before}{}", part(named(name)?));
    while let Some((between, after)) = rest.split_once("{{ ") {
        let (name, behind) = after.split_once(" }}").ok_or("a {{ without its }}")?;
        whole.push_str(&format!("{between}{}", part(named(name)?)));
        rest = behind;
    }
    Ok(Some(Value::String(whole + rest)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HOSTILE: &str = "x\"\n  securityContext:\n    privileged: true\n  name: \"{{ port }}";

    #[test]
    fn a_value_stays_one_scalar() {
        let context = json!({"host": HOSTILE, "runtime_class": HOSTILE, "image": HOSTILE});
        let objects = Template::named("proof").and_then(|proof| proof.filled(&context)).expect("objects");
        let pod = &objects[0]["spec"]["template"]["spec"];
        assert_eq!(pod["containers"][0]["image"], HOSTILE);
        assert_eq!(pod["runtimeClassName"], HOSTILE);
        assert_eq!(objects[0]["metadata"]["name"], format!("cuda-proof-{HOSTILE}"));
        let names = |value: &Value| value.as_object().expect("a map").keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&pod["containers"][0]), ["image", "name", "resources", "terminationMessagePolicy"]);
        assert!(!objects[0].to_string().contains("\"privileged\":"), "{}", objects[0]);
    }

    /// The pod of an object; none for an object without one.
    fn pod(object: &Value) -> Option<&Value> {
        object.pointer("/spec/template/spec")
    }

    #[test]
    fn pods_get_no_rights_in_the_cluster_and_none_on_the_node() {
        let texts = TEMPLATES.iter().flat_map(|(_, text)| text.split("\n---\n"));
        let objects: Vec<Value> = texts.map(|text| yaml(text).expect("YAML")).collect();
        for object in &objects {
            // None of them asks the API server for anything: no account, no role, no binding, no token.
            let kind = object["kind"].as_str().expect("a kind");
            let of_rights = ["ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"];
            assert!(!of_rights.contains(&kind), "{kind} {}", object["metadata"]["name"]);
            let Some(pod) = pod(object) else { continue };
            assert_eq!(pod["automountServiceAccountToken"], false, "{kind} {}", object["metadata"]["name"]);
            for field in ["serviceAccountName", "hostNetwork", "hostPID", "hostIPC"] {
                assert!(pod[field].is_null(), "{kind}: {field}");
            }
            assert!(!pod.to_string().contains("\"privileged\":true"), "{pod}");
        }
        assert!(objects.iter().filter_map(pod).count() >= 4, "{objects:#?}");
    }

    /// What the Pod Security Standard `restricted` asks of a pod
    /// (kubernetes.io/docs/concepts/security/pod-security-standards, v1.36), as far as it is in a template.
    #[test]
    fn the_app_passes_pod_security_restricted() {
        let texts = TEMPLATES.iter().filter(|(name, _)| *name == "app").flat_map(|(_, text)| text.split("\n---\n"));
        let objects: Vec<Value> = texts.map(|text| yaml(text).expect("YAML")).collect();
        let app = objects.iter().find_map(pod).expect("the pod of the app");
        let own = &app["securityContext"];
        assert_eq!((&own["runAsNonRoot"], &own["seccompProfile"]["type"]), (&json!(true), &json!("RuntimeDefault")));
        assert!(own["runAsUser"].as_u64().is_some_and(|user| user != 0), "{own}");
        for container in app["containers"].as_array().expect("containers") {
            let own = &container["securityContext"];
            assert_eq!(own["allowPrivilegeEscalation"], false);
            assert_eq!(own["capabilities"], json!({"drop": ["ALL"]}));
            assert!(container["ports"].as_array().into_iter().flatten().all(|port| port["hostPort"].is_null()));
        }
        assert!(!app.to_string().contains("hostPath"), "{app}");
    }

    #[test]
    fn prometheus_finds_the_pods_of_the_app() {
        let config = yaml(include_str!("../../../../../templates/observability/prometheus.yml")).expect("YAML");
        let jobs = config["scrape_configs"].as_array().expect("jobs");
        let job = jobs.iter().find(|job| job["job_name"] == "akidb-edge-pods").expect("the job of pods");
        let rules = job["relabel_configs"].as_array().expect("rules");
        let kept = rules.iter().find(|rule| rule["action"] == "keep").expect("what is kept");
        assert_eq!(kept["source_labels"], json!(["__meta_kubernetes_pod_label_app_kubernetes_io_part_of"]));
        let template = TEMPLATES.iter().find(|(name, _)| *name == "app").expect("the app").1;
        let objects: Vec<Value> = template.split("\n---\n").map(|text| yaml(text).expect("YAML")).collect();
        let labels =
            objects.iter().find_map(|object| object.pointer("/spec/template/metadata/labels")).expect("labels");
        assert_eq!(labels["app.kubernetes.io/part-of"], kept["regex"]);
    }

    #[test]
    fn a_value_keeps_its_type() {
        let read = |text: &str| replaced(text, &json!({"n": 5, "list": [1], "text": "a"})).expect("it is known");
        assert_eq!(read("{{ n }}"), Some(json!(5)));
        assert_eq!(read("{{ list }}"), Some(json!([1])));
        assert_eq!(read("{{ text }}-{{ n }}/x"), Some(json!("a-5/x")));
        assert_eq!(read("plain"), None);
        assert!(replaced("{{ other }}", &json!({})).is_err());
    }
}
