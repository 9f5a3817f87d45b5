//! One line for each request, for who looks at a run with `-vv`: service, operation, subject, status, time, tries. The SDK's own debug
//! lines say more, and take a page for each.

use std::time::{Duration, Instant};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, Metadata};
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use serde_json::Value;
use tracing::Level;

use super::role::percent_decoded;
use crate::resource::counted;
use crate::resource::untrusted::line;

/// By this name the log is told from those of libraries.
const TARGET: &str = "akidb_edge::requests";
/// More letters of a subject say nothing new.
const LONGEST: usize = 120;

/// Writes the line; for the configuration of a client.
#[derive(Debug)]
pub struct RequestLogger;

/// A request that has begun, and what it is about.
#[derive(Debug)]
struct Begun {
    at: Instant,
    subject: String,
}

impl Storable for Begun {
    type Storer = StoreReplace<Self>;
}

#[dyn_dispatch_hint]
impl Intercept for RequestLogger {
    fn name(&self) -> &'static str {
        "TellRequests"
    }

    fn read_after_serialization(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if tracing::enabled!(target: TARGET, Level::DEBUG) {
            let begun = Begun { at: Instant::now(), subject: subject(context.request()) };
            settings.interceptor_state().store_put(begun);
        }
        Ok(())
    }

    // The host, and with it a bucket, is known now.
    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(at) = settings.load::<Begun>().map(|begun| begun.at) {
            let subject = subject(context.request());
            settings.interceptor_state().store_put(Begun { at, subject });
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let (Some(begun), Some(call)) = (settings.load::<Begun>(), settings.load::<Metadata>()) {
            let status = context.response().map(|answer| answer.status().as_u16());
            let tries = settings.load::<RequestAttempts>().map_or(1, RequestAttempts::attempts);
            let said = told(call.service(), call.name(), &begun.subject, status, begun.at.elapsed(), tries);
            tracing::debug!(target: TARGET, "{said}");
        }
        Ok(())
    }
}

/// `S3 PutBucketPolicy akidb-models: 200 in 34 ms, 1 try`.
fn told(service: &str, operation: &str, subject: &str, status: Option<u16>, took: Duration, tries: u32) -> String {
    let status = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    let subject = if subject.is_empty() { String::new() } else { format!(" {subject}") };
    format!("{service} {operation}{subject}: {status} in {} ms, {}", took.as_millis(), counted(tries, "try"))
}

/// What a request is about: a name in its body, else its path. Nothing else of a body is told, and no query: they hold texts, tokens
/// and signatures.
fn subject(request: &HttpRequest) -> String {
    let header = |name: &str| request.headers().get(name).unwrap_or_default();
    let named = request.body().bytes().and_then(|body| {
        if header("content-type").starts_with("application/x-www-form-urlencoded") {
            in_form(body)
        } else if header("x-amz-target").is_empty() {
            None
        } else {
            in_json(body)
        }
    });
    let all = named.unwrap_or_else(|| in_uri(request.uri()));
    let few: String = all.chars().take(LONGEST).collect();
    line(&few).into_owned()
}

/// Whether a member of a request names what it is about.
fn names_it(member: &str) -> bool {
    let member = member.split('.').next().unwrap_or(member);
    ["Name", "Names", "Arn", "Arns", "Url"].iter().any(|end| member.ends_with(end))
}

/// The first name of a query, as IAM, STS and Elastic Load Balancing have it. One without names has no subject.
fn in_form(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    let found = pairs.filter(|(name, _)| names_it(name)).map(|(_, value)| percent_decoded(value)).next();
    Some(found.unwrap_or_default())
}

/// The first name of a document, as SQS and ACM have it.
fn in_json(body: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(body).ok()?;
    let members = document.as_object()?.iter().filter(|(name, _)| names_it(name));
    Some(members.filter_map(|(_, value)| value.as_str()).next().unwrap_or_default().to_owned())
}

/// The path without the version of the API; before it a bucket that stands in the host.
fn in_uri(uri: &str) -> String {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let is_version = |part: &str| part.len() == 10 && part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let path = match path.split_once('/') {
        Some((first, rest)) if is_version(first) => rest,
        None if is_version(path) => "",
        _ => path,
    };
    let bucket = [".s3.", ".s3-"].iter().find_map(|service| Some(host.split_once(service)?.0));
    let parts: Vec<&str> = bucket.into_iter().chain([path]).filter(|part| !part.is_empty()).collect();
    percent_decoded(&parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(uri: &str, headers: &[(&'static str, &'static str)], body: &'static str) -> String {
        let mut request = HttpRequest::empty();
        request.set_uri(uri.to_owned()).expect("an address");
        for (name, value) in headers {
            request.headers_mut().insert(*name, *value);
        }
        *request.body_mut() = aws_smithy_types::body::SdkBody::from(body);
        subject(&request)
    }

    #[test]
    fn a_request_is_about_what_its_path_or_body_names() {
        let at = |uri: &str| about(uri, &[], "");
        assert_eq!(
            at("http://127.0.0.1:4566/models/a%20b.onnx?x-id=GetObject&X-Amz-Signature=secret"),
            "models/a b.onnx"
        );
        assert_eq!(at("https://models.s3.eu-central-1.amazonaws.com/?policy"), "models");
        assert_eq!(at("https://models.s3.us-east-1.amazonaws.com/a/b"), "models/a/b");
        assert_eq!(at("https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/gateway"), "functions/gateway");
        assert_eq!(at("https://route53.amazonaws.com/2013-04-01/hostedzone"), "hostedzone");
        assert_eq!(at("/clusters/prod"), "clusters/prod");
        assert_eq!(at("https://s3.amazonaws.com/x%0Aforged%1B%5B2J"), "x\\nforged\\u{1b}[2J");
        assert_eq!(at(&format!("https://s3.amazonaws.com/{}", "k".repeat(500))).len(), LONGEST);

        let form = [("content-type", "application/x-www-form-urlencoded")];
        let of_form = |body: &'static str| about("https://iam.amazonaws.com/", &form, body);
        let made = "Action=CreateRole&Version=2010-05-08&RoleName=gateway&AssumeRolePolicyDocument=%7B%22secret%22%7D";
        assert_eq!(of_form(made), "gateway");
        assert_eq!(of_form("Action=DescribeLoadBalancers&Names.member.1=edge"), "edge");
        assert_eq!(of_form("Action=GetCallerIdentity&Version=2011-06-15"), "");
        assert_eq!(of_form("Action=AssumeRoleWithWebIdentity&WebIdentityToken=secret"), "");

        let json = [("x-amz-target", "AmazonSQS.SetQueueAttributes")];
        let queue = r#"{"Attributes": {"Policy": "secret"}, "QueueUrl": "http://127.0.0.1:4566/1/jobs"}"#;
        assert_eq!(about("https://sqs.us-east-1.amazonaws.com/", &json, queue), "http://127.0.0.1:4566/1/jobs");
    }

    #[test]
    fn a_line_has_status_time_and_tries() {
        let took = Duration::from_millis(34);
        assert_eq!(
            told("S3", "PutBucketPolicy", "models", Some(200), took, 1),
            "S3 PutBucketPolicy models: 200 in 34 ms, 1 try"
        );
        assert_eq!(
            told("STS", "GetCallerIdentity", "", None, took, 3),
            "STS GetCallerIdentity: no answer in 34 ms, 3 tries"
        );
    }
}
