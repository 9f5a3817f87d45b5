//! A Kubernetes cluster. Somebody else made it: it is looked up, never made.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::facts::{Facts, World, on_device};
use super::words::{self, Look, Sound, Wrong};

/// A cluster and how its API server is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterSpec {
    /// Its name in the plan.
    pub name: String,
    /// How its API server is reached.
    pub reach: Reach,
}

/// How the API server of a cluster is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Reach {
    /// By a context of a kubeconfig.
    Kubeconfig {
        /// The context.
        context: String,
        /// The file; none: `$KUBECONFIG`, else `~/.kube/config`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<String>,
    },
    /// As an EKS cluster of the AWS account.
    Eks {
        /// Its name at EKS.
        cluster: String,
        /// Its region.
        region: String,
    },
    /// As the k3s cluster whose server is a machine of the plan.
    K3s {
        /// The machine.
        host: String,
    },
}

impl Sound for ClusterSpec {
    fn wrong(&self) -> Vec<Wrong> {
        let mut look = Look::default();
        look.must("name", &self.name, words::node(&self.name), words::OBJECT_NAME);
        match &self.reach {
            Reach::Kubeconfig { context, file } => {
                look.must("context", context, !context.is_empty() && words::line(context), words::LINE);
                if let Some(file) = file {
                    look.must("file", file, !file.is_empty() && words::line(file), words::LINE);
                }
            }
            Reach::Eks { cluster, region } => {
                look.must("cluster", cluster, !cluster.is_empty() && words::line(cluster), words::LINE);
                look.must("region", region, words::region(region), words::REGION);
            }
            Reach::K3s { host } => look.must("host", host, words::node(host), words::NODE),
        }
        look.done()
    }
}

pub(super) const FACTS: Facts = Facts {
    lookup: true,
    world: World::Cluster,
    attributes: &["uid", "version"],
    ..on_device::<ClusterSpec>("cluster", "Kubernetes cluster")
};
