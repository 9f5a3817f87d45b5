//! SDK clients: one shared HTTP client and credential chain, one service client per region, made when first used.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::sdk_config::RequestChecksumCalculation;

use super::account::{ConnectionDescription, Endpoints, Service};
use super::connect::ResolvedSettings;
use super::eks::TokenSigner;
use super::gate::SendGate;
use super::rate_limiter::RateLimiter;
use super::requests::RequestLogger;
use super::response_limit::{Download, MarkDownloads};
use super::sdk_retry;
use super::validation::CERTIFICATE_WAIT;
use crate::provider::SendPermission;
use crate::resource::{Fault, FaultClass, syntax_check};

/// CloudFront, Route 53, IAM and Lambda@Edge have their control plane here.
pub const GLOBAL: &str = "us-east-1";

/// How the account is reached, beside what the environment and the configuration files say.
#[derive(Clone, Debug, Default)]
pub struct AwsAccess {
    /// Region for calls that name none; else the configured one.
    pub region: Option<String>,
    /// One endpoint for all services; else the configured ones.
    pub endpoint: Option<String>,
    /// Route 53 requests a second for the whole process; none for no limit.
    pub route53_per_second: Option<f64>,
}

/// The account that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIdentity {
    /// Twelve digits.
    pub account: String,
    /// ARN of the caller.
    pub arn: String,
}

/// All clients of one run.
pub struct Clients {
    shared: SdkConfig,
    s3: Mutex<BTreeMap<String, aws_sdk_s3::Client>>,
    lambda: Mutex<BTreeMap<String, aws_sdk_lambda::Client>>,
    acm: Mutex<BTreeMap<String, aws_sdk_acm::Client>>,
    eks: Mutex<BTreeMap<String, aws_sdk_eks::Client>>,
    elb: Mutex<BTreeMap<String, aws_sdk_elasticloadbalancingv2::Client>>,
    sqs: Mutex<BTreeMap<String, aws_sdk_sqs::Client>>,
    /// IAM.
    pub iam: aws_sdk_iam::Client,
    /// CloudFront.
    pub cloudfront: aws_sdk_cloudfront::Client,
    route53: aws_sdk_route53::Client,
    rate_limiter: RateLimiter,
    endpoints: Endpoints,
    gate: SendGate,
    /// The way past the gate, for the state itself.
    ungated: Option<SharedHttpClient>,
    /// What was read of the surroundings.
    reached: Option<ResolvedSettings>,
    certificate_wait: OnceLock<Duration>,
    /// Tries of a single call that may be repeated.
    tries: u32,
}

/// A client that repeats harmless calls, keeps to the rate that its service takes, and goes to its service's endpoint.
macro_rules! patient {
    ($sdk:ident, $config:expr, $tries:expr, $endpoints:expr, $service:expr) => {
        $sdk::Client::from_conf(patient!(@config $sdk, $config, $tries, $endpoints, $service).build())
    };
    (@config $sdk:ident, $config:expr, $tries:expr, $endpoints:expr, $service:expr) => {{
        let mut builder = $sdk::config::Builder::from($config)
            .retry_config(sdk_retry::config($tries))
            .retry_partition(sdk_retry::rate(stringify!($sdk)))
            .interceptor(sdk_retry::OnceUnlessHarmless)
            .interceptor(RequestLogger);
        builder.set_endpoint_url($endpoints.url($service));
        builder
    }};
}

/// Gives the cached client of a region, or makes it.
macro_rules! regional {
    ($cache:expr, $region:expr, $make:expr) => {{
        let mut cache = $cache.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        cache.entry($region.to_owned()).or_insert_with(|| $make).clone()
    }};
}

impl Clients {
    /// Takes a configuration that was read already.
    pub fn with_config(shared: SdkConfig, access: &AwsAccess) -> Self {
        let endpoint = access.endpoint.as_deref().or_else(|| shared.endpoint_url());
        let endpoints = endpoint.map(Endpoints::one).unwrap_or_default();
        Self::of(shared, endpoints, access.route53_per_second, sdk_retry::TRIES)
    }

    /// The clients behind a gate, with a way past it.
    pub(super) fn behind(
        gate: SendGate,
        ungated: SharedHttpClient,
        shared: SdkConfig,
        reached: ResolvedSettings,
        access: &AwsAccess,
    ) -> Self {
        let tries = reached.account.tries.unwrap_or(sdk_retry::TRIES);
        let clients = Self::of(shared, reached.account.endpoints.clone(), access.route53_per_second, tries);
        Self { gate, ungated: Some(ungated), reached: Some(reached), ..clients }
    }

    fn of(shared: SdkConfig, endpoints: Endpoints, route53_per_second: Option<f64>, tries: u32) -> Self {
        let at_global = shared.to_builder().region(Region::new(GLOBAL)).build();
        Self {
            iam: patient!(aws_sdk_iam, &at_global, tries, endpoints, Service::Iam),
            cloudfront: patient!(aws_sdk_cloudfront, &at_global, tries, endpoints, Service::CloudFront),
            route53: patient!(aws_sdk_route53, &at_global, tries, endpoints, Service::Route53),
            shared,
            s3: Mutex::default(),
            lambda: Mutex::default(),
            acm: Mutex::default(),
            eks: Mutex::default(),
            elb: Mutex::default(),
            sqs: Mutex::default(),
            rate_limiter: RateLimiter::new(route53_per_second),
            endpoints,
            gate: SendGate::default(),
            ungated: None,
            reached: None,
            certificate_wait: OnceLock::new(),
            tries,
        }
    }

    /// How the account is reached; none for clients that were made from a configuration of the SDK.
    pub fn description(&self) -> Option<ConnectionDescription> {
        let reached = self.reached.as_ref()?;
        Some(reached.account.description(Some(&reached.region)))
    }

    /// Certificates that are not validated are waited for so long.
    pub fn wait_for_certificates(&self, within: Duration) {
        // Said once, when the account is connected.
        let _ = self.certificate_wait.set(within);
    }

    /// How long a certificate that is not validated is waited for.
    pub fn certificate_wait(&self) -> Duration {
        self.certificate_wait.get().copied().unwrap_or(CERTIFICATE_WAIT)
    }

    /// From now on every request is asked about first, but those about the state.
    pub fn ask_first(&self, permission: SendPermission) {
        self.gate.ask(permission);
    }

    /// The configuration for a region that was checked.
    fn at(&self, region: &str) -> SdkConfig {
        self.shared.to_builder().region(Region::new(region.to_owned())).build()
    }

    /// S3 in a region.
    ///
    /// # Errors
    /// When no client can be made for it: it is not the name of a region.
    pub fn s3(&self, region: &str) -> Result<aws_sdk_s3::Client, Fault> {
        need_region("s3", region)?;
        Ok(regional!(self.s3, region, {
            let config = patient!(@config aws_sdk_s3, &self.at(region), self.tries, self.endpoints, Service::S3);
            aws_sdk_s3::Client::from_conf(self.addressed(config).build())
        }))
    }

    /// S3 in a region, for the journal and its lease: who lost it must still be able to look who holds it.
    ///
    /// # Errors
    /// As [`s3`](Self::s3).
    pub fn state_s3(&self, region: &str) -> Result<aws_sdk_s3::Client, Fault> {
        need_region("s3", region)?;
        let mut config = aws_sdk_s3::config::Builder::from(&self.at(region)).interceptor(RequestLogger);
        config.set_endpoint_url(self.endpoints.url(Service::S3));
        let config = match &self.ungated {
            Some(http) => config.http_client(http.clone()),
            None => config,
        };
        Ok(aws_sdk_s3::Client::from_conf(self.addressed(config).build()))
    }

    /// What only AWS has is not asked of others: a host for each bucket, and checksums in trailers.
    fn addressed(&self, config: aws_sdk_s3::config::Builder) -> aws_sdk_s3::config::Builder {
        let config = config.force_path_style(self.endpoints.path_style());
        let config = config.interceptor(MarkDownloads(Download::Memory));
        let chosen = self.reached.as_ref().is_some_and(|reached| reached.account.chose_checksums());
        if self.endpoints.foreign(Service::S3) && !chosen {
            config.request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        } else {
            config
        }
    }

    /// Lambda in a region.
    ///
    /// # Errors
    /// As [`s3`](Self::s3).
    pub fn lambda(&self, region: &str) -> Result<aws_sdk_lambda::Client, Fault> {
        need_region("lambda", region)?;
        Ok(regional!(self.lambda, region, {
            patient!(aws_sdk_lambda, &self.at(region), self.tries, self.endpoints, Service::Lambda)
        }))
    }

    /// ACM in a region.
    ///
    /// # Errors
    /// As [`s3`](Self::s3).
    pub fn acm(&self, region: &str) -> Result<aws_sdk_acm::Client, Fault> {
        need_region("acm", region)?;
        Ok(regional!(
            self.acm,
            region,
            patient!(aws_sdk_acm, &self.at(region), self.tries, self.endpoints, Service::Acm)
        ))
    }

    /// EKS in a region.
    ///
    /// # Errors
    /// As [`s3`](Self::s3).
    pub fn eks(&self, region: &str) -> Result<aws_sdk_eks::Client, Fault> {
        need_region("eks", region)?;
        Ok(regional!(
            self.eks,
            region,
            patient!(aws_sdk_eks, &self.at(region), self.tries, self.endpoints, Service::Eks)
        ))
    }

    /// What signs tokens for the EKS clusters of a region. EKS calls STS with them itself and takes AWS's own hosts alone, so an
    /// endpoint of a VPC that our own calls take is left out. What stands in for AWS is not.
    pub(super) fn token_signer(&self, region: &str) -> TokenSigner {
        let stand_in = self.endpoints.url(Service::Sts).filter(|_| self.endpoints.foreign(Service::Sts));
        TokenSigner::new(&self.shared, region, stand_in)
    }

    /// Elastic Load Balancing in a region.
    ///
    /// # Errors
    /// As [`s3`](Self::s3).
    pub fn elb(&self, region: &str) -> Result<aws_sdk_elasticloadbalancingv2::Client, Fault> {
        need_region("elbv2", region)?;
        Ok(regional!(self.elb, region, {
            patient!(aws_sdk_elasticloadbalancingv2, &self.at(region), self.tries, self.endpoints, Service::Elb)
        }))
    }

    /// SQS in a region.
    ///
    /// # Errors
    /// As [`s3`](Self::s3).
    pub fn sqs(&self, region: &str) -> Result<aws_sdk_sqs::Client, Fault> {
        need_region("sqs", region)?;
        Ok(regional!(
            self.sqs,
            region,
            patient!(aws_sdk_sqs, &self.at(region), self.tries, self.endpoints, Service::Sqs)
        ))
    }

    /// CloudWatch where CloudFront's metrics are kept.
    pub(super) fn cloudwatch(&self) -> aws_sdk_cloudwatch::Client {
        patient!(aws_sdk_cloudwatch, &self.at(GLOBAL), self.tries, self.endpoints, Service::CloudWatch)
    }

    /// Route 53, after waiting for a place under the account's request rate (5 a second, R53 "Limits").
    pub async fn route53(&self) -> &aws_sdk_route53::Client {
        self.rate_limiter.wait().await;
        &self.route53
    }

    /// Who we are: the first call of every run.
    ///
    /// # Errors
    /// Credentials missing, wrong or expired; region missing; endpoint unreachable.
    pub async fn identity(&self) -> Result<CallerIdentity, Fault> {
        let region = self.shared.region().map_or(GLOBAL, |region| region.as_ref());
        // One try: whoever asks has little time and tries again itself.
        let once = self.at(region).to_builder().retry_config(sdk_retry::config(1)).build();
        let (region, url) = match &self.reached {
            Some(reached) => reached.account.sts(region),
            None => (region.to_owned(), self.endpoints.url(Service::Sts)),
        };
        let sts = aws_sdk_sts::config::Builder::from(&once).region(Region::new(region));
        let mut sts = sts.interceptor(RequestLogger);
        sts.set_endpoint_url(url);
        let sts = aws_sdk_sts::Client::from_conf(sts.build());
        let answer = sts.get_caller_identity().send().await;
        let answer = answer.map_err(|bad| super::fault::of("sts", "GetCallerIdentity", bad))?;
        match (answer.account, answer.arn) {
            (Some(account), Some(arn)) => Ok(CallerIdentity { account, arn }),
            _ => Err(Fault::new(
                FaultClass::Internal,
                "sts",
                "GetCallerIdentity",
                "UnexpectedAnswer",
                "the answer has no account",
            )),
        }
    }

    /// The region for calls that name none, as the SDK resolved it.
    pub fn region(&self) -> Option<&str> {
        self.shared.region().map(Region::as_ref)
    }
}

/// Refuses what is not the name of a region, on which a client of the SDK panics. Settings, plans and specs were checked before
/// (`Subject::typed`), so this one is in an ARN of the journal, is one of those that are searched, or is an answer of AWS.
fn need_region(service: &str, region: &str) -> Result<(), Fault> {
    if syntax_check::region(region) {
        return Ok(());
    }
    let shown: String = region.chars().take(64).collect();
    let problem = format!(
        "the journal or an answer of the service names the region {shown:?}, which is not the name of an AWS region"
    );
    Err(Fault::new(FaultClass::Refused, service, "connect", "InvalidRegion", problem).next(
        "look for it with akidb-edge state show; if the journal was edited, restore an undamaged copy: akidb-edge state \
         push FILE --stack STACK --force",
    ))
}

#[cfg(test)]
mod tests {
    use aws_config::BehaviorVersion;
    use aws_smithy_async::time::SystemTimeSource;

    use super::*;

    #[test]
    fn every_client_tries_as_often_as_was_said() {
        let shared = SdkConfig::builder().behavior_version(BehaviorVersion::latest());
        let shared = shared.time_source(SystemTimeSource::new()).build();
        let clients = Clients::of(shared, Endpoints::default(), None, 7);
        let s3 = clients.s3("us-east-1").expect("a client");
        let lambda = clients.lambda("us-east-1").expect("a client");
        let tries = [s3.config().retry_config(), lambda.config().retry_config(), clients.iam.config().retry_config()];
        for one in tries {
            assert_eq!(one.map(aws_config::retry::RetryConfig::max_attempts), Some(7));
        }
    }

    #[test]
    fn what_is_not_a_region_gets_no_client() {
        let shared = SdkConfig::builder().behavior_version(BehaviorVersion::latest());
        let clients = Clients::with_config(shared.time_source(SystemTimeSource::new()).build(), &AwsAccess::default());
        for bad in
            ["us-east-1\u{1}", "us east 1", "", "eu-central-1\n", "a/b", "a\u{202e}b", "x.example.com#", "EU-WEST-1"]
        {
            let faults = [
                clients.s3(bad).err(),
                clients.state_s3(bad).err(),
                clients.lambda(bad).err(),
                clients.acm(bad).err(),
                clients.eks(bad).err(),
                clients.elb(bad).err(),
                clients.sqs(bad).err(),
            ];
            for fault in faults {
                let fault = fault.expect(bad);
                assert!(fault.class == FaultClass::Refused && fault.code == "InvalidRegion", "{fault}");
                assert!(fault.message.contains("not the name of an AWS region"), "{fault}");
            }
        }
        assert!(clients.s3("us-east-1").is_ok() && clients.acm("eu-central-1").is_ok());
    }
}
