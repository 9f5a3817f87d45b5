//! [7] The only place that changes real resources: the traits of the engine, and a crate for each platform behind them.

pub use akidb_edge_aws as aws;
pub use akidb_edge_cluster as cluster;
pub use akidb_edge_device as device;
pub use akidb_edge_engine::provider::cluster::{
    ByteStream, ClusterAccess, ClusterApi, Credentials, DrainOptions, DrainOutcome, Login,
};
pub use akidb_edge_engine::provider::*;
pub use akidb_edge_network as network;
