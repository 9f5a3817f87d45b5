//! Which objects would be lost with the one that holds them, and how that is said. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::objects::text;
use crate::resource::manifest::{api_group, object_key};

/// So many objects are counted; then there are more.
pub(crate) const MOST: usize = 2_000;
/// So many objects of one kind, and of all kinds, are named.
const NAMED: (usize, usize) = (3, 8);
/// So many kinds are named.
const KINDS: usize = 8;

/// The objects of one cluster that go in the same run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DepartingObjects<'g> {
    pub cluster: &'g str,
    /// [`object_key`]s, also of other clusters.
    pub keys: &'g BTreeSet<String>,
}

impl DepartingObjects<'_> {
    /// Whether an object goes, too.
    pub(crate) fn has(&self, group: &str, kind: &str, object: &Value) -> bool {
        self.names(group, kind, text(object, "/metadata/namespace"), text(object, "/metadata/name"))
    }

    /// Whether an owner of an object goes, so that the garbage collector deletes the object.
    pub(crate) fn has_owner(&self, object: &Value) -> bool {
        let namespace = text(object, "/metadata/namespace");
        owners(object).any(|owner| {
            let (group, kind, name) =
                (api_group(text(owner, "/apiVersion")), text(owner, "/kind"), text(owner, "/name"));
            // An owner is in the namespace of what it owns, or in none.
            self.names(group, kind, namespace, name) || self.has_key(group, kind, None, name)
        })
    }

    fn has_key(&self, group: &str, kind: &str, namespace: Option<&str>, name: &str) -> bool {
        self.keys.contains(&object_key(self.cluster, group, kind, namespace, name))
    }

    fn names(&self, group: &str, kind: &str, namespace: &str, name: &str) -> bool {
        match namespace {
            // The settings of what is in no namespace may name one all the same: it counts for nothing.
            "" => {
                let start = object_key(self.cluster, group, kind, None, "");
                let start = start.trim_end_matches('/');
                let rest =
                    |key: &str| key.strip_prefix(start)?.strip_prefix('/')?.split_once('/').map(|at| at.1 == name);
                self.keys.iter().any(|key| rest(key) == Some(true))
            }
            "default" => [None, Some("default")].into_iter().any(|at| self.has_key(group, kind, at, name)),
            namespace => self.has_key(group, kind, Some(namespace), name),
        }
    }
}

fn owners(object: &Value) -> impl Iterator<Item = &Value> {
    object.pointer("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten()
}

/// Whether Kubernetes makes objects of this kind by itself, and again when they are gone.
pub(crate) fn is_passing(group: &str, kind: &str) -> bool {
    matches!(
        (group, kind),
        ("" | "events.k8s.io", "Event")
            | ("", "Endpoints")
            | ("discovery.k8s.io", "EndpointSlice")
            | ("coordination.k8s.io", "Lease")
    )
}

/// Whether a controller made it, for another object or for each namespace.
pub(crate) fn is_by_product(group: &str, kind: &str, object: &Value) -> bool {
    let of_each_namespace = matches!(
        (group, kind, text(object, "/metadata/name")),
        ("", "ConfigMap", "kube-root-ca.crt") | ("", "ServiceAccount", "default")
    );
    of_each_namespace || owners(object).next().is_some()
}

/// `Deployment.apps`, as kubectl names a kind; the core group has no name.
pub(crate) fn kind_name(group: &str, kind: &str) -> String {
    if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") }
}

/// The objects that would be lost.
#[derive(Debug, Default)]
pub(crate) struct LostObjects {
    /// Their names by kind.
    objects: BTreeMap<String, BTreeSet<String>>,
    /// Kinds and versions of APIs of which nothing is known.
    unlisted: BTreeSet<String>,
}

impl LostObjects {
    /// One more object; one that a former version of its API showed is not counted again.
    pub(crate) fn add(&mut self, kind: &str, object: &Value) {
        let name = text(object, "/metadata/name").to_owned();
        self.objects.entry(kind.to_owned()).or_default().insert(match text(object, "/metadata/namespace") {
            "" => name,
            namespace => format!("{namespace}/{name}"),
        });
    }

    /// Objects that another search found.
    pub(crate) fn merge(&mut self, other: Self) {
        for (kind, names) in other.objects {
            self.objects.entry(kind).or_default().extend(names);
        }
        self.unlisted.extend(other.unlisted);
    }

    /// A kind, or a version of an API, of which nothing is known.
    pub(crate) fn add_unlisted(&mut self, what: String) {
        self.unlisted.insert(what);
    }

    /// In words; none when nothing would be lost.
    pub(crate) fn words(&self) -> Option<String> {
        let mut parts = Vec::new();
        if !self.objects.is_empty() {
            parts.push(format!("{}: {}", self.counts(), self.names()));
        }
        if !self.unlisted.is_empty() {
            parts.push(format!("{} could not be listed", bounded(self.unlisted.iter().cloned(), self.unlisted.len())));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    fn counts(&self) -> String {
        let all: usize = self.objects.values().map(BTreeSet::len).sum();
        if all > MOST {
            return "more than 2,000 objects".to_owned();
        }
        bounded(self.objects.iter().map(|(kind, names)| format!("{} {kind}", names.len())), self.objects.len())
    }

    fn names(&self) -> String {
        let all: usize = self.objects.values().map(BTreeSet::len).sum();
        let some = self.objects.iter().flat_map(|(kind, names)| {
            let short = kind.split('.').next().unwrap_or(kind);
            names.iter().take(NAMED.0).map(move |name| format!("{short}/{name}"))
        });
        let some: Vec<String> = some.take(NAMED.1).collect();
        let more = if some.len() < all { ", ..." } else { "" };
        format!("{}{more}", some.join(", "))
    }
}

fn bounded(all: impl Iterator<Item = String>, count: usize) -> String {
    let some: Vec<String> = all.take(KINDS).collect();
    let more = if count > KINDS { format!(" and {} more kinds", count - KINDS) } else { String::new() };
    format!("{}{more}", some.join(", "))
}

#[cfg(test)]
#[path = "lost_objects_tests.rs"]
mod tests;
