//! The endpoint of each service: its own, one for all services, or the default of AWS.

use std::collections::BTreeMap;

use http::Uri;
use serde::Serialize;

use super::{Profiles, flags};
use crate::resource::Fault;
use akidb_edge_network::{Environment, wrong};

/// A service that is called.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Service {
    /// ACM.
    Acm,
    /// CloudFront.
    CloudFront,
    /// CloudWatch.
    CloudWatch,
    /// EKS.
    Eks,
    /// Elastic Load Balancing.
    Elb,
    /// IAM.
    Iam,
    /// Lambda.
    Lambda,
    /// Route 53.
    Route53,
    /// S3.
    S3,
    /// SQS.
    Sqs,
    /// STS.
    Sts,
    /// The portal of IAM Identity Center, for credentials.
    Sso,
    /// The sign-in service of IAM Identity Center, for tokens.
    SsoOidc,
}

impl Service {
    /// The services that a plan is about, and STS.
    pub const OF_PLANS: [Self; 10] = [
        Self::Acm,
        Self::CloudFront,
        Self::Eks,
        Self::Elb,
        Self::Iam,
        Self::Lambda,
        Self::Route53,
        Self::S3,
        Self::Sqs,
        Self::Sts,
    ];
    const ALL: [Self; 13] = [
        Self::Acm,
        Self::CloudFront,
        Self::CloudWatch,
        Self::Eks,
        Self::Elb,
        Self::Iam,
        Self::Lambda,
        Self::Route53,
        Self::S3,
        Self::Sqs,
        Self::Sts,
        Self::Sso,
        Self::SsoOidc,
    ];

    /// What it is called in messages.
    pub fn label(self) -> &'static str {
        match self {
            Self::Acm => "acm",
            Self::CloudFront => "cloudfront",
            Self::CloudWatch => "cloudwatch",
            Self::Eks => "eks",
            Self::Elb => "elbv2",
            Self::Iam => "iam",
            Self::Lambda => "lambda",
            Self::Route53 => "route53",
            Self::S3 => "s3",
            Self::Sqs => "sqs",
            Self::Sts => "sts",
            Self::Sso => "sso",
            Self::SsoOidc => "sso-oidc",
        }
    }

    /// What it is called in a `[services NAME]` section; a variable ends with it in capitals.
    fn key(self) -> &'static str {
        match self {
            Self::Elb => "elastic_load_balancing_v2",
            Self::Route53 => "route_53",
            Self::SsoOidc => "sso_oidc",
            other => other.label(),
        }
    }
}

/// An endpoint that is not AWS's own choice.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Endpoint {
    /// The URL.
    pub url: String,
    /// The setting that names it.
    pub setting: String,
}

/// The endpoints that are configured.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    own: BTreeMap<Service, Endpoint>,
    all: Option<Endpoint>,
    /// How buckets are addressed, when the profile says so.
    path_style: Option<bool>,
}

impl Endpoints {
    /// One endpoint for all services, whatever is configured.
    pub fn one(url: &str) -> Self {
        Self { all: Some(Endpoint { url: url.to_owned(), setting: "AWS_ENDPOINT_URL".to_owned() }), ..Self::default() }
    }

    /// Reads the variables and the profile.
    ///
    /// # Errors
    /// When an endpoint is not a URL.
    pub fn of(environment: &Environment, profiles: &Profiles) -> Result<Self, Fault> {
        let style = profiles.get("s3").and_then(|text| nested(text, "addressing_style"));
        let path_style = style.and_then(|style| match style {
            "path" => Some(true),
            "virtual" => Some(false),
            _ => None,
        });
        let (ignore, key) = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls");
        if flags::on(environment, profiles, ignore, key)? {
            return Ok(Self { path_style, ..Self::default() });
        }
        let general =
            environment.get("AWS_ENDPOINT_URL").map(|url| checked(url, "AWS_ENDPOINT_URL".to_owned())).transpose()?;
        let mut own = BTreeMap::new();
        for service in Service::ALL {
            let variable = format!("AWS_ENDPOINT_URL_{}", service.key().to_ascii_uppercase());
            if let Some(url) = environment.get(&variable) {
                own.insert(service, checked(url, variable)?);
            } else if general.is_none()
                && let Some(url) = profiles.service(service.key(), "endpoint_url")
            {
                let section = profiles.get("services").unwrap_or_default();
                own.insert(service, checked(url, format!("endpoint_url of {} in services {section}", service.key()))?);
            }
        }
        let all = match general {
            Some(general) => Some(general),
            None => {
                let setting = profiles.setting("endpoint_url");
                profiles.get("endpoint_url").map(|url| checked(url, setting)).transpose()?
            }
        };
        Ok(Self { own, all, path_style })
    }

    /// The endpoint of a service; none for AWS's own.
    pub fn get(&self, service: Service) -> Option<&Endpoint> {
        self.own.get(&service).or(self.all.as_ref())
    }

    /// The URL of a service; none for AWS's own.
    pub fn url(&self, service: Service) -> Option<String> {
        self.get(service).map(|endpoint| endpoint.url.clone())
    }

    /// Whether a bucket's name goes into the path: only AWS has a host for each bucket.
    pub fn path_style(&self) -> bool {
        self.path_style.unwrap_or_else(|| self.foreign(Service::S3))
    }

    /// Whether something else than AWS answers for a service.
    pub fn foreign(&self, service: Service) -> bool {
        self.get(service).is_some_and(|endpoint| !is_aws(&endpoint.url))
    }

    /// The endpoints in use, in one line: `AWS`, a URL, or both.
    pub fn line(&self) -> String {
        let mut line = self.all.as_ref().map_or("AWS", |all| all.url.as_str()).to_owned();
        for service in Service::OF_PLANS {
            if let Some(own) = self.own.get(&service) {
                line.push_str(&format!(", {} {}", service.label(), own.url));
            }
        }
        line
    }

    /// Refuses what AWS has no meaning for: FIPS and dual stack choose among AWS's own endpoints.
    ///
    /// # Errors
    /// When an endpoint is named beside them.
    pub fn fit(&self, fips: bool, dual_stack: bool) -> Result<(), Fault> {
        let (variable, key) = match (fips, dual_stack) {
            (true, _) => ("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"),
            (_, true) => ("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"),
            _ => return Ok(()),
        };
        let Some((service, named)) = Service::OF_PLANS.iter().find_map(|service| Some((service, self.get(*service)?)))
        else {
            return Ok(());
        };
        Err(wrong(
            "EndpointConflict",
            format!(
                "{variable} ({key}) is true, and {} names the endpoint of {} itself: {}",
                named.setting,
                service.label(),
                named.url
            ),
            format!("unset {variable}, or {}, or set AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true", named.setting),
        ))
    }
}

/// A setting below a setting of a profile (`s3 =` and indented lines).
fn nested<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .find(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim())
}

fn is_aws(url: &str) -> bool {
    let host = url.parse::<Uri>().ok().and_then(|uri| Some(uri.host()?.to_ascii_lowercase())).unwrap_or_default();
    [".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".api.amazonwebservices.com.cn"]
        .iter()
        .any(|end| host.ends_with(end))
}

fn checked(url: &str, setting: String) -> Result<Endpoint, Fault> {
    let refused = |why: &str, instead: &str| {
        let next = format!("set {setting} to a URL such as {instead}");
        Err(wrong("InvalidEndpoint", format!("{setting} is {url:?}, {why}"), next))
    };
    let uri: Result<Uri, _> = url.parse();
    if uri.as_ref().is_ok_and(|uri| uri.authority().is_some_and(|authority| authority.as_str().contains('@'))) {
        // The endpoint is printed and kept in saved plans; requests are signed, so a password in it has no use.
        let next = format!(
            "set {setting} to a URL such as https://s3.example.com, and keys in AWS_ACCESS_KEY_ID or a profile"
        );
        return Err(wrong("InvalidEndpoint", format!("{setting} is a URL with a user name or a password in it"), next));
    }
    match uri {
        Err(_) => refused("which is not a URL", "https://s3.example.com"),
        Ok(uri) if uri.scheme().is_none() => refused("which has no scheme", &format!("http://{url} or https://{url}")),
        Ok(uri) if !matches!(uri.scheme_str(), Some("http" | "https")) => {
            // `localhost:4566` alone reads as the scheme "localhost".
            refused("which does not begin with http:// or https://", &format!("http://{url} or https://{url}"))
        }
        Ok(uri) if uri.host().is_none_or(str::is_empty) => refused("which has no host", "https://s3.example.com"),
        Ok(_) => Ok(Endpoint { url: url.trim_end_matches('/').to_owned(), setting }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_url_with_scheme_and_host() {
        for good in
            ["http://localhost:4566", "https://vpce-1.s3.us-east-1.vpce.amazonaws.com/", "http://[::1]:9000/path"]
        {
            assert!(checked(good, "AWS_ENDPOINT_URL".to_owned()).is_ok(), "{good}");
        }
        for bad in [
            "localhost:4566",
            "localhost",
            "//localhost",
            "ftp://x",
            "http://",
            "http://a b",
            " http://x",
            "http://x\n",
            "http://user:hunter2@localhost:4566",
        ] {
            let fault = checked(bad, "AWS_ENDPOINT_URL".to_owned()).expect_err(bad);
            assert!(fault.message.contains("AWS_ENDPOINT_URL") && !fault.to_string().contains("hunter2"), "{fault}");
        }
    }

    #[test]
    fn only_aws_has_a_host_for_each_bucket() {
        for aws in ["https://s3.us-east-1.amazonaws.com", "https://bucket.vpce-1.s3.us-east-1.vpce.amazonaws.com"] {
            assert!(is_aws(aws), "{aws}");
        }
        for foreign in ["http://localhost:9000", "https://amazonaws.com.example.com", "https://minio.test"] {
            assert!(!is_aws(foreign), "{foreign}");
        }
    }
}
