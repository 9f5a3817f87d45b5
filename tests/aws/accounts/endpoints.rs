//! Endpoints: one for all services, one for each, from variables and profiles, and the header that names them.

use aws_sdk_s3::config::Credentials;

use crate::accounts::stand_in::sts;
use crate::accounts::user::User;
use testkit::local_aws;
use testkit::proxy::{FaultProxy, wait};

#[test]
fn from_a_profile() {
    let local = local_aws::endpoint();
    let text = format!("[profile dev]\nendpoint_url = {local}\nregion = us-east-1\n");
    let user = User::new().with_keys().without("AWS_ENDPOINT_URL").config(&text).with("AWS_PROFILE", "dev");
    assert!(user.is_known().stderr.contains(&format!("endpoint {local}")));
    // A variable goes first.
    let user = user.with("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    user.is_refused(&["sts GetCallerIdentity: NoAnswer"]);
}

#[test]
fn from_a_services_section() {
    let local = local_aws::endpoint();
    let text = format!(
        "[profile dev]\nservices = local\nregion = us-east-1\n[services local]\ns3 =\n  endpoint_url = {local}\nsts =\n  endpoint_url = {local}\nelastic_load_balancing_v2 =\n  endpoint_url = {local}\n"
    );
    let user = User::new().with_keys().without("AWS_ENDPOINT_URL").config(&text).with("AWS_PROFILE", "dev");
    let said = format!("endpoint AWS, elbv2 {local}, s3 {local}, sts {local}  ");
    assert!(user.is_known().stderr.contains(&said));
}

#[test]
fn for_one_service() {
    let user = User::new();
    let (sts, local) = (sts(&user.account), local_aws::endpoint());
    let user = user.with_keys().with("AWS_ENDPOINT_URL_STS", &sts.url);
    assert!(user.is_known().stderr.contains(&format!("endpoint {local}, sts {}  ", sts.url)));
    assert_eq!(sts.take().len(), 1);
}

/// With S3 alone elsewhere, a bucket's name goes into the path there, and the bucket is made.
#[test]
fn a_bucket_at_an_endpoint_of_its_own() {
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let local = proxy.url().replace("127.0.0.1", "localhost");
    let user = User::new().with_keys().without("AWS_ENDPOINT_URL").with("AWS_ENDPOINT_URL_S3", &local);
    let user = user.with("AWS_ENDPOINT_URL_STS", &local_aws::endpoint());
    let output = user.run(&["deploy", "--plan", "plan.yaml", "--yes"]).exits(0);
    assert!(output.stderr.contains(&format!("endpoint AWS, s3 {local}, sts ")), "{}", output.stderr);
    let bucket = format!("accounts-{}", user.account);
    let calls = proxy.take_calls();
    assert!(calls.iter().any(|call| call.path.starts_with(&format!("/{bucket}"))), "{calls:?}");
    let keys = Credentials::new(&user.account, "test", None, None, "test");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .region(aws_sdk_s3::config::Region::new("us-east-1"))
        .credentials_provider(keys)
        .endpoint_url(local_aws::endpoint())
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    wait(aws_sdk_s3::Client::from_conf(config.build()).head_bucket().bucket(bucket).send()).expect("the bucket");
}

#[test]
fn configured_endpoints_can_be_ignored() {
    let user = User::new()
        .with_keys()
        .with("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
        .with("AWS_ENDPOINT_URL_S3", "http://x");
    // The way to AWS itself is closed here, so that nothing leaves this machine.
    let user = user.with("HTTPS_PROXY", "http://127.0.0.1:9");
    user.is_refused(&[
        "sts GetCallerIdentity",
        "through the proxy http://127.0.0.1:9 (HTTPS_PROXY)",
        "check HTTPS_PROXY",
    ]);
}
