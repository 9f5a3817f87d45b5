//! Which objects are in a namespace. Without a cluster at hand, that follows from Kubernetes' own kinds, and from the definitions of
//! kinds that are next to the objects.

use std::collections::BTreeMap;

use super::read::{CustomKind, ManifestObject};
use crate::resource::manifest::{ManifestSpec, api_group};

/// The kinds of Kubernetes itself (1.36) whose objects are in no namespace, by their group.
const IN_CLUSTER: &[(&str, &[&str])] = &[
    ("", &["ComponentStatus", "Namespace", "Node", "PersistentVolume"]),
    (
        "admissionregistration.k8s.io",
        &[
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ],
    ),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["APIService"]),
    ("certificates.k8s.io", &["CertificateSigningRequest", "ClusterTrustBundle"]),
    ("flowcontrol.apiserver.k8s.io", &["FlowSchema", "PriorityLevelConfiguration"]),
    ("internal.apiserver.k8s.io", &["StorageVersion"]),
    ("networking.k8s.io", &["IngressClass", "IPAddress", "ServiceCIDR"]),
    ("node.k8s.io", &["RuntimeClass"]),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding"]),
    ("resource.k8s.io", &["DeviceClass", "DeviceTaintRule", "ResourceSlice"]),
    ("scheduling.k8s.io", &["PriorityClass"]),
    ("storage.k8s.io", &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"]),
    ("storagemigration.k8s.io", &["StorageVersionMigration"]),
];

/// Groups of Kubernetes itself whose names have no dot.
const PLAIN: [&str; 5] = ["", "apps", "autoscaling", "batch", "policy"];

/// Whether a group is one of Kubernetes itself, as far as the name tells.
pub fn is_own(group: &str) -> bool {
    PLAIN.contains(&group) || IN_CLUSTER.iter().any(|(known, _)| *known == group) || OTHERS.contains(&group)
}

/// Groups of Kubernetes itself with objects in namespaces alone.
const OTHERS: [&str; 4] = ["authentication.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io"];

/// Where the objects of kinds lie that are defined beside them.
pub struct Scopes(BTreeMap<(String, String), bool>);

impl Scopes {
    /// Of the definitions among objects.
    pub fn of(objects: &[ManifestObject<'_>]) -> Self {
        let defined = objects.iter().filter_map(|object| object.defines.clone());
        Self(defined.map(|CustomKind { group, kind, in_cluster }| ((group, kind), in_cluster)).collect())
    }

    /// Gives an object the namespace that it is in: its own, else `usual`, else `default`; none where its kind has none. Of a
    /// kind that is not known here, only what the plan says is taken.
    pub fn settle(&self, spec: &mut ManifestSpec, usual: Option<&str>) {
        spec.namespace = match self.is_in_cluster(spec) {
            Some(true) => None,
            Some(false) => {
                let said = spec.namespace.take().or_else(|| usual.map(str::to_owned));
                Some(said.unwrap_or_else(|| "default".to_owned()))
            }
            None => spec.namespace.take().or_else(|| usual.map(str::to_owned)),
        };
    }

    /// Whether an object is in no namespace; none for a kind that is not known.
    fn is_in_cluster(&self, spec: &ManifestSpec) -> Option<bool> {
        let group = api_group(&spec.api_version);
        if let Some(in_cluster) = self.0.get(&(group.to_owned(), spec.kind.clone())) {
            return Some(*in_cluster);
        }
        let kinds = IN_CLUSTER.iter().find(|(known, _)| *known == group).map(|(_, kinds)| *kinds);
        is_own(group).then(|| kinds.is_some_and(|kinds| kinds.contains(&spec.kind.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settled(api_version: &str, kind: &str, namespace: Option<&str>, usual: Option<&str>) -> Option<String> {
        let spec = json!({"cluster": "c", "api_version": api_version, "kind": kind, "namespace": namespace, "name": "a",
                          "object": {}});
        let mut spec: ManifestSpec = serde_json::from_value(spec).expect("a manifest");
        let defined = [("b.example".to_owned(), "Whole".to_owned()), ("b.example".to_owned(), "Part".to_owned())];
        Scopes(defined.into_iter().zip([true, false]).collect()).settle(&mut spec, usual);
        spec.namespace
    }

    #[test]
    fn an_object_lies_where_its_kind_does() {
        assert_eq!(settled("v1", "ConfigMap", None, None).as_deref(), Some("default"));
        assert_eq!(settled("v1", "ConfigMap", None, Some("shop")).as_deref(), Some("shop"));
        assert_eq!(settled("v1", "ConfigMap", Some("own"), Some("shop")).as_deref(), Some("own"));
        assert_eq!(settled("rbac.authorization.k8s.io/v1", "ClusterRole", Some("own"), Some("shop")), None);
        assert_eq!(settled("v1", "Namespace", None, Some("shop")), None);
        assert_eq!(settled("b.example/v1", "Whole", None, Some("shop")), None, "its definition stands beside it");
        assert_eq!(settled("b.example/v1", "Part", None, None).as_deref(), Some("default"));
        assert_eq!(settled("c.example/v1", "Other", None, None), None, "not known: the cluster knows");
        assert_eq!(settled("c.example/v1", "Other", None, Some("shop")).as_deref(), Some("shop"));
    }
}
