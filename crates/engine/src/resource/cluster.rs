//! An existing Kubernetes cluster: looked up, never created.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind_facts::{KindFacts, in_cluster};
use super::syntax_check::{self, CheckedSettings, InvalidSetting, SettingsCheck};

/// A cluster, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterSpec {
    /// Its name in the stack: its objects name it.
    pub name: String,
    /// How it is reached.
    pub reach: Reach,
}

/// How a cluster is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Reach {
    /// By a context of a kubeconfig.
    Kubeconfig {
        /// Name of the context.
        context: String,
        /// The file; none: `$KUBECONFIG`, else `~/.kube/config`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<String>,
    },
    /// By the endpoint of an EKS cluster, as the caller of the AWS account.
    Eks {
        /// Name of the EKS cluster.
        cluster: String,
        /// Its region.
        region: String,
    },
    /// Through the machine that runs its k3s server, over SSH.
    K3s {
        /// Name of the machine in the plan.
        host: String,
    },
}

impl Reach {
    /// The machine that it is reached through; none when it is reached from here.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::K3s { host } => Some(host),
            Self::Kubeconfig { .. } | Self::Eks { .. } => None,
        }
    }
}

/// The next step for a context that does not fit.
const CONTEXT: &str = "write a name that kubectl config get-contexts lists";
/// The next step for a file that does not fit.
const FILE: &str = "write the path of a kubeconfig";
/// The next step for the name of an EKS cluster that does not fit.
const EKS: &str = "write a name that aws eks list-clusters lists: at most 100 letters, digits, - and _";

impl CheckedSettings for ClusterSpec {
    fn wrong(&self) -> Vec<InvalidSetting> {
        let mut look = SettingsCheck::default();
        look.must("name", &self.name, syntax_check::node(&self.name), syntax_check::OBJECT_NAME);
        match &self.reach {
            Reach::Kubeconfig { context, file } => {
                look.must("cluster.kubeconfig.context", context, named(context), CONTEXT);
                if let Some(file) = file {
                    look.must("cluster.kubeconfig.file", file, named(file), FILE);
                }
            }
            Reach::Eks { cluster, region } => {
                look.must("cluster.eks.cluster", cluster, syntax_check::eks_cluster(cluster), EKS);
                look.must("cluster.eks.region", region, syntax_check::region(region), syntax_check::REGION);
            }
            Reach::K3s { host } => look.must("cluster.k3s.host", host, syntax_check::node(host), syntax_check::NODE),
        }
        look.done()
    }
}

/// One visible line: contexts of EKS are ARNs, and paths hold blanks.
fn named(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= 1024 && syntax_check::line(text) && !text.contains('\t')
}

pub(super) const FACTS: KindFacts = KindFacts {
    lookup: true,
    // A context of a kubeconfig may lead elsewhere tomorrow. The uid of the namespace kube-system identifies a cluster.
    told_by: Some("uid"),
    attributes: &["uid", "version"],
    ..in_cluster::<ClusterSpec>("cluster", "Kubernetes cluster")
};

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn wrong(reach: Value) -> Vec<String> {
        let spec: ClusterSpec = serde_json::from_value(json!({"name": "west", "reach": reach})).expect("a cluster");
        spec.wrong().into_iter().map(|wrong| wrong.field).collect()
    }

    #[test]
    fn each_way_is_written_and_read_alike() {
        for reach in [
            json!({"kubeconfig": {"context": "west"}}),
            json!({"kubeconfig": {"context": "arn:aws:eks:eu-central-1:123456789012:cluster/a", "file": "k/config"}}),
            json!({"eks": {"cluster": "akidb-eu", "region": "eu-central-1"}}),
            json!({"k3s": {"host": "jetson-01"}}),
        ] {
            let read: Reach = serde_json::from_value(reach.clone()).expect("a way");
            assert_eq!(serde_json::to_value(&read).ok(), Some(reach.clone()));
            assert_eq!(wrong(reach.clone()), Vec::<String>::new(), "{reach}");
        }
        assert!(serde_json::from_value::<Reach>(json!({"kubeconfig": {"context": "a", "user": "b"}})).is_err());
    }

    #[test]
    fn words_that_no_cluster_has_are_refused() {
        assert_eq!(wrong(json!({"kubeconfig": {"context": " "}})), ["cluster.kubeconfig.context"]);
        assert_eq!(wrong(json!({"kubeconfig": {"context": "a", "file": "a\u{202e}b"}})), ["cluster.kubeconfig.file"]);
        let eks = json!({"eks": {"cluster": "-a", "region": "eu central 1"}});
        assert_eq!(wrong(eks), ["cluster.eks.cluster", "cluster.eks.region"]);
        assert_eq!(wrong(json!({"k3s": {"host": "--help"}})), ["cluster.k3s.host"]);
    }
}
