//! What providers of machines need from their clusters: nodes, and evicting pods.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::clusters::Clusters;
use super::connection::ApiConnection;
use super::discovery::unknown_kind;
use super::drain;
use super::objects::ClusterObject;
use super::status::SERVICE;
use crate::provider::cluster::{ClusterApi, DrainOptions, DrainOutcome};
use crate::resource::{Fault, FaultClass};

impl Clusters {
    /// The connection to a cluster that must be there.
    async fn there(&self, cluster: &str) -> Result<Arc<ApiConnection>, Fault> {
        self.connection(cluster).await?.ok_or_else(|| {
            Fault::new(FaultClass::Retry, SERVICE, "connect", "NoCluster", format!("{cluster}: no cluster runs there"))
                .next("check the server: systemctl status k3s, journalctl -u k3s")
        })
    }

    async fn node(&self, cluster: &str, name: &str) -> Result<ClusterObject, Fault> {
        let connection = self.there(cluster).await?;
        let Some(served) = connection.served("v1", "Node").await? else {
            return Err(unknown_kind("get", cluster, "v1", "Node"));
        };
        ClusterObject::new(&connection, &served, None, name, format!("{cluster}:Node/{name}"))
    }
}

#[async_trait]
impl ClusterApi for Clusters {
    async fn nodes(&self, cluster: &str) -> Result<Option<Vec<Value>>, Fault> {
        let Some(connection) = self.connection(cluster).await? else { return Ok(None) };
        let nodes = connection.list("/api/v1/nodes", &[]).await;
        nodes.map(Some).map_err(|refused| refused.fault("list", &format!("nodes of {cluster}")))
    }

    async fn patch_node(&self, cluster: &str, node: &str, patch: Value) -> Result<(), Fault> {
        self.node(cluster, node).await?.merge("patch", &patch).await
    }

    async fn delete_node(&self, cluster: &str, node: &str) -> Result<(), Fault> {
        let node = self.node(cluster, node).await?;
        // A node has no finalizers of its own: gone, or somebody wants to look at it first.
        node.delete("Background", None, std::time::Duration::ZERO).await.map(drop)
    }

    async fn drain(&self, cluster: &str, node: &str, how: DrainOptions) -> Result<DrainOutcome, Fault> {
        drain::drain(&self.node(cluster, node).await?, node, how).await
    }
}
