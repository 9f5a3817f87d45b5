//! Tokens compared with those of botocore: `TokenGenerator` of awscli 1.46.3 (`aws eks get-token`) with botocore 1.40.0, its clock
//! stopped at 2026-09-01T12:30:45Z.

use std::collections::BTreeSet;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future;
use aws_smithy_async::time::StaticTimeSource;
use jiff::Timestamp;

use super::*;

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SESSION: &str = "IQoJb3JpZ2luX2VjEXAMPLE/+token==";

/// The whole token of botocore for the cluster akidb-eu in eu-central-1.
const TOKEN: &str = "k8s-aws-v1.aHR0cHM6Ly9zdHMuZXUtY2VudHJhbC0xLmFtYXpvbmF3cy5jb20vP0FjdGlvbj1HZXRDYWxsZXJJZGVudGl0eSZW\
    ZXJzaW9uPTIwMTEtMDYtMTUmWC1BbXotQWxnb3JpdGhtPUFXUzQtSE1BQy1TSEEyNTYmWC1BbXotQ3JlZGVudGlhbD1BS0lERVhBTVBMRSUyRjIwMjYwOTAx\
    JTJGZXUtY2VudHJhbC0xJTJGc3RzJTJGYXdzNF9yZXF1ZXN0JlgtQW16LURhdGU9MjAyNjA5MDFUMTIzMDQ1WiZYLUFtei1FeHBpcmVzPTYwJlgtQW16LVNp\
    Z25lZEhlYWRlcnM9aG9zdCUzQngtazhzLWF3cy1pZCZYLUFtei1TaWduYXR1cmU9MWEyM2RhNjM2MmFhOGQwNmZhNGE4ZTM4NGQ4OTJiYjllNTkzY2NkYWRh\
    M2JhOWEyYTljZGQxMjEyNmYyMTc5Yg";

fn now() -> SystemTime {
    SystemTime::from("2026-09-01T12:30:45Z".parse::<Timestamp>().expect("a time"))
}

fn keys(session: Option<&str>) -> Credentials {
    Credentials::new(KEY, SECRET, session.map(str::to_owned), None, "test")
}

fn signer(region: &str, provider: SharedCredentialsProvider) -> TokenSigner {
    let config = SdkConfig::builder().credentials_provider(provider).time_source(StaticTimeSource::new(now()));
    TokenSigner::new(&config.build(), region, None)
}

/// Host, parameters and signature, in whatever order the parameters are.
fn parts(url: &str) -> (String, BTreeSet<String>) {
    let (host, query) = url.split_once("/?").expect("a query");
    (host.to_owned(), query.split('&').map(str::to_owned).collect())
}

fn botocore(host: &str, region: &str, session: Option<&str>, signature: &str) -> String {
    let session = session.map_or_else(String::new, |token| format!("&X-Amz-Security-Token={token}"));
    format!(
        "https://{host}/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F\
         20260901%2F{region}%2Fsts%2Faws4_request&X-Amz-Date=20260901T123045Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3B\
         x-k8s-aws-id{session}&X-Amz-Signature={signature}"
    )
}

#[tokio::test]
async fn the_token_is_that_of_aws_eks_get_token() {
    let signer = signer("eu-central-1", SharedCredentialsProvider::new(keys(None)));
    let token = signer.token("akidb-eu").await.expect("a token");
    assert_eq!(token.text, TOKEN);
    assert_eq!(token.lasts, LASTS);
}

#[tokio::test]
async fn every_partition_and_every_form_of_endpoint_is_signed_as_botocore_does() {
    let rows = [
        (
            "eu-central-1",
            "akidb-eu",
            false,
            false,
            Some(SESSION),
            "sts.eu-central-1.amazonaws.com",
            "c88f05c2be21ce9da9d5f9dd530e26bed18b083c05b2523134cc48497cba3bfa",
        ),
        (
            "cn-north-1",
            "akidb_CN-1",
            false,
            false,
            None,
            "sts.cn-north-1.amazonaws.com.cn",
            "f274b608e1ce4823c642c08315eec86e75151a8a32ace69595a9ad4559418031",
        ),
        (
            "us-east-1",
            "a",
            true,
            false,
            None,
            "sts-fips.us-east-1.amazonaws.com",
            "3f56965f1a698a29acdd58a7f96c257c63c4579171607aa7e179289c3244fe5d",
        ),
        (
            "us-east-1",
            "a",
            false,
            true,
            None,
            "sts.us-east-1.api.aws",
            "f162ae35f1cb564e53aada7a8fcaa3e2f2201d50c687a07b711d6a6b44a2f715",
        ),
    ];
    for (region, cluster, fips, dual_stack, session, host, signature) in rows {
        let signer = signer(region, SharedCredentialsProvider::new(keys(session)));
        let signer = TokenSigner { fips, dual_stack, ..signer };
        let token = signer.token(cluster).await.expect(host).text;
        let url = BASE64_URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX).expect("its prefix")).expect("base64");
        let url = String::from_utf8(url).expect("a URL");
        let written = session.map(|token| token.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D"));
        assert_eq!(parts(&url), parts(&botocore(host, region, written.as_deref(), signature)), "{host}");
    }
}

#[test]
fn what_stands_in_for_aws_is_signed_for_with_its_port() {
    let url = presigned(&keys(None), "http://127.0.0.1:45670", "us-east-1", "a", now()).expect("a URL");
    assert!(url.starts_with("http://127.0.0.1:45670/?Action=GetCallerIdentity&"), "{url}");
    assert!(
        url.ends_with("&X-Amz-Signature=83afde7083270ba3cd890bd4c1f5b301ff9ba64d2974de0005cea427567b94cf"),
        "{url}"
    );
}

#[test]
fn the_name_of_the_cluster_is_signed_and_not_in_the_url() {
    let of = |cluster: &str| {
        presigned(&keys(None), "https://sts.eu-central-1.amazonaws.com", "eu-central-1", cluster, now())
    };
    let (one, other) = (of("akidb-eu").expect("a URL"), of("akidb-us").expect("a URL"));
    assert!(one != other && !one.contains("akidb"), "{one}");
    let fault = of("a\nb").expect_err("no header can hold it");
    assert_eq!(fault.class, FaultClass::Internal);
}

#[test]
fn a_token_lasts_no_longer_than_its_session() {
    let until = |seconds| Credentials::new(KEY, SECRET, None, Some(now() + Duration::from_secs(seconds)), "test");
    assert_eq!(lasts(&until(3_600), now()), LASTS);
    assert_eq!(lasts(&until(90), now()), Duration::from_secs(90));
    assert_eq!(lasts(&until(0), now() + Duration::from_secs(1)), Duration::ZERO);
    assert_eq!(lasts(&keys(None), now()), LASTS);
}

#[tokio::test]
async fn a_token_that_eks_would_not_take_is_refused() {
    let signer = signer("eu-central-1", SharedCredentialsProvider::new(keys(Some(&"x".repeat(4_000)))));
    let fault = signer.token("akidb-eu").await.err().expect("a fault");
    assert!(fault.class == FaultClass::Refused && fault.code == "TokenTooLong", "{fault}");
    assert!(fault.message.contains("EKS takes 4096") && fault.next_step.is_some(), "{fault}");
}

/// A source of credentials that says itself what is wrong.
#[derive(Debug)]
struct Refusing;

impl ProvideCredentials for Refusing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let fault =
            Fault::new(FaultClass::Credentials, "credentials", "AssumeRole", "MfaCodeNeeded", "an MFA code is needed");
        future::ProvideCredentials::ready(Err(CredentialsError::provider_error(fault)))
    }
}

#[tokio::test]
async fn without_credentials_the_source_says_why() {
    let signer = signer("eu-central-1", SharedCredentialsProvider::new(Refusing));
    let fault = signer.token("akidb-eu").await.err().expect("a fault");
    assert!(fault.class == FaultClass::Credentials && fault.code == "MfaCodeNeeded", "{fault}");
    let none = TokenSigner { credentials: None, ..signer };
    let fault = none.token("akidb-eu").await.err().expect("a fault");
    assert!(fault.class == FaultClass::Credentials && fault.next_step.is_some(), "{fault}");
}
