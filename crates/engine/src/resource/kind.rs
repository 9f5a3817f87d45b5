//! The closed list of kinds, and where the facts of each are defined: no calls here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::*;

/// Makes the enum, the list of all and the way to the facts of the rows.
macro_rules! kinds {
    ($($(#[$words:meta])+ $kind:ident: $module:ident, [$($rules:path),*];)+) => {
        /// The kinds of resources.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(rename_all = "kebab-case")]
        pub enum Kind {
            $($(#[$words])+ $kind,)+
        }

        impl Kind {
            /// Every kind, in the order of the enum.
            pub const ALL: [Self; [$(stringify!($kind)),+].len()] = [$(Self::$kind),+];

            /// What the engine must know of this kind.
            pub const fn facts(self) -> &'static KindFacts {
                match self {
                    $(Self::$kind => &$module::FACTS,)+
                }
            }
        }
    };
}

/// The table of kinds: passes its rows to the macro `$then`. A row is the kind, the module of its spec and its `FACTS`, and the
/// tables of its rules by their path in `check`, which alone resolves them.
macro_rules! each_kind {
    ($then:ident) => {
        $then! {
            /// An application load balancer that is looked up, never made.
            LoadBalancer: load_balancer, [];
            /// An IAM role with its policies.
            Role: role, [iam::RULES];
            /// An S3 bucket and its settings.
            Bucket: bucket, [s3::RULES, cors::BUCKET];
            /// The policy of an S3 bucket.
            BucketPolicy: bucket_policy, [s3_objects::POLICY];
            /// The replication rules of an S3 bucket.
            Replication: replication, [replication::RULES];
            /// An S3 object with known content.
            Object: object, [s3_objects::OBJECT];
            /// A Lambda function.
            Function: function, [edge_function::RULES, lambda::RULES];
            /// A published, numbered version of a Lambda function.
            FunctionVersion: function_version, [lambda::VERSION];
            /// A CloudFront origin access control.
            OriginAccess: origin_access, [cloudfront_policies::ACCESS];
            /// A CloudFront cache policy.
            CachePolicy: cache_policy, [cloudfront_policies::CACHE, headers::LISTED];
            /// A CloudFront origin request policy.
            OriginRequestPolicy: origin_request_policy, [
                cloudfront_policies::REQUEST, headers::REQUEST, headers::LISTED
            ];
            /// A CloudFront response headers policy.
            ResponseHeadersPolicy: response_headers_policy, [
                cloudfront_policies::RESPONSE, cloudfront_headers::RULES, headers::RESPONSE, cors::RESPONSE
            ];
            /// A CloudFront distribution.
            Distribution: distribution, [
                cloudfront::RULES, cloudfront_origins::RULES, cloudfront_hosts::RULES, cloudfront_behaviors::RULES,
                cloudfront_settings::RULES, edge::RULES
            ];
            /// The extra metrics of a distribution.
            Monitoring: monitoring, [];
            /// An ACM certificate with DNS validation.
            Certificate: certificate, [acm::RULES];
            /// A Route 53 public hosted zone.
            Zone: zone, [route53_health::ZONE];
            /// A Route 53 health check.
            HealthCheck: health_check, [route53_health::RULES];
            /// All record sets of some names in one zone, changed in one transaction.
            Records: records, [
                route53::RULES, route53_places::RULES, route53_values::RULES, route53_syntax::RULES,
                route53_names::RULES, route53_alias::RULES
            ];
            /// An SQS queue.
            Queue: queue, [queue::RULES];
            /// A machine that is looked up, reached over SSH.
            Host: host, [];
            /// A path of a machine.
            File: file, [];
            /// A user or group of a machine.
            Account: account, [];
            /// Debian packages of a machine.
            Packages: packages, [];
            /// A systemd unit of a machine.
            Service: service, [];
            /// The power mode of a Jetson.
            PowerMode: power_mode, [];
            /// A machine as a node of a k3s cluster.
            Node: node, [pins::NODE, node::RULES];
            /// A container image on a machine.
            Image: image, [];
            /// A Kubernetes cluster that is looked up, never made.
            Cluster: cluster, [];
            /// An object of a Kubernetes cluster.
            Manifest: manifest, [pins::MANIFEST, manifest::RULES];
        }
    };
}

pub(crate) use each_kind;

each_kind!(kinds);

impl Kind {
    /// Whether it lives in an AWS account.
    pub const fn in_aws(self) -> bool {
        matches!(self.facts().platform, Platform::Aws)
    }

    /// Whether it lives on a machine that is reached over SSH. Which journal knows a resource does not follow from its kind, but
    /// from its address: [`Address::is_of_devices`].
    pub const fn on_a_machine(self) -> bool {
        matches!(self.facts().platform, Platform::Device)
    }

    /// The data in a thing with these settings that is lost when it is deleted, in words; none for what holds no data.
    pub fn data(self, spec: &Value) -> Option<&'static str> {
        let facts = self.facts();
        facts.data.or_else(|| (facts.holds)(spec))
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
