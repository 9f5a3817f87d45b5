//! The token by which EKS knows a caller: the URL of a `GetCallerIdentity` of STS that the caller signed, with the cluster's name
//! in a signed header. Whoever checks the token (aws-iam-authenticator, `pkg/token/token.go`) sends that request and reads in the
//! answer who signed it. Nothing is sent from here, and no permission is needed.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningParams, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_runtime_api::client::identity::Identity;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::fault::{LOG_IN, chain, of_connection};
use crate::resource::sensitive::keep_from_logs;
use crate::resource::{Fault, FaultClass};

const STS: &str = "sts";
const OPERATION: &str = "GetCallerIdentity";
const PREFIX: &str = "k8s-aws-v1.";
/// The signed header with the cluster's name: a token for one cluster is none for another.
const CLUSTER: &str = "x-k8s-aws-id";
/// `X-Amz-Expires`. Neither STS nor EKS keeps to it; authenticators before 0.3.0 take no more.
const EXPIRES: Duration = Duration::from_mins(1);
/// EKS takes a token for 15 minutes from `X-Amz-Date`; a minute is left for the way, as in `aws eks get-token`.
const LASTS: Duration = Duration::from_mins(14);
/// The longest token that EKS takes.
const LONGEST: usize = 4_096;

/// A token.
pub(super) struct ClusterToken {
    /// `k8s-aws-v1.…`.
    pub(super) text: String,
    /// How long it is good, at least.
    pub(super) lasts: Duration,
}

/// Signs tokens for the clusters of a region.
pub struct TokenSigner {
    credentials: Option<SharedCredentialsProvider>,
    time: SharedTimeSource,
    region: String,
    /// The endpoint of what stands in for AWS; none for AWS's own.
    stand_in: Option<String>,
    fips: bool,
    dual_stack: bool,
}

impl TokenSigner {
    /// A signer with the credentials and the clock of a configuration.
    pub(crate) fn new(config: &SdkConfig, region: &str, stand_in: Option<String>) -> Self {
        Self {
            credentials: config.credentials_provider(),
            time: config.time_source().unwrap_or_else(|| SharedTimeSource::new(SystemTimeSource::new())),
            region: region.to_owned(),
            stand_in,
            fips: config.use_fips().unwrap_or_default(),
            dual_stack: config.use_dual_stack().unwrap_or_default(),
        }
    }

    /// A token for a cluster.
    ///
    /// # Errors
    /// When no credentials are found, or a token cannot be signed with them.
    pub(super) async fn token(&self, cluster: &str) -> Result<ClusterToken, Fault> {
        let endpoint = self.endpoint().await?;
        let credentials = self.credentials().await?;
        let now = self.time.now();
        let text = encoded(&presigned(&credentials, &endpoint, &self.region, cluster, now)?)?;
        keep_from_logs(&text);
        Ok(ClusterToken { text, lasts: lasts(&credentials, now) })
    }

    async fn credentials(&self) -> Result<Credentials, Fault> {
        let Some(provider) = &self.credentials else {
            return Err(Fault::new(
                FaultClass::Credentials,
                STS,
                OPERATION,
                "NoCredentials",
                "there are no credentials",
            )
            .next(LOG_IN));
        };
        let given = provider.provide_credentials().await;
        given.map_err(|bad| {
            of_connection(STS, OPERATION, &bad).unwrap_or_else(|| Fault::unexpected(STS, OPERATION, chain(&bad)))
        })
    }

    /// EKS takes a host of STS in any region of the partition; that of the cluster's region is enabled where the cluster is.
    async fn endpoint(&self) -> Result<String, Fault> {
        if let Some(stand_in) = &self.stand_in {
            return Ok(stand_in.clone());
        }
        let params = Params::builder().region(self.region.as_str()).use_fips(self.fips).use_dual_stack(self.dual_stack);
        let params = params.build().map_err(|bad| Fault::unexpected(STS, OPERATION, bad.to_string()))?;
        let resolver = DefaultResolver::new();
        let endpoint = ResolveEndpoint::resolve_endpoint(&resolver, &params).await;
        let endpoint = endpoint.map_err(|bad| {
            let words = format!("STS has no endpoint in {} for this configuration: {bad}", self.region);
            Fault::new(FaultClass::Refused, STS, OPERATION, "NoEndpoint", words)
                .next("check eks.region in the plan, AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT")
        })?;
        Ok(endpoint.url().to_owned())
    }
}

/// The URL of the signed request: a GET without a body, with the cluster's name in a header that is not a part of the URL.
fn presigned(
    credentials: &Credentials,
    endpoint: &str,
    region: &str,
    cluster: &str,
    now: SystemTime,
) -> Result<String, Fault> {
    let unsigned =
        |bad: &dyn std::fmt::Display| Fault::unexpected(STS, OPERATION, format!("it cannot be signed: {bad}"));
    let identity = Identity::from(credentials.clone());
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(EXPIRES);
    let params = v4::SigningParams::builder().identity(&identity).region(region).name(STS).time(now).settings(settings);
    let params = SigningParams::from(params.build().map_err(|bad| unsigned(&bad))?);
    let url = format!("{}/?Action={OPERATION}&Version=2011-06-15", endpoint.trim_end_matches('/'));
    let header = std::iter::once((CLUSTER, cluster));
    let request =
        SignableRequest::new("GET", url.as_str(), header, SignableBody::empty()).map_err(|bad| unsigned(&bad))?;
    let (instructions, _) = sign(request, &params).map_err(|bad| unsigned(&bad))?.into_parts();
    let mut request = http::Request::get(url).body(()).map_err(|bad| unsigned(&bad))?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(request.uri().to_string())
}

fn encoded(url: &str) -> Result<String, Fault> {
    let text = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(url));
    if text.len() <= LONGEST {
        return Ok(text);
    }
    let words = format!(
        "the token for EKS would have {} characters, and EKS takes {LONGEST} at most: the session token of the credentials is too long",
        text.len()
    );
    Err(Fault::new(FaultClass::Refused, STS, OPERATION, "TokenTooLong", words).next(
        "use credentials with a shorter session token: a role with fewer session tags and a shorter session policy",
    ))
}

/// A session that ends takes its tokens with it.
fn lasts(credentials: &Credentials, now: SystemTime) -> Duration {
    credentials.expiry().map_or(LASTS, |end| end.duration_since(now).unwrap_or_default().min(LASTS))
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
