//! The seams between clusters and the platforms that provide them: how a cluster is reached, and what a provider of machines
//! asks of the cluster on them. No crate but `akidb-edge-cluster` knows a Kubernetes client.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::resource::{Fault, Untrusted};

/// A two-way stream of bytes to an API server.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// Where an API server is and how the caller proves who he is. Never printed, never journaled.
#[derive(Clone)]
pub struct Credentials {
    /// `https://HOST[:PORT]`, as the server's certificate names it.
    pub server: String,
    /// PEM of the authorities that may have signed the server's certificate.
    pub authority: Vec<u8>,
    /// The caller.
    pub login: Login,
}

/// How a caller proves who he is.
#[derive(Clone)]
pub enum Login {
    /// PEM of a client certificate and of its key.
    Certificate {
        /// The certificate.
        certificate: Vec<u8>,
        /// Its key.
        key: Vec<u8>,
    },
    /// A bearer token that is good for this long; then [`ClusterAccess::credentials`] is asked again.
    Token {
        /// The token.
        token: String,
        /// How long it is good, at least.
        lasts: Duration,
    },
}

/// The way to one cluster. Implemented by the crate of the platform that provides it: machines over SSH, an AWS account.
#[async_trait]
pub trait ClusterAccess: Send + Sync {
    /// Where it is and who we are there. None: no cluster is there (yet).
    ///
    /// # Errors
    /// When what leads there cannot be reached, or refuses.
    async fn credentials(&self) -> Result<Option<Credentials>, Fault>;

    /// A stream to the API server, where it is not reached by TCP from here. None: by TCP, to the server's address.
    ///
    /// # Errors
    /// When the stream cannot be opened.
    async fn open(&self) -> Option<Result<Box<dyn ByteStream>, Fault>> {
        None
    }

    /// The next step when the API server does not accept the caller (401). None: there is none that only this way knows.
    fn when_unauthorized(&self) -> Option<String> {
        None
    }
}

/// How pods leave a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainOptions {
    /// Pods are evicted, within their disruption budgets; else deleted, in order and with their grace period.
    pub evict: bool,
    /// How long it may take.
    pub within: Duration,
}

/// How far a drain came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DrainOutcome {
    /// No pod is left but those of daemon sets and static ones; or there is no such node.
    Empty,
    /// The time is up: these pods (`NAMESPACE/NAME`) are still there, `held` of them by a disruption budget.
    Left {
        /// Every pod that is still there.
        pods: Vec<Untrusted>,
        /// Those that a budget holds.
        held: Vec<Untrusted>,
    },
}

/// What providers of machines ask of the clusters on them. A cluster is named; one that no resource of kind `cluster`
/// describes is the k3s cluster whose server is the machine of that name.
#[async_trait]
pub trait ClusterApi: Send + Sync {
    /// All nodes; none when there is no cluster (yet).
    ///
    /// # Errors
    /// When its API cannot be reached or refuses.
    async fn nodes(&self, cluster: &str) -> Result<Option<Vec<Value>>, Fault>;

    /// Changes a node by a JSON merge patch. A node that is not there is a fault of class `Missing`.
    ///
    /// # Errors
    /// When its API cannot be reached or refuses.
    async fn patch_node(&self, cluster: &str, node: &str, patch: Value) -> Result<(), Fault>;

    /// Removes a node from the cluster's list; absent already is success.
    ///
    /// # Errors
    /// When its API cannot be reached or refuses.
    async fn delete_node(&self, cluster: &str, node: &str) -> Result<(), Fault>;

    /// Cordons a node and moves its pods away; looks until the node is empty or the time is up.
    ///
    /// # Errors
    /// When its API cannot be reached or refuses.
    async fn drain(&self, cluster: &str, node: &str, how: DrainOptions) -> Result<DrainOutcome, Fault>;
}
