//! Steps that apply objects to a Kubernetes cluster.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::resource::cluster::Reach;

/// Objects of a Kubernetes cluster that somebody else runs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KubernetesStep {
    /// Name of the cluster in this stack; none: that of its context or of the EKS cluster. Steps with the same name are about
    /// the same cluster.
    #[serde(default)]
    pub name: Option<String>,
    /// The cluster, and the credentials for it.
    pub cluster: ClusterPlan,
    /// YAML or JSON files with objects, or folders of them; a relative path starts at the working directory.
    #[serde(default)]
    pub files: Vec<String>,
    /// Inline objects, written as in a file.
    #[serde(default)]
    pub objects: Vec<Map<String, Value>>,
    /// Namespace of objects without one; default: `default`.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Whether a Deployment, DaemonSet or StatefulSet counts as done only when it is rolled out.
    #[serde(default = "yes")]
    pub wait: bool,
    /// Objects (`KIND/NAME` or `KIND/NAMESPACE/NAME`) whose fields are taken over from other field managers, as `kubectl apply
    /// --server-side --force-conflicts` does; else such a conflict is refused.
    #[serde(default)]
    pub force_conflicts: Vec<String>,
    /// Objects with data (`KIND/NAME` or `KIND/NAMESPACE/NAME`) that may be deleted and made again when the plan changes what can
    /// never change in them: a PersistentVolumeClaim, a PersistentVolume, a StatefulSet with volumes, a Namespace, a
    /// CustomResourceDefinition. Others are, and the preview shows it.
    #[serde(default)]
    pub recreate: Vec<String>,
}

/// How a cluster is reached.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ClusterPlan {
    /// By a context of a kubeconfig.
    Kubeconfig(KubeconfigPlan),
    /// By the endpoint of an EKS cluster, with the credentials of the AWS account.
    Eks(EksPlan),
}

/// A context of a kubeconfig.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KubeconfigPlan {
    /// Name of the context.
    pub context: String,
    /// The file; none: `$KUBECONFIG`, else `~/.kube/config`. A kubeconfig can start programs, so a plan may not name one by
    /// itself: the path begins with a variable that the user sets, or `--allow-files-outside` is given.
    #[serde(default)]
    pub file: Option<String>,
}

/// An EKS cluster.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EksPlan {
    /// Name of the EKS cluster.
    pub cluster: String,
    /// Its region.
    pub region: String,
}

impl ClusterPlan {
    /// The same as a resource has it.
    pub fn reach(&self) -> Reach {
        match self {
            Self::Kubeconfig(KubeconfigPlan { context, file }) => {
                Reach::Kubeconfig { context: context.clone(), file: file.clone() }
            }
            Self::Eks(EksPlan { cluster, region }) => Reach::Eks { cluster: cluster.clone(), region: region.clone() },
        }
    }

    /// What the cluster is called where the plan gives it no name. A context of EKS is an ARN that ends with the cluster's name.
    pub fn own_name(&self) -> &str {
        match self {
            Self::Kubeconfig(plan) => plan.context.rsplit('/').next().unwrap_or_default(),
            Self::Eks(plan) => &plan.cluster,
        }
    }

    /// The kubeconfig that the plan names; none where it names none.
    pub fn kubeconfig(&self) -> Option<&str> {
        match self {
            Self::Kubeconfig(plan) => plan.file.as_deref(),
            Self::Eks(_) => None,
        }
    }
}

fn yes() -> bool {
    true
}
