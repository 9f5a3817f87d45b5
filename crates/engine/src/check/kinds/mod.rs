//! The fields of Kubernetes' own kinds, from its OpenAPI document: which of an object's fields they do not have, and which values are of
//! another type. `generate.py` writes the table.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use crate::resource::has_references;

/// The table as it is checked in.
const TEXT: &str = include_str!("fields.json");
/// More places of one object say nothing new.
const MOST: usize = 20;

/// Kinds and structures. A type is written in few letters: `s` a text, `b` true or false, `i` a whole number, `n` a number, `*`
/// anything, a number a structure; `[` in front of it a list, `{` a map.
#[derive(Deserialize)]
struct Table {
    /// The version of Kubernetes.
    kubernetes: String,
    /// The structure of each kind: `apps/v1 Deployment`.
    kinds: BTreeMap<String, usize>,
    /// The type of each field of each structure.
    structures: Vec<BTreeMap<String, String>>,
}

/// The table, read once; none when it does not fit, which a test rules out.
static TABLE: LazyLock<Option<Table>> = LazyLock::new(|| serde_json::from_str(TEXT).ok());

/// A field that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    /// Its dotted path in the object.
    pub path: String,
    /// What is wrong with it.
    pub wrong: Wrong,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The kind has no such field.
    Unknown,
    /// It is of another type: the one that the kind has.
    Type(&'static str),
}

/// The version of Kubernetes whose kinds these are.
pub(super) fn version() -> &'static str {
    TABLE.as_ref().map_or("none", |table| table.kubernetes.as_str())
}

/// Every field of an object that does not fit its kind; none for a kind that is not Kubernetes' own. What refers to something is known
/// later.
pub(super) fn misfits(api_version: &str, kind: &str, object: &Value) -> Vec<Misfit> {
    let mut found = Vec::new();
    if let Some(table) = TABLE.as_ref()
        && let Some(structure) = table.kinds.get(&format!("{api_version} {kind}"))
    {
        Walk { table, found: &mut found }.fields(*structure, object, "");
    }
    found.truncate(MOST);
    found
}

struct Walk<'w> {
    table: &'w Table,
    found: &'w mut Vec<Misfit>,
}

impl Walk<'_> {
    fn fields(&mut self, structure: usize, value: &Value, path: &str) {
        let Some(fields) = value.as_object() else { return self.note(path, Wrong::Type("a mapping")) };
        let Some(known) = self.table.structures.get(structure) else { return };
        for (name, value) in fields {
            let path = join(path, name);
            match known.get(name) {
                Some(wanted) => self.value(wanted, value, &path),
                None => self.note(&path, Wrong::Unknown),
            }
        }
    }

    fn value(&mut self, wanted: &str, value: &Value, path: &str) {
        // Nothing is what is not set; a reference may become anything.
        if value.is_null() || (value.is_string() && has_references(value)) {
            return;
        }
        let of_items = |sign: char| wanted.strip_prefix(sign);
        if let Some(item) = of_items('[') {
            let Some(items) = value.as_array() else { return self.note(path, Wrong::Type("a list")) };
            return items.iter().enumerate().for_each(|(at, one)| self.value(item, one, &join(path, &at.to_string())));
        }
        if let Some(item) = of_items('{') {
            let Some(fields) = value.as_object() else { return self.note(path, Wrong::Type("a mapping")) };
            return fields.iter().for_each(|(key, one)| self.value(item, one, &join(path, key)));
        }
        let fits = match wanted {
            "s" => (value.is_string(), "a text"),
            "b" => (value.is_boolean(), "true or false"),
            "i" => (value.is_i64() || value.is_u64(), "a whole number"),
            "n" => (value.is_number(), "a number"),
            "*" => (true, ""),
            structure => return structure.parse().into_iter().for_each(|number| self.fields(number, value, path)),
        };
        if !fits.0 {
            self.note(path, Wrong::Type(fits.1));
        }
    }

    fn note(&mut self, path: &str, wrong: Wrong) {
        self.found.push(Misfit { path: path.to_owned(), wrong });
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(api_version: &str, kind: &str, object: Value) -> Vec<String> {
        let word = |one: Misfit| match one.wrong {
            Wrong::Unknown => format!("{} is unknown", one.path),
            Wrong::Type(wanted) => format!("{} is not {wanted}", one.path),
        };
        misfits(api_version, kind, &object).into_iter().map(word).collect()
    }

    #[test]
    fn the_table_is_whole() {
        let table = TABLE.as_ref().expect("it fits");
        assert_eq!(version(), "v1.36.3");
        for kind in
            ["v1 Service", "v1 ConfigMap", "apps/v1 Deployment", "batch/v1 CronJob", "networking.k8s.io/v1 Ingress"]
        {
            assert!(table.kinds.contains_key(kind), "{kind}");
        }
        let types = table.structures.iter().flat_map(BTreeMap::values);
        let wrong = |written: &&String| {
            let inner = written.trim_start_matches(['[', '{']);
            !["s", "b", "i", "n", "*"].contains(&inner)
                && inner.parse::<usize>().map_or(true, |number| number >= table.structures.len())
        };
        assert_eq!(types.filter(wrong).collect::<Vec<_>>(), Vec::<&String>::new());
        assert!(table.kinds.values().all(|number| *number < table.structures.len()));
    }

    #[test]
    fn fields_and_types_are_those_of_the_kind() {
        let deployment = json!({"metadata": {"labels": {"a": 1}}, "spec": {"replica": 3, "replicas": "3", "template": {"spec": {
            "containers": [{"name": "a", "ports": {"containerPort": 80}, "env": [{"name": "B", "value": true}],
                "resources": {"requests": {"cpu": 1, "memory": "1Gi"}}, "livenessProbe": {"httpGet": {"port": "http"}}}]}}}});
        let wanted = [
            "metadata.labels.a is not a text",
            "spec.replica is unknown",
            "spec.replicas is not a whole number",
            "spec.template.spec.containers.0.env.0.value is not a text",
            "spec.template.spec.containers.0.ports is not a list",
        ];
        assert_eq!(told("apps/v1", "Deployment", deployment), wanted);
        assert_eq!(
            told("v1", "ConfigMap", json!({"data": {"a": 1, "b": "2"}, "binaryData": {"c": "AA=="}})),
            ["data.a is not a text"]
        );
        assert_eq!(told("lab.example.com/v1", "Gadget", json!({"anything": 1})), Vec::<String>::new());
        let open = json!({"spec": {"replicas": "${queues.queue.a#length}", "selector": null}});
        assert_eq!(told("apps/v1", "Deployment", open), Vec::<String>::new());
        assert_eq!(told("v1", "Service", json!({"spec": []})), ["spec is not a mapping"]);
    }
}
