//! A world that comes late: what AWS has accepted and does not show everywhere yet.

use super::act::{CallSelector, ProxyAction};
use super::refusal::ServiceRefusal;
use super::{FaultProxy, ProxyCall};

/// What Lambda says of a role that IAM has not told it of yet.
const NOT_ASSUMABLE: ServiceRefusal = ServiceRefusal {
    service: "lambda",
    operation: "CreateFunction",
    status: 400,
    code: "InvalidParameterValueException",
    message: "The role defined for the function cannot be assumed by Lambda.",
};

/// What Lambda says of a function that still has copies at edge locations.
const REPLICATED: ServiceRefusal = ServiceRefusal {
    service: "lambda",
    operation: "DeleteFunction",
    status: 400,
    code: "InvalidParameterValueException",
    message: "Lambda was unable to delete arn:aws:lambda:us-east-1:123456789012:function:edge:1 because it is a \
              replicated function. Please see our documentation for Deleting Lambda@Edge Functions and Replicas.",
};

impl FaultProxy {
    /// New roles cannot be assumed by Lambda for so many tries.
    pub fn late_roles(&self, tries: usize) {
        self.refuse(NOT_ASSUMABLE, CallSelector::First(tries));
    }

    /// Functions have copies at the edge for so many tries to delete one.
    pub fn late_replicas(&self, tries: usize) {
        self.refuse(REPLICATED, CallSelector::First(tries));
    }

    /// Distributions are `InProgress` for so many looks at one.
    pub fn late_distributions(&self, looks: usize) {
        let look = |call: &ProxyCall| call.is("cloudfront", "GetDistribution");
        self.on(look, CallSelector::First(looks), ProxyAction::Reword("<Status>Deployed<", "<Status>InProgress<"));
    }

    /// Record changes are `PENDING` for so many looks.
    pub fn late_records(&self, looks: usize) {
        let look = |call: &ProxyCall| call.is("route53", "GetChange");
        self.on(look, CallSelector::First(looks), ProxyAction::Reword(">INSYNC<", ">PENDING<"));
    }

    /// Certificates are `PENDING_VALIDATION` for so many looks.
    pub fn late_certificates(&self, looks: usize) {
        let look = |call: &ProxyCall| call.is("acm", "DescribeCertificate");
        self.on(look, CallSelector::First(looks), ProxyAction::Reword("\"ISSUED\"", "\"PENDING_VALIDATION\""));
    }
}
