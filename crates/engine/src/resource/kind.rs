//! The closed list of kinds, and where the facts of each stand: nothing here calls the world.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;

/// The kinds of resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An application load balancer that is looked up, never made.
    LoadBalancer,
    /// An IAM role with its policies.
    Role,
    /// An S3 bucket and its settings.
    Bucket,
    /// The policy of an S3 bucket.
    BucketPolicy,
    /// The replication rules of an S3 bucket.
    Replication,
    /// An S3 object with known content.
    Object,
    /// A Lambda function.
    Function,
    /// A published, numbered version of a Lambda function.
    FunctionVersion,
    /// A CloudFront origin access control.
    OriginAccess,
    /// A CloudFront cache policy.
    CachePolicy,
    /// A CloudFront origin request policy.
    OriginRequestPolicy,
    /// A CloudFront response headers policy.
    ResponseHeadersPolicy,
    /// A CloudFront distribution.
    Distribution,
    /// The extra metrics of a distribution.
    Monitoring,
    /// An ACM certificate with DNS validation.
    Certificate,
    /// A Route 53 public hosted zone.
    Zone,
    /// A Route 53 health check.
    HealthCheck,
    /// All record sets of some names in one zone, changed in one transaction.
    Records,
    /// A machine that is looked up, reached over SSH.
    Host,
    /// A path of a machine.
    File,
    /// A user or group of a machine.
    Account,
    /// Debian packages of a machine.
    Packages,
    /// A systemd unit of a machine.
    Service,
    /// The power mode of a Jetson.
    PowerMode,
    /// A machine as a node of a k3s cluster.
    Node,
    /// A container image on a machine.
    Image,
    /// An object of a Kubernetes cluster.
    Manifest,
}

impl Kind {
    /// Every kind, in the order of the enum.
    pub const ALL: [Self; 27] = [
        Self::LoadBalancer,
        Self::Role,
        Self::Bucket,
        Self::BucketPolicy,
        Self::Replication,
        Self::Object,
        Self::Function,
        Self::FunctionVersion,
        Self::OriginAccess,
        Self::CachePolicy,
        Self::OriginRequestPolicy,
        Self::ResponseHeadersPolicy,
        Self::Distribution,
        Self::Monitoring,
        Self::Certificate,
        Self::Zone,
        Self::HealthCheck,
        Self::Records,
        Self::Host,
        Self::File,
        Self::Account,
        Self::Packages,
        Self::Service,
        Self::PowerMode,
        Self::Node,
        Self::Image,
        Self::Manifest,
    ];

    /// What the engine must know of this kind.
    pub const fn facts(self) -> &'static Facts {
        match self {
            Self::LoadBalancer => &load_balancer::FACTS,
            Self::Role => &role::FACTS,
            Self::Bucket => &bucket::FACTS,
            Self::BucketPolicy => &bucket_policy::FACTS,
            Self::Replication => &replication::FACTS,
            Self::Object => &object::FACTS,
            Self::Function => &function::FACTS,
            Self::FunctionVersion => &function_version::FACTS,
            Self::OriginAccess => &origin_access::FACTS,
            Self::CachePolicy => &cache_policy::FACTS,
            Self::OriginRequestPolicy => &origin_request_policy::FACTS,
            Self::ResponseHeadersPolicy => &response_headers_policy::FACTS,
            Self::Distribution => &distribution::FACTS,
            Self::Monitoring => &monitoring::FACTS,
            Self::Certificate => &certificate::FACTS,
            Self::Zone => &zone::FACTS,
            Self::HealthCheck => &health_check::FACTS,
            Self::Records => &records::FACTS,
            Self::Host => &host::FACTS,
            Self::File => &file::FACTS,
            Self::Account => &account::FACTS,
            Self::Packages => &packages::FACTS,
            Self::Service => &service::FACTS,
            Self::PowerMode => &power_mode::FACTS,
            Self::Node => &node::FACTS,
            Self::Image => &image::FACTS,
            Self::Manifest => &manifest::FACTS,
        }
    }

    /// Whether it lives on a machine that is reached over SSH or in a cluster of such machines, and not in an AWS account.
    pub const fn on_a_machine(self) -> bool {
        !matches!(self.facts().world, World::Aws)
    }

    /// The word in an address.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_serialise_alike() {
        let mut names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).ok(), Some(serde_json::json!(kind.name())));
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Kind::ALL.len());
    }
}
