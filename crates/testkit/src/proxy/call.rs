//! One call as the proxy sees it: which service, which operation.

use super::message::{Message, header};

/// One call that came to the proxy.
#[derive(Clone, Debug)]
pub struct ProxyCall {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// Path with its query.
    pub path: String,
    /// The service of the signature's scope, such as `cloudfront`.
    pub service: String,
    /// The region of the signature's scope.
    pub region: String,
    /// The operation: by its own word where the protocol has one, else by method and path.
    pub operation: String,
    /// The body of a change of record sets; empty for every other call.
    pub body: String,
}

impl ProxyCall {
    /// The call that a request makes.
    pub(super) fn of(request: &Message) -> Self {
        let mut words = request.head.split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let scope = |part| header(&request.head, "authorization").and_then(|all| all.split('/').nth(part));
        let service = scope(3).unwrap_or_default().to_owned();
        let region = scope(2).unwrap_or_default().to_owned();
        let target = header(&request.head, "x-amz-target").and_then(|target| target.split('.').next_back());
        let body = String::from_utf8_lossy(&request.body);
        let action = body.split('&').find_map(|pair| pair.strip_prefix("Action="));
        let operation = target.or(action).map_or_else(|| by_path(&service, &method, &path), str::to_owned);
        let body = if operation == "ChangeResourceRecordSets" { body.into_owned() } else { String::new() };
        Self { method, path, service, region, operation, body }
    }

    /// Whether it changes something.
    pub fn mutates(&self) -> bool {
        match self.service.as_str() {
            "acm" | "iam" | "sts" | "elasticloadbalancing" | "sqs" => {
                !["Describe", "List", "Get"].iter().any(|start| self.operation.starts_with(start))
            }
            _ => !matches!(self.method.as_str(), "GET" | "HEAD"),
        }
    }

    /// Whether it is this operation of this service.
    pub fn is(&self, service: &str, operation: &str) -> bool {
        self.service == service && self.operation == operation
    }
}

/// The name of an operation that the protocol does not name.
fn by_path(service: &str, method: &str, path: &str) -> String {
    let (bare, query) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<&str> = bare.trim_matches('/').split('/').collect();
    // `x-id` repeats the name of an S3 operation.
    if let Some(name) = query.split('&').find_map(|pair| pair.strip_prefix("x-id=")) {
        return name.to_owned();
    }
    let named = match (service, method, parts.as_slice()) {
        ("cloudfront", "POST", [_, "distribution"]) => "CreateDistribution",
        ("cloudfront", "GET", [_, "distribution", _]) => "GetDistribution",
        ("cloudfront", "PUT", [_, "distribution", _, "config"]) => "UpdateDistribution",
        ("cloudfront", "DELETE", [_, "distribution", _]) => "DeleteDistribution",
        ("cloudfront", "DELETE", [_, "cache-policy", _]) => "DeleteCachePolicy",
        ("cloudfront", "DELETE", [_, "origin-access-control", _]) => "DeleteOriginAccessControl",
        ("route53", "POST", [_, "hostedzone"]) => "CreateHostedZone",
        ("route53", "POST", [_, "healthcheck"]) => "CreateHealthCheck",
        ("route53", "POST", [_, "hostedzone", _, "rrset" | "rrset/"]) => "ChangeResourceRecordSets",
        ("route53", "GET", [_, "change", _]) => "GetChange",
        ("lambda", "POST", [_, "functions"]) => "CreateFunction",
        ("lambda", "POST", [_, "functions", _, "versions"]) => "PublishVersion",
        ("lambda", "DELETE", [_, "functions", _]) => "DeleteFunction",
        ("eks", "GET", ["clusters", _]) => "DescribeCluster",
        ("s3", "PUT", [_]) if query.is_empty() => "CreateBucket",
        _ => return format!("{method} {}", parts.get(1).unwrap_or(&"")),
    };
    named.to_owned()
}
