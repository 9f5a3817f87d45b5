//! The workloads in the cluster of the devices: the embedding server and its settings.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// What runs in the cluster of the devices.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JetsonAppStep {
    /// Namespace.
    #[serde(default = "akidb")]
    pub namespace: String,
    /// Name of deployment and service.
    pub name: String,
    /// Image.
    pub image: String,
    /// Replicas.
    #[serde(default = "three")]
    pub replicas: u32,
    /// Replicas that must stay available while nodes are drained.
    #[serde(default)]
    pub min_available: Option<u32>,
    /// GPUs of each replica.
    #[serde(default = "one")]
    pub gpus: u32,
    /// Port in the container.
    #[serde(default = "http")]
    pub port: u16,
    /// Port of gRPC, in the container and of the service.
    #[serde(default = "grpc")]
    pub grpc_port: u16,
    /// Port of the service.
    #[serde(default = "http")]
    pub service_port: u16,
    /// Kind of the service: `LoadBalancer` listens on every node, by k3s's own service load balancer.
    #[serde(default)]
    pub service_type: ServiceType,
    /// A Secret of the namespace whose `api-keys` holds the server's keys, a line each (`akidb-edge serve --new-api-key NAME`).
    #[serde(default)]
    pub api_keys_secret: Option<String>,
    /// Whether clients need no key, because something else protects the service.
    #[serde(default)]
    pub without_keys: bool,
    /// Where the server gets its models: `s3://BUCKET/PREFIX`. Without it they are in the image.
    #[serde(default)]
    pub sync: Option<String>,
    /// Region of that bucket.
    #[serde(default)]
    pub sync_region: Option<String>,
    /// A Secret of the namespace with `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, which may read that bucket.
    #[serde(default)]
    pub sync_credentials_secret: Option<String>,
    /// Region that the server reports.
    #[serde(default)]
    pub region: Option<String>,
    /// Cluster that the server reports; default: the name of the devices' stack.
    #[serde(default)]
    pub cluster: Option<String>,
    /// Labels that a node must have.
    #[serde(default)]
    pub node_selector: BTreeMap<String, String>,
    /// Environment of the container.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Path of the liveness probe.
    #[serde(default = "health")]
    pub liveness_path: String,
    /// Path of the readiness probe.
    #[serde(default = "ready")]
    pub readiness_path: String,
    /// CPU of each replica in thousandths: request and limit.
    #[serde(default)]
    pub cpu_millis: Option<Amount>,
    /// Memory of each replica in MiB: request and limit.
    #[serde(default)]
    pub memory_mib: Option<Amount>,
}

/// Kinds of services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum ServiceType {
    /// Listens on every node.
    #[default]
    LoadBalancer,
    /// For pods of the cluster alone.
    #[serde(rename = "ClusterIP")]
    ClusterIp,
    /// Listens on every node, on a port of the cluster's choice.
    NodePort,
}

impl ServiceType {
    /// As Kubernetes writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoadBalancer => "LoadBalancer",
            Self::ClusterIp => "ClusterIP",
            Self::NodePort => "NodePort",
        }
    }
}

/// What is asked for and the most that is allowed.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    /// Request.
    pub request: u32,
    /// Limit.
    pub limit: u32,
}

fn akidb() -> String {
    "akidb".to_owned()
}

fn three() -> u32 {
    3
}

fn one() -> u32 {
    1
}

fn http() -> u16 {
    8080
}

fn grpc() -> u16 {
    9090
}

fn health() -> String {
    "/health".to_owned()
}

fn ready() -> String {
    "/ready".to_owned()
}
